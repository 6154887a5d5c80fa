import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { diagonalKernel } from '../../../src/traces/diagonal/diagonal-kernel.js';
import { oneHead } from '../../network/one-head.js';

const SAMPLES = 40;

function network() {
  const { layers, initializers } = tfl;
  const model = tfl.sequential({
    layers: [
      layers.dense({
        units: 5,
        activation: 'relu',
        inputShape: [4],
        kernelInitializer: initializers.heNormal({ seed: 1 }),
      }),
      layers.dense({ units: 3, kernelInitializer: initializers.heNormal({ seed: 2 }) }),
    ],
  });
  return { model, graph: unfold(model), x: tf.randomNormal([SAMPLES, 4], 0, 1, 'float32', 3) };
}

const sumsOf = (model: tfl.LayersModel) =>
  model.trainableWeights.map(({ shape }) => new Float64Array((shape as number[]).reduce((a, b) => a * b, 1)));

it('is the same in chunks, and in several batches', async () => {
  const { model, graph, x } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const { numTensors } = tf.memory();
  const whole = sumsOf(model);
  expect(await diagonalKernel(graph, heads, 2 ** 30).add(whole, [x])).toBe(SAMPLES * 2);
  const inChunks = sumsOf(model);
  let last = 0;
  const calls: number[] = [];
  const kernel = diagonalKernel(graph, heads, 8000);
  const rows = await kernel.add(inChunks, [x], async (samples) => {
    calls.push(samples);
    last = samples;
  });
  expect(rows).toBe(SAMPLES * 2);
  expect(last).toBe(SAMPLES);
  expect(new Set(calls).size).toBeGreaterThan(2);
  const inBatches = sumsOf(model);
  for (const begin of [0, 25]) {
    const batch = tf.slice(x, begin, begin === 0 ? 25 : 15);
    await kernel.add(inBatches, [batch]);
    batch.dispose();
  }
  expect(tf.memory().numTensors).toBe(numTensors);
  whole.forEach((sum, b) => {
    expect(Math.max(...sum)).toBeGreaterThan(0);
    sum.forEach((each, i) => {
      expect(Math.abs(inChunks[b]![i]! - each)).toBeLessThan(1e-5 * each + 1e-12);
      expect(Math.abs(inBatches[b]![i]! - each)).toBeLessThan(1e-5 * each + 1e-12);
    });
  });
  model.dispose();
  x.dispose();
});

it('holds squares far below the range of float32', async () => {
  const { model, graph, x } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const [kernel, bias] = model.layers[1]!.getWeights() as [tf.Tensor, tf.Tensor];
  const sure = tf.tidy(() => tf.keep(tf.add(bias, [120, 0, 0])));
  model.layers[1]!.setWeights([kernel, sure]);
  const sums = sumsOf(model);
  await diagonalKernel(graph, heads, 2 ** 30).add(sums, [x]);
  for (const sum of sums) {
    expect(Math.max(...sum)).toBeLessThan(1e-48);
    expect(Math.max(...sum)).toBeGreaterThan(1e-53);
  }
  sure.dispose();
  model.dispose();
  x.dispose();
});

it('says in one line where one sample does not fit, leaves nothing behind, and adds nothing without a head', async () => {
  const { model, graph, x } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const { numTensors } = tf.memory();
  const sums = sumsOf(model);
  await expect(diagonalKernel(graph, heads, 20).add(sums, [x])).rejects.toThrow(
    /^memoryMB: .* is too small: .* Raise memoryMB\.$/,
  );
  const stop = async () => {
    throw new Error('enough');
  };
  await expect(diagonalKernel(graph, heads, 8000).add(sumsOf(model), [x], stop)).rejects.toThrow('enough');
  expect(await diagonalKernel(graph, [], 2 ** 30).add(sums, [x])).toBe(0);
  expect(sums.every((sum) => sum.every((each) => each === 0))).toBe(true);
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
  x.dispose();
});
