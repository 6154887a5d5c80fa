import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { describeSymmetries } from '../../src/measure/describe-symmetries.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { minimumSharpnessGradients } from '../../src/measure/sharpness-gradients.js';
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

test('batch normalization whose axis is a list has the gradients and symmetries of one whose axis is a number', async () => {
  const { layers } = tfl;
  const dense = (units: number, seed: number) =>
    layers.dense({ units, activation: 'relu', kernelInitializer: tfl.initializers.glorotNormal({ seed }) });
  const found = [[1], 1].map((axis) => {
    const input = tfl.input({ shape: [5] });
    const stack = [dense(4, 1), layers.batchNormalization({ axis: axis as number, name: 'norm' }), dense(3, 2)];
    const outputs = stack.reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, input);
    return tfl.model({ inputs: input, outputs });
  });
  const x = tf.randomNormal([6, 5], 0, 1, 'float32', 3);
  const loss = 'softmaxCrossEntropy';
  const [list, number] = found.map((model) => {
    const { minimumSharpness, parameters } = minimumSharpnessGradients(model, x, { loss });
    const gradients = parameters.map(({ gradient }) => [...gradient.dataSync()]);
    tf.dispose(parameters.map(({ gradient }) => gradient));
    return { minimumSharpness, gradients, freedom: describeSymmetries(model, { loss }).freedom };
  });
  expect(list).toEqual(number);
  expect(list!.minimumSharpness).toBeGreaterThan(0);
  expect(list!.freedom).toBe(2);
  x.dispose();
});
