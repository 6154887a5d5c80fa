import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { pairSizing } from '../../../src/traces/pairs/pair-sizes.js';
import { oneHead } from '../../network/one-head.js';

const hessian = outputHessians.softmaxCrossEntropy;

function network(): tfl.LayersModel {
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 1 });
  const shared = tfl.layers.dense({ units: 5, activation: 'relu', name: 'shared', kernelInitializer });
  const input = tfl.input({ shape: [5] });
  const twice = shared.apply(shared.apply(input)) as tfl.SymbolicTensor;
  const last = tfl.layers.dense({ units: 4, name: 'last', kernelInitializer }).apply(twice) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: last });
}

async function sizesOf(model: tfl.LayersModel, x: tf.Tensor, budget = 2 ** 26) {
  const sizing = pairSizing(unfold(model), oneHead(hessian), budget);
  const found = { sizes: [] as number[], totals: [] as number[], inputNorms: [] as number[], chunks: [] as number[] };
  try {
    for await (const { samples, sizes, totals, inputNorms } of sizing.sizes([x])) {
      found.chunks.push(samples);
      found.sizes.push(...sizes);
      found.totals.push(...totals[0]!);
      found.inputNorms.push(...inputNorms[0]!);
    }
  } finally {
    sizing.dispose();
  }
  return { ...found, closed: sizing.closed };
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(tolerance * Math.abs(expected[i]!) + 1e-12);
  });
}

describe('pairSizing', () => {
  it('gives sizes, and what the closed form of the last layer needs, whatever the chunks', async () => {
    const model = network();
    const x = tf.randomNormal([70, 5], 0, 1, 'float32', 3);
    const before = tf.memory().numTensors;
    const { sizes, totals, inputNorms, chunks, closed } = await sizesOf(model, x);
    expect(chunks).toEqual([70]);
    expect(closed.map((operation) => operation?.layer.name)).toEqual(['last']);
    tf.tidy(() => {
      const hidden = [1, 2].reduce((y) => model.getLayer('shared').apply(y) as tf.Tensor, x as tf.Tensor);
      expectClose(inputNorms, [...tf.sum(tf.square(hidden), 1).dataSync()]);
      const columns = hessian.factor(model.predict(x) as tf.Tensor2D, 0, 3);
      expectClose(totals, [...tf.sum(tf.square(columns), [0, 2]).dataSync()]);
    });
    // Another budget, other chunks; the scales of the blocks are means over what has been seen, so sizes are about the same.
    const tight = await sizesOf(model, x, 4_000);
    expect(tight.chunks.length).toBeGreaterThan(5);
    expectClose(tight.totals, totals);
    expectClose(tight.inputNorms, inputNorms);
    expect(tight.sizes).toHaveLength(sizes.length);
    tight.sizes.forEach((size, pair) => {
      expect(Math.abs(Math.log(size / sizes[pair]!))).toBeLessThan(Math.log(3));
    });
    // The same chunks, the same sizes: what a first reading tries out leaves no trace in them.
    expect((await sizesOf(model, x)).sizes).toEqual(sizes);
    expect(tf.memory().numTensors).toBe(before);
    await expect(sizesOf(model, x, 20)).rejects.toThrow(/^memoryMB: .* is too small/);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  it('is large where a unit that is hardly ever awake stands in front of large weights', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 2, activation: 'relu', inputShape: [2] }),
        tfl.layers.dense({ units: 2, activation: 'relu' }),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    tf.tidy(() => {
      model.setWeights([
        tf.tensor2d([
          [1, 0],
          [0, 1],
        ]),
        tf.tensor1d([-5, 5]),
        tf.tensor2d([
          [1000, 1000],
          [1, 1],
        ]),
        tf.tensor1d([5, 5]),
        tf.tensor2d([
          [1, -1],
          [0.5, 0.2],
        ]),
        tf.tensor1d([0, 0]),
      ]);
    });
    // One sample of forty wakes the first unit.
    const samples = 40;
    const x = tf.tensor2d(Array.from({ length: samples }, (_, n) => (n === 30 ? [5.001, 0] : [n / samples, 1])));
    const { sizes, totals } = await sizesOf(model, x);
    const gains = sizes.map((size, n) => size / totals[n]!);
    expect(gains[30]! / Math.max(...gains.filter((_, n) => n !== 30))).toBeGreaterThan(samples / 2);
    x.dispose();
    model.dispose();
  });

  it('records nothing for a backward pass: no masks of pooling', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1] }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 3 }),
      ],
    });
    const x = tf.randomNormal([2, 8, 8, 1]);
    const { kernels } = await tf.profile(async () => {
      await sizesOf(model, x);
      return tf.scalar(0);
    });
    const names = kernels.map(({ name }) => name);
    // Two trials of the memory it takes, and the pass.
    expect(names.filter((name) => name === 'MaxPool')).toHaveLength(3);
    expect(names).not.toContain('StridedSlice');
    x.dispose();
    model.dispose();
  });

  it('takes whole numbers for names, which have no norm', async () => {
    const model = tfl.sequential({
      layers: [tfl.layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 3 }), tfl.layers.flatten()],
    });
    const tokens = [
      [8, 1, 2],
      [0, 3, 8],
    ];
    const x = tf.tensor2d(tokens, [2, 3], 'int32');
    const { sizes, inputNorms, totals } = await sizesOf(model, x);
    expect(inputNorms).toEqual([0, 0]);
    // One block, and nothing that tells the samples apart but their curvature.
    [0, 1].forEach((n) => {
      expect(sizes.slice(11 * n, 11 * (n + 1)).reduce((sum, size) => sum + size, 0)).toBeCloseTo(totals[n]!, 5);
    });
    x.dispose();
    model.dispose();
  });
});
