import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { MOST_PAIRS, spectrumPairs } from '../../../src/traces/spectrum/spectrum-pairs.js';
import { oneHead } from '../../network/one-head.js';

const noPause = async () => {};
const draw = { budgetBytes: 2 ** 28, seed: 1, pairs: 50, population: undefined };

function network(samples: number) {
  const { layers, initializers } = tfl;
  const model = tfl.sequential({
    layers: [layers.dense({ units: 3, inputShape: [4], kernelInitializer: initializers.heNormal({ seed: 2 }) })],
  });
  return { model, x: tf.randomNormal([samples, 4], 0, 1, 'float32', 3), graph: unfold(model) };
}

it('takes every pair where there are few, and draws some of many', async () => {
  for (const [samples, expected] of [
    [100, 200],
    [MOST_PAIRS / 2, MOST_PAIRS],
    [MOST_PAIRS / 2 + 1, 50],
  ] as const) {
    const { model, x, graph } = network(samples);
    const { numTensors } = tf.memory();
    const pairs = spectrumPairs(graph, oneHead(outputHessians.softmaxCrossEntropy), draw);
    const { grams, drawn } = await pairs.grams([x], noPause);
    pairs.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(grams.pairs).toBe(expected);
    expect(drawn.samples).toBe(samples);
    expect(drawn.inclusion.every((pi) => pi === 1)).toBe(expected !== 50);
    expect(drawn.sampleOf.length).toBe(expected);
    model.dispose();
    x.dispose();
  }
});

it('takes batches one by one, of which it keeps rows', async () => {
  const { model, x, graph } = network(100);
  const { numTensors } = tf.memory();
  const pairs = spectrumPairs(graph, oneHead(outputHessians.softmaxCrossEntropy), draw);
  for (let begin = 0; begin < 100; begin += 25) {
    const batch = tf.slice(x, begin, 25);
    await pairs.add([batch], noPause);
    batch.dispose();
  }
  const { grams, drawn } = await pairs.grams(null, noPause);
  pairs.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(grams.pairs).toBe(200);
  expect(drawn.samples).toBe(100);
  expect(new Set(drawn.sampleOf).size).toBe(100);
  model.dispose();
  x.dispose();
});
