import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { sendingBack } from '../../../src/network/backward.js';
import type { Graph } from '../../../src/network/graph.js';
import type { StepPlan, Tape } from '../../../src/network/tape.js';
import { atOnce } from '../../../src/network/walk.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { gramsOfOperation } from '../../../src/traces/spectrum/gram.js';

/**
 * Scalar products of the gradients of all rows, against those that squared norms of sums give, which need nothing of what an
 * operation says of its gradients; with memory for all at once, and piece by piece.
 *
 * @param delta one column, [N, ...].
 */
export function checkScalarProducts(graph: Graph, plan: readonly StepPlan[], tape: Tape, delta: tf.Tensor): void {
  const run = (budgetBytes: number, isPlain: boolean) => {
    const walk = sendingBack(graph, plan, tape, new Map([[0, delta.clone()]]), 1, memoryGauge(), (operation, calls) => {
      const { outerProducts: _, ...plain } = operation;
      return gramsOfOperation(isPlain ? plain : operation, calls, budgetBytes);
    });
    const found = atOnce(walk);
    const values = new Map([...found].map(([{ name }, gram]) => [name, gram.dataSync()]));
    tf.dispose([...found.values()]);
    return values;
  };
  const [rows] = delta.shape as [number];
  const expected = run(2 ** 30, true);
  for (const budgetBytes of [2 ** 30, 1]) {
    const found = run(budgetBytes, false);
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [name, gram] of found) {
      const from = expected.get(name)!;
      for (const [place, product] of gram.entries()) {
        const [i, j] = [Math.floor(place / rows), place % rows];
        const size = Math.sqrt(from[i * (rows + 1)]! * from[j * (rows + 1)]!);
        expect(Math.abs(product - from[place]!), `${name}, <G_${i}, G_${j}>`).toBeLessThan(1e-4 * size + 1e-6);
      }
    }
  }
}
