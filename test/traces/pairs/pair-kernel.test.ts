import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { type LossName, outputHessians } from '../../../src/network/output-hessian.js';
import { traceKernel } from '../../../src/traces/exact.js';
import { pairKernel } from '../../../src/traces/pairs/pair-kernel.js';
import { oneHead } from '../../network/one-head.js';

const layers = tfl.layers;

const networks: Record<string, () => tfl.LayersModel> = {
  dense: () =>
    tfl.sequential({
      layers: [layers.dense({ units: 8, activation: 'tanh', inputShape: [36] }), layers.dense({ units: 4 })],
    }),
  convolutional: () =>
    tfl.sequential({
      layers: [
        layers.reshape({ targetShape: [6, 6, 1], inputShape: [36] }),
        layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same', activation: 'relu' }),
        layers.batchNormalization(),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 4, kernelSize: 2, activation: 'relu' }),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 4 }),
      ],
    }),
  recurrent: () =>
    tfl.sequential({
      layers: [
        layers.reshape({ targetShape: [6, 6], inputShape: [36] }),
        layers.simpleRNN({ units: 5, recurrentInitializer: 'glorotUniform' }),
        layers.dense({ units: 4 }),
      ],
    }),
};

/** Every pair of the samples, in an order that mixes them. */
const allPairs = (samples: number, columns: number) =>
  Array.from({ length: samples * columns }, (_, i) => {
    const pair = (i * 7 + 3) % (samples * columns);
    return { sample: Math.floor(pair / columns), column: pair % columns };
  });

async function pairTraces(model: tfl.LayersModel, loss: LossName, x: tf.Tensor, budget: number) {
  const hessian = outputHessians[loss];
  const kernel = pairKernel(unfold(model), oneHead(hessian), budget);
  const pairs = allPairs(x.shape[0], hessian.columns(4));
  const chunks: number[] = [];
  const sums = kernel.parameters.map(() => new Float64Array(x.shape[0]));
  let done = 0;
  const rows = (begin: number, count: number) => {
    const chosen = pairs.slice(begin, begin + count);
    const samples = tf.tensor1d(
      chosen.map(({ sample }) => sample),
      'int32',
    );
    const inputs = [tf.gather(x, samples)];
    samples.dispose();
    return { inputs, columns: chosen.map(({ column }) => column) };
  };
  for await (const chunk of kernel.traces(pairs.length, [x.shape.slice(1)], rows)) {
    chunks.push(chunk[0].length);
    for (let i = 0; i < chunk[0].length; i++, done++) {
      chunk.forEach((norms, b) => {
        sums[b][pairs[done].sample] += norms[i];
      });
    }
  }
  return { sums, chunks };
}

describe('pairKernel', () => {
  it.each(Object.keys(networks))('adds up to the exact kernel over the columns of each sample: %s', async (name) => {
    const model = networks[name]();
    const x = tf.randomNormal([6, 36], 0, 1, 'float32', 1);
    for (const loss of ['softmaxCrossEntropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const) {
      const before = tf.memory().numTensors;
      const kernel = traceKernel(unfold(model), oneHead(outputHessians[loss]), 2 ** 26);
      const exact = kernel.parameters.map(() => [] as number[]);
      for await (const chunk of kernel.traces([x])) {
        chunk.norms.forEach((norms, b) => {
          exact[b].push(...norms);
        });
      }
      for (const budget of [2 ** 26, 60_000]) {
        const { sums } = await pairTraces(model, loss, x, budget);
        sums.forEach((norms, b) => {
          norms.forEach((value, n) => {
            expect(Math.abs(value - exact[b][n])).toBeLessThan(2e-5 * exact[b][n] + 1e-10);
          });
        });
      }
      expect(tf.memory().numTensors).toBe(before);
    }
    x.dispose();
    model.dispose();
  });

  it('runs in chunks that the budget holds, and says so when one pair does not fit', async () => {
    const model = networks.dense();
    const x = tf.randomNormal([30, 36]);
    const before = tf.memory().numTensors;
    expect((await pairTraces(model, 'softmaxCrossEntropy', x, 2 ** 26)).chunks).toEqual([90]);
    const { chunks } = await pairTraces(model, 'softmaxCrossEntropy', x, 10_000);
    expect(chunks[0]).toBeGreaterThan(5);
    expect(chunks[0]).toBeLessThan(60);
    expect(Math.max(...chunks) - Math.min(...chunks)).toBeLessThanOrEqual(1);
    await expect(pairTraces(model, 'softmaxCrossEntropy', x, 50)).rejects.toThrow(/^memoryMB: .* is too small/);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });
});
