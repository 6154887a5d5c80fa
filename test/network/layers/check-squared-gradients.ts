import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { sendingBack } from '../../../src/network/backward.js';
import type { Graph } from '../../../src/network/graph.js';
import { planSteps, record } from '../../../src/network/tape.js';
import { atOnce } from '../../../src/network/walk.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { squaredGradients } from '../../../src/traces/diagonal/squared-gradients.js';
import { rememberInputs } from '../../../src/traces/hutchinson/weight-gradients.js';

type Squares = Map<string, Float32Array | Int32Array | Uint8Array>;

/** wasm lacks a kernel of the gradient that tf.js has for a lookup: there the other backends have to tell. */
function whereKernelsAre<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    expect(String(error)).toMatch(/Kernel 'UnsortedSegmentSum' not registered for backend 'wasm'/);
    return undefined;
  }
}

/**
 * Squared gradients, element by element, against those of one gradient for every sample, which need nothing of what an operation says
 * that its gradients are made of; with memory for all at once, and piece by piece.
 *
 * @param delta one column, [N, ...].
 */
export function checkSquaredGradients(graph: Graph, inputs: readonly tf.Tensor[], delta: tf.Tensor): void {
  const remembering = rememberInputs(graph);
  const plan = planSteps(remembering);
  const tape = record(remembering, plan, [...inputs], memoryGauge());
  const run = (budgetBytes: number, isPlain: boolean) => {
    const outputDeltas = new Map([[0, delta.clone()]]);
    const walk = sendingBack(remembering, plan, tape, outputDeltas, 1, memoryGauge(), (operation, calls) => {
      const { outerProducts: _, ...plain } = operation;
      return squaredGradients(isPlain ? plain : operation, calls, budgetBytes);
    });
    const found = atOnce(walk);
    const values = new Map([...found].map(([{ name }, squares]) => [name, squares.dataSync()]));
    tf.dispose([...found.values()]);
    return values;
  };
  const [whole, inPieces] = [2 ** 30, 1].map((budgetBytes) => run(budgetBytes, false)) as [Squares, Squares];
  const expected = whereKernelsAre(() => run(2 ** 30, true)) ?? whole;
  for (const found of [whole, inPieces]) {
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [name, squares] of found) {
      const from = expected.get(name)!;
      expect(squares.length, name).toBe(from.length);
      const largest = Math.max(...from);
      for (const [i, square] of squares.entries()) {
        expect(Math.abs(square - from[i]!), `${name}, ${i}`).toBeLessThan(1e-4 * from[i]! + 1e-6 * largest + 1e-9);
      }
    }
  }
  tape.dispose();
}
