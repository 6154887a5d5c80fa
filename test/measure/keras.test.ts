import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeSymmetries } from '../../src/measure/describe-symmetries.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { kerasCases, kerasInputs, kerasModel, kerasReference } from './keras-model.js';

/** The pure-JavaScript backend takes its time. */
const timeout = 600_000;

const off = (value: number, reference: number) => Math.abs(value / reference - 1);

for (const name of kerasCases) {
  test(
    `${name}, as Keras has written it, has the traces and the Minimum Sharpness of the reference`,
    async () => {
      const expected = kerasReference(name);
      const model = await kerasModel(name);
      const inputs = kerasInputs(name);
      const outputs = tf.tidy(() => (model.predict(inputs.map((x) => tf.slice(x, 0, 1))) as tf.Tensor).dataSync());
      // Those of the first sample, and of the next where it has fewer.
      expected.firstOutputs.slice(0, outputs.length).forEach((y, i) => {
        expect(outputs[i]).toBeCloseTo(y, 4);
      });

      const before = tf.memory().numTensors;
      const reading = await measureSharpness(model, inputs, { loss: expected.losses });
      expect(tf.memory().numTensors).toBe(before);

      const traces = new Map(reading.parameters.map((parameter) => [parameter.name, parameter.trace]));
      expect([...traces.keys()].sort()).toEqual(expected.traces.map((each) => each.name).sort());
      for (const { name: parameter, trace } of expected.traces) {
        expect(off(traces.get(parameter)!, trace), parameter).toBeLessThan(1e-4);
      }
      expect(off(reading.trace, expected.trace)).toBeLessThan(1e-4);
      expect(off(reading.minimumSharpness, expected.minimumSharpness)).toBeLessThan(1e-4);
      expect(describeSymmetries(model, { loss: expected.losses }).freedom).toBe(expected.freeScales);
      tf.dispose(inputs);
      model.dispose();
    },
    timeout,
  );
}
