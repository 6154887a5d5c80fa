import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { type Graph, unfold } from '../../src/network/graph.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { blocks, buildNetwork, networkSpec } from '../symmetry/random-network.js';
import { rescale } from '../symmetry/rescale.js';

/** RESCALING_RUNS=5000 looks harder; RESCALING_SEED=... repeats a run that failed (fast-check prints its seed). */
const numRuns = Number(process.env.RESCALING_RUNS ?? (tf.getBackend() === 'cpu' ? 150 : 40));
const seed = process.env.RESCALING_SEED ? { seed: Number(process.env.RESCALING_SEED) } : {};

/** The squared length of the shortest vector that a cosine sees: tf.js takes none for shorter than 1e-7, which no scale moves. */
function shortestInCosine(graph: Graph, inputs: tf.Tensor[]): number {
  return tf.tidy(() => {
    let shortest = Number.POSITIVE_INFINITY;
    const values = new Map(graph.inputs.map((id, i) => [id, inputs[i]!]));
    for (const { operation, inputs, output } of graph.steps) {
      const entering = inputs.map((id) => values.get(id)!);
      if (operation.scale === 'resets' && !('epsilon' in operation.layer)) {
        const squares = entering.flatMap((x) => [...tf.sum(tf.square(x), -1).dataSync()]);
        // Nothing is left of a vector of zeros at any scale.
        shortest = Math.min(shortest, ...squares.filter((square) => square > 0));
      }
      values.set(output, operation.forward(entering).output);
    }
    return shortest;
  });
}

test(
  'a rescaling that the symmetries allow changes neither the outputs nor Minimum Sharpness',
  async () => {
    await fc.assert(
      fc.asyncProperty(networkSpec, async (spec) => {
        const { model, inputs } = buildNetwork(spec);
        try {
          fc.pre(model.trainableWeights.length > 0);
          fc.pre(shortestInCosine(unfold(model), inputs) > 1e-3);
          const outputs = () => tf.tidy(() => (model.predict(inputs) as tf.Tensor).dataSync());
          const original = outputs();
          const largest = Math.max(...original.map(Math.abs));
          const before = await measureSharpness(model, inputs, { loss: spec.loss });
          for (const draw of [1, 2]) {
            const { freedom, undo } = rescale(model, spec.loss, spec.seed + draw);
            if (freedom === 0) {
              undo();
              return;
            }
            outputs().forEach((y, i) => {
              expect(Math.abs(y - original[i]!)).toBeLessThanOrEqual(1e-5 * largest);
            });
            const after = await measureSharpness(model, inputs, { loss: spec.loss });
            expect(Math.abs(after.minimumSharpness - before.minimumSharpness)).toBeLessThanOrEqual(
              1e-3 * before.minimumSharpness,
            );
            undo();
          }
        } finally {
          tf.dispose(inputs);
          tf.disposeVariables();
        }
      }),
      { numRuns, ...seed },
    );
  },
  Math.max(120_000, numRuns * 3000),
);

test('a run of random networks reaches every block, and most of them have something to rescale', () => {
  const specs = fc.sample(networkSpec, { numRuns: 300, seed: 1 });
  const free = specs.map((spec) => {
    const { model, inputs, used } = buildNetwork(spec);
    const trained = model.trainableWeights.length > 0;
    const freedom = trained ? scaleSymmetry(subjectOfModel(model, { loss: spec.loss }).graph).freedom : 0;
    tf.dispose(inputs);
    tf.disposeVariables();
    return { freedom, used };
  });
  const moving = free.filter(({ freedom }) => freedom > 0);
  expect(moving.length).toBeGreaterThan(specs.length / 2);
  const used = new Set(moving.flatMap((network) => network.used));
  for (const kind of [...Object.keys(blocks), 'embedding', 'second input']) {
    expect(used, kind).toContain(kind);
  }
});
