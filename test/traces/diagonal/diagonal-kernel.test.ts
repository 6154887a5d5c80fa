import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, expect, it, vi } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { diagonalKernel } from '../../../src/traces/diagonal/diagonal-kernel.js';
import { oneHead } from '../../network/one-head.js';

/** Told which checks of the device have been asked for: what it throws is what the device reports. */
const device = vi.hoisted(() => ({ check: (_: number) => {}, asked: 0 }));
vi.mock('../../../src/tfjs/device-errors.js', async (original) => ({
  ...(await original<object>()),
  deviceErrors: () => ({
    async check() {
      device.asked++;
      device.check(device.asked);
    },
    stop() {},
  }),
}));
/** Whether a GPU computes, which works on behind the calls. */
const gpu = vi.hoisted(() => ({ isAhead: false }));
vi.mock('../../../src/tfjs/backend.js', async (original) => {
  const own = await original<{ isSynchronous(): boolean }>();
  return { ...own, isSynchronous: () => !gpu.isAhead && own.isSynchronous() };
});
afterEach(() => {
  Object.assign(device, { check: () => {}, asked: 0 });
  gpu.isAhead = false;
});

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
  await diagonalKernel(graph, heads, 2 ** 30).add(whole, [x]);
  const inChunks = sumsOf(model);
  let last = 0;
  const calls: number[] = [];
  const kernel = diagonalKernel(graph, heads, 8000);
  let ran = 0;
  await kernel.add(inChunks, [x], async (samples, rows) => {
    calls.push(samples);
    last = samples;
    ran = rows;
  });
  expect(ran).toBe(SAMPLES * 2);
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
  await diagonalKernel(graph, [], 2 ** 30).add(sums, [x]);
  expect(sums.every((sum) => sum.every((each) => each === 0))).toBe(true);
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
  x.dispose();
});

it('adds a chunk once whose device reports an error after it has been read', async () => {
  const { model, graph, x } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const whole = sumsOf(model);
  await diagonalKernel(graph, heads, 2 ** 30).add(whole, [x]);
  device.asked = 0;
  device.check = (asked) => {
    // The first is after the numbers have come, the second after they have been used.
    if (asked === 2) {
      throw new Error('out of memory');
    }
  };
  const again = sumsOf(model);
  let last = [0, 0];
  await diagonalKernel(graph, heads, 2 ** 30).add(again, [x], async (samples, rows) => {
    last = [samples, rows];
  });
  expect(device.asked).toBeGreaterThan(2);
  expect(last).toEqual([SAMPLES, 2 * SAMPLES]);
  whole.forEach((sum, b) => {
    sum.forEach((each, i) => {
      expect(Math.abs(again[b]![i]! - each)).toBeLessThan(1e-5 * each + 1e-12);
    });
  });
  model.dispose();
  x.dispose();
});

it('leaves nothing behind where memory ends while squares are added up', async () => {
  const { model, graph, x } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const sums = sumsOf(model);
  const { numTensors } = tf.memory();
  const { runKernel } = tf.engine();
  const size = model.trainableWeights[0]!.shape.reduce<number>((product, each) => product * each!, 1);
  // Two columns are added up by one addition of all numbers of a weight tensor.
  const spy = vi.spyOn(tf.engine(), 'runKernel').mockImplementation((name, inputs, attributes) => {
    const { a } = inputs as { readonly a?: tf.Tensor };
    if (name === 'Add' && a?.rank === 1 && a.size === size) {
      throw new Error('OOM when allocating tensor');
    }
    return runKernel.call(tf.engine(), name, inputs, attributes) as tf.Tensor;
  });
  await expect(diagonalKernel(graph, heads, 2 ** 30).add(sums, [x])).rejects.toThrow('OOM when allocating tensor');
  spy.mockRestore();
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
  x.dispose();
});

it('lets no more than two chunks wait on a GPU, each with as many numbers as there are weights', async () => {
  gpu.isAhead = true;
  const { layers, initializers } = tfl;
  const kernelInitializer = initializers.heNormal({ seed: 1 });
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 200, activation: 'relu', inputShape: [100], kernelInitializer }),
      layers.dense({ units: 3, kernelInitializer }),
    ],
  });
  const x = tf.randomNormal([SAMPLES, 100], 0, 1, 'float32', 3);
  const budget = 2 ** 19;
  const { numBytes } = tf.memory();
  let most = 0;
  let calls = 0;
  const between = async () => {
    calls++;
    most = Math.max(most, tf.memory().numBytes - numBytes);
  };
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  await diagonalKernel(unfold(model), heads, budget).add(sumsOf(model), [x], between);
  const chunk = 4 * model.countParams();
  expect(calls).toBeGreaterThan(SAMPLES / 4);
  expect(most).toBeGreaterThan(chunk);
  expect(most).toBeLessThan(2.5 * chunk);
  model.dispose();
  x.dispose();
});
