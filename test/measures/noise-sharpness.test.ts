import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
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

it('has noise of its own for every seed, however many draws there are', () => {
  const { weights, loss } = smallNetwork();
  const rises = (seed: number, draws: number) =>
    Array.from({ length: draws }, (_, draw) => {
      const sum = (count: number) => count * noiseSharpness(loss, weights, { sigma: 0.1, draws: count, seed }).rise;
      return draw === 0 ? sum(1) : sum(draw + 1) - sum(draw);
    });
  const all = [0, 1, 2].flatMap((seed) => rises(seed, 4));
  all.forEach((one, i) => {
    for (const other of all.slice(i + 1)) {
      expect(Math.abs(one - other)).toBeGreaterThan(1e-6);
    }
  });
});

it('counts the rounding of the loss in its error', () => {
  // 1/3 + 1e-9 w^2, in float32: the second term is lost.
  const w = tf.variable(tf.tensor1d([1, 1]));
  const loss = () => tf.add(1 / 3, tf.mul(1e-9, tf.sum(tf.square(w)))) as tf.Scalar;
  const sigma = 0.5;
  const { rise, standardError } = noiseSharpness(loss, [w], { sigma });
  expect(Math.abs(rise - 2e-9 * sigma ** 2)).toBeLessThan(2 * standardError);
  expect(standardError).toBeLessThan(1e-7);
  w.dispose();
});

it('moves weights whose squares leave the range of float32', () => {
  const w = tf.variable(tf.tensor1d([3e-24, 4e-24]));
  const loss = () => tf.sum(tf.square(tf.div(w, 1e-24))) as tf.Scalar;
  const { rise, standardError } = noiseSharpness(loss, [w], { sigma: 0.1, draws: 200 });
  expect(Math.abs(rise - 25 * 0.01)).toBeLessThan(4 * standardError);
  // Its Hessian is 2e48 times the unit matrix.
  expect(noiseFromTrace([{ name: 'w', trace: 4e48 }], [{ originalName: 'w', read: () => w }], 0.1)).toBeCloseTo(
    0.25,
    5,
  );
  w.dispose();
});

it('counts a weight that is there twice once, and refuses one that is not trained', async () => {
  const { model, weights, loss, x } = smallNetwork();
  const right = noiseSharpness(loss, weights, { sigma: 0.1 });
  expect(noiseSharpness(loss, [...weights, ...weights], { sigma: 0.1 })).toEqual(right);
  const { parameters } = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
  const { trainableWeights } = model;
  expect(noiseFromTrace(parameters, [...trainableWeights, ...trainableWeights])).toBe(
    noiseFromTrace(parameters, trainableWeights),
  );
  model.layers[0]!.trainable = false;
  expect(() => noiseSharpness(loss, model.weights)).toThrow(
    /^noiseSharpness: '.*\/kernel.*' is not trained: leave it out, or make it trainable\.$/,
  );
});

it('refuses traces that it cannot tell apart, as of a model inside of another', async () => {
  const { layers, initializers } = tfl;
  const dense = (seed: number, inputShape: number[]) =>
    layers.dense({ name: 'dense', units: 3, inputShape, kernelInitializer: initializers.heNormal({ seed }) });
  const inner = tfl.sequential({ layers: [dense(1, [4])] });
  const last = layers.dense({ name: 'last', units: 2, kernelInitializer: initializers.heNormal({ seed: 3 }) });
  const model = tfl.sequential({ layers: [inner, dense(2, [3]), last] });
  const x = tf.randomNormal([8, 4], 0, 1, 'float32', 4);
  const { parameters } = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
  const message = /^noiseFromTrace: two weights are called 'dense\/kernel', so that their traces .*\.$/;
  for (const { trainableWeights } of [model, inner]) {
    expect(() => noiseFromTrace(parameters, trainableWeights)).toThrow(message);
  }
  // Also where a reading numbers the weights of one layer.
  const numbered = parameters.map(({ trace }, i) => ({ name: ['dense/kernel', 'dense/kernel_1'][i] ?? `${i}`, trace }));
  const ofOneLayer = [inner, model].map((each) => each.layers.at(-2 + Number(each === inner))!.weights[0]!);
  expect(ofOneLayer.map(({ originalName }) => originalName)).toEqual(['dense/kernel', 'dense/kernel']);
  expect(() => noiseFromTrace(numbered, ofOneLayer)).toThrow(message);
  expect(noiseFromTrace(parameters, last.trainableWeights)).toBeGreaterThan(0);
  model.dispose();
  x.dispose();
});
