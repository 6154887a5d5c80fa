import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../src/network/graph.js';
import { planSteps, record, withoutBackward } from '../../src/network/tape.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';
import { randomMaskedModel, STEPS } from './random-masked-model.js';

const samples = () => [
  tf.tensor2d([
    [3, 1, 2, 0],
    [1, 4, 0, 0],
    [2, 2, 3, 1],
    [0, 2, 0, 1],
  ]),
  tf.tidy(() => {
    const kept = tf.tensor3d([1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1], [4, STEPS, 1]);
    return tf.mul(tf.randomNormal([4, STEPS, 2], 0, 1, 'float32', 3), kept);
  }),
];

const numbers = (tensors: readonly tf.Tensor[]) => tensors.map((each) => [...each.dataSync()]);

/** What tf.js puts out; null for a network that it cannot run, as where a mask does not fit. */
function predicted(model: tfl.LayersModel, xs: tf.Tensor[]): number[][] | null {
  try {
    return tf.tidy(() => numbers([model.predict(xs)].flat() as tf.Tensor[]));
  } catch {
    return null;
  }
}

/** What the network that is measured puts out. */
function unfolded(model: tfl.LayersModel, xs: tf.Tensor[]): { masked: number; values: number[][] } {
  const graph = unfold(model);
  const tape = record(graph, withoutBackward(planSteps(graph)), xs, memoryGauge());
  const values = numbers(tape.outputs);
  tape.dispose();
  return { masked: graph.steps.filter(({ mask }) => mask !== undefined).length, values };
}

it('the masks of networks made at random are those of tf.js', () => {
  const xs = samples();
  let masked = 0;
  let run = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const model = randomMaskedModel(seed);
    const expected = predicted(model, xs);
    if (expected) {
      const found = unfolded(model, xs);
      found.values.forEach((values, i) => {
        const most = Math.max(...values.map((y, j) => Math.abs(y - expected[i]![j]!)));
        expect(most, `seed ${seed}, output ${i}`).toBeLessThan(1e-5);
      });
      masked += found.masked > 0 ? 1 : 0;
      run++;
    }
    model.dispose();
  }
  expect(run).toBeGreaterThan(80);
  expect(masked).toBeGreaterThan(40);
  tf.dispose(xs);
});

it('a layer of several outputs is run again for a later one, with the mask at hand then: a model puts out what comes last', () => {
  const { layers } = tfl;
  const lstm = (config: object) => layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal', ...config });
  const [tokens, sequence] = [tfl.input({ shape: [STEPS] }), tfl.input({ shape: [STEPS, 2] })];
  const [steps, state] = lstm({ returnSequences: true, returnState: true }).apply(sequence) as tfl.SymbolicTensor[];
  const behind = layers.dense({ units: 2 }).apply(steps!) as tfl.SymbolicTensor;
  const words = layers.embedding({ inputDim: 5, outputDim: 3, maskZero: true }).apply(tokens);
  const masked = lstm({}).apply(words) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: [tokens, sequence], outputs: [behind, steps!, masked, state!] });
  const xs = samples();
  const expected = predicted(model, xs)!;
  const found = unfolded(model, xs);
  expect(found.masked).toBe(2);
  found.values.flat().forEach((y, i) => {
    expect(y).toBeCloseTo(expected.flat()[i]!, 5);
  });
  tf.dispose(xs);
  model.dispose();
});
