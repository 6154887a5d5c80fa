import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { checkProductsRoundNothing } from '../../src/measure/rounded-products.js';
import { sampleSharpness } from '../../src/measure/sharpness-sample.js';
import { goldenCases, goldenInputs, goldenModel } from './golden-network.js';
import { roundProducts } from './rounded-kernels.js';

// The large networks take minutes where products are rounded in JavaScript: ROUNDED_GOLDEN=all measures them too.
const cases = goldenCases().filter(({ name }) => process.env.ROUNDED_GOLDEN === 'all' || !name.startsWith('paper'));

function smallModel(): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [tfl.layers.dense({ units: 8, activation: 'tanh', inputShape: [5] }), tfl.layers.dense({ units: 3 })],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
}

describe.each(['nearest', 'cut'] as const)(
  'on a backend that multiplies in TF32, bits being rounded: %s',
  (rounding) => {
    let undo: () => void;
    beforeAll(() => {
      undo = roundProducts(10, rounding);
    });
    afterAll(() => undo());

    it.each(cases)(
      'the error of $name is covered by its standard error, which is not much larger',
      async (golden) => {
        const model = await goldenModel(golden);
        const inputs = goldenInputs(golden, model);
        const before = tf.memory().numTensors;
        const reading = await measureSharpness(model, inputs, { loss: golden.loss });
        expect(tf.memory().numTensors).toBe(before);
        const { minimumSharpness, standardError, parameters, assumptions } = reading;
        const off = Math.abs(minimumSharpness - golden.expected.minimumSharpness);
        if (process.env.ROUNDED_GOLDEN) {
          console.log(
            rounding,
            golden.name,
            off / minimumSharpness,
            standardError / minimumSharpness,
            off / standardError,
          );
        }
        expect(off).toBeLessThan(2 * standardError);
        expect(standardError).toBeLessThan(0.05 * minimumSharpness);
        for (const { name, trace, standardError: ofTrace } of parameters) {
          expect(Math.abs(trace - golden.expected.ggnTrace[name]!), name).toBeLessThan(2 * ofTrace + 1e-6 * trace);
        }
        expect(assumptions.filter((each) => each.startsWith('This backend rounds the factors'))).toHaveLength(1);
        inputs.dispose();
        model.dispose();
      },
      600_000,
    );

    it('what cannot carry the error is refused', async () => {
      const model = smallModel();
      const x = tf.zeros([4, 5]);
      const labels = tf.zeros([4, 3]);
      const message =
        /^method: \{ hutchinson \}: this backend rounds the factors of products to 10 bits, .* NVIDIA_TF32_OVERRIDE=0/;
      await expect(measureSharpness(model, x, { labels, method: { hutchinson: 30 } })).rejects.toThrow(message);
      await expect(sampleSharpness(model, x)).rejects.toThrow(/^sampleSharpness: this backend rounds/);
      await expect(checkProductsRoundNothing('this')).rejects.toThrow(/^this: this backend rounds/);
      tf.dispose([x, labels]);
      model.dispose();
    });
  },
);
