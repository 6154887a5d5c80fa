import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { randomSigns } from '../../src/traces/sampling/signs.js';

/*
 * Signs of size s on all weights, v and -v in turn, raise the loss by s^2/2 times the trace on average where it is smooth, and by more where
 * kinks are in reach, which no second derivative sees.
 */

const [SAMPLES, FEATURES, UNITS, CLASSES, DRAWS] = [300, 4, 12, 3, 300];

function trained(activation: 'relu' | undefined) {
  const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });
  const { dense } = tfl.layers;
  const hidden = activation ? [dense({ units: UNITS, activation, inputShape: [FEATURES], ...seeded(1) })] : [];
  const last = dense({
    units: CLASSES,
    activation: 'softmax',
    inputShape: [activation ? UNITS : FEATURES],
    ...seeded(2),
  });
  return tfl.sequential({ layers: [...hidden, last] });
}

async function riseOverForecast(activation: 'relu' | undefined, s: number): Promise<number> {
  const model = trained(activation);
  const loss = 'categoricalCrossentropy';
  model.compile({ optimizer: tf.train.adam(0.03), loss });
  const x = tf.randomNormal([SAMPLES, FEATURES], 0, 1, 'float32', 3);
  const labels = tf.tidy(() => {
    const scores = tf.matMul(tf.square(x), tf.randomNormal([FEATURES, CLASSES], 0, 1, 'float32', 4));
    return tf.oneHot(tf.argMax(scores, 1), CLASSES, 1, 0, 'float32');
  });
  await model.fit(x, labels, { epochs: 60, batchSize: SAMPLES, shuffle: false, verbose: 0 });
  const { trace } = await measureSharpness(model, x);
  const weights = model.getWeights().map((each) => each.clone());
  const lossAt = (seed: number, step: number) =>
    tf.tidy(() => {
      let begin = 0;
      model.setWeights(
        weights.map((each) => {
          const signs = randomSigns(seed, begin, each.size);
          begin += each.size;
          return tf.add(each, tf.mul(tf.tensor(signs, each.shape), step));
        }),
      );
      return (model.evaluate(x, labels, { batchSize: SAMPLES, verbose: 0 }) as tf.Scalar).dataSync()[0]!;
    });
  const here = lossAt(0, 0);
  let rise = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    rise += (lossAt(draw, s) + lossAt(draw, -s)) / 2 - here;
  }
  tf.dispose([x, labels, weights]);
  tf.disposeVariables();
  return rise / DRAWS / ((s ** 2 / 2) * trace);
}

it('raises a smooth loss by half the trace times its square, and that of a ReLU network by more', async () => {
  const smooth = await riseOverForecast(undefined, 0.05);
  const relu = await riseOverForecast('relu', 0.05);
  expect(smooth).toBeGreaterThan(0.95);
  expect(smooth).toBeLessThan(1.05);
  expect(relu).toBeGreaterThan(1.1);
});
