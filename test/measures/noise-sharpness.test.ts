import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { noiseFromTrace, noiseSharpness } from '../../src/measures.js';
import { smallNetwork } from './small-network.js';

/** Normal numbers by Box and Muller. */
function gaussian(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

it('is the mean rise of the loss, as drawn in float64 by other noise', () => {
  const { weights, loss, plain, plainLoss } = smallNetwork();
  const sigma = 0.3;
  const values = plain();
  const before = plainLoss(values);
  const normal = gaussian(7);
  let sum = 0;
  const draws = 8000;
  for (let draw = 0; draw < draws; draw++) {
    const noisy = values.map((list) => {
      const size = Math.sqrt(list.reduce((total, w) => total + w * w, 0) / list.length);
      return list.map((w) => w + sigma * size * normal());
    });
    sum += plainLoss(noisy) - before;
  }
  const { numTensors } = tf.memory();
  const { rise, standardError } = noiseSharpness(loss, weights, { sigma, draws: 250 });
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(plain()).toEqual(values);
  expect(standardError / rise).toBeLessThan(0.15);
  expect(Math.abs(rise - sum / draws)).toBeLessThan(3.5 * standardError);
});

it('is what the trace says where the loss is quadratic, and does not change when layers are rescaled', async () => {
  const { model, weights, loss, rescale, x } = smallNetwork();
  const options = { sigma: 1e-1, draws: 30, seed: 3 };
  const before = noiseSharpness(loss, weights, options).rise;
  const traced = async () =>
    noiseFromTrace(
      (await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' })).parameters,
      model.trainableWeights,
      0.1,
    );
  const predicted = await traced();
  rescale();
  expect(noiseSharpness(loss, weights, options).rise / before).toBeCloseTo(1, 3);
  expect((await traced()) / predicted).toBeCloseTo(1, 4);
  // The output layer alone: without kinks.
  const last = weights.slice(-2);
  const { rise, standardError } = noiseSharpness(loss, last, { sigma: 0.1, draws: 300 });
  const { parameters } = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
  const ofLast = noiseFromTrace(parameters, model.trainableWeights.slice(-2), 0.1);
  expect(Math.abs(rise - ofLast)).toBeLessThan(4 * standardError + 0.03 * ofLast);
});

it('gives the weights back where the loss throws, and refuses in one line', () => {
  const { weights, plain, loss } = smallNetwork();
  const values = plain();
  const { numTensors } = tf.memory();
  let calls = 0;
  const failing = () => {
    if (++calls > 1) {
      throw new Error('no');
    }
    return loss();
  };
  expect(() => noiseSharpness(failing, weights)).toThrow('no');
  expect(plain()).toEqual(values);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(() => noiseSharpness(loss, weights, { sigma: 0 })).toThrow(/^noiseSharpness: sigma must be .*\.$/);
  expect(() => noiseSharpness(loss, [])).toThrow(/^noiseSharpness: weights must be tf\.Variables or .*\.$/);
  expect(() => noiseSharpness(() => tf.scalar(Number.NaN), weights)).toThrow(
    /^noiseSharpness: the loss must be one finite/,
  );
  expect(() => noiseFromTrace([], [{ originalName: 'a/kernel', read: () => weights[0]! }])).toThrow(
    /^noiseFromTrace: 'a\/kernel' has no trace in the reading: .*\.$/,
  );
});
