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

/** The network of tensorflow/tfjs#1773, which Python trains and tf.js does not. */
function channelsFirstNetwork(): tfl.LayersModel {
  const { layers } = tfl;
  const conv = (filters: number, kernelSize: number, seed: number) =>
    layers.conv2d({
      filters,
      kernelSize,
      dataFormat: 'channelsFirst',
      padding: 'same',
      useBias: false,
      kernelInitializer: tfl.initializers.glorotNormal({ seed }),
    });
  const norm = (seed: number) =>
    layers.batchNormalization({
      axis: 1,
      gammaInitializer: tfl.initializers.randomUniform({ minval: 0.5, maxval: 1.5, seed }),
      betaInitializer: tfl.initializers.randomUniform({ minval: -1, maxval: 1, seed: seed + 1 }),
    });
  const input = tfl.input({ shape: [2, 3, 3] });
  const stack = [conv(4, 3, 1), norm(10), layers.leakyReLU(), conv(3, 1, 2), norm(20), layers.leakyReLU()];
  const end = [
    layers.flatten(),
    layers.dense({ units: 2, kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }) }),
  ];
  const outputs = [...stack, ...end].reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, input);
  return tfl.model({ inputs: input, outputs });
}

test('batch normalization of another axis than the last is the function that predict computes on this backend', async () => {
  const model = channelsFirstNetwork();
  const x = tf.randomNormal([3, 2, 3, 3], 0, 1, 'float32', 4);
  const { parameters, assumptions } = await measureSharpness(model, x, { loss: 'meanSquaredError' });
  const repeats = ['cpu', 'wasm'].includes(tf.getBackend());
  expect(assumptions.some((each) => /^On the \w+ backend tf\.js applies the weights/.test(each))).toBe(repeats);

  // z is piecewise linear in each weight, so that a difference is a derivative, but for kinks between.
  const predict = () => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());
  const h = 1e-3;
  for (const weight of model.trainableWeights.filter(({ originalName }) => /gamma|beta/.test(originalName))) {
    const values = weight.read().dataSync().slice();
    const at = (i: number, step: number) => {
      const moved = values.slice();
      moved[i]! += step;
      tf.tidy(() => {
        weight.write(tf.tensor(moved, weight.shape as number[]));
      });
      return predict();
    };
    let trace = 0;
    for (let i = 0; i < values.length; i++) {
      const [above, below] = [at(i, h), at(i, -h)];
      // (1 / N) sum over samples and outputs of (2 / K) (dz / d theta)^2, with K = 2.
      above.forEach((z, j) => {
        trace += ((z - below[j]!) / (2 * h)) ** 2 / 3;
      });
    }
    at(0, 0);
    const found = parameters.find(({ name }) => name === weight.originalName)!.trace;
    expect(off(found, trace), `${weight.originalName}: ${found} for ${trace}`).toBeLessThan(1e-2);
  }
  x.dispose();
  model.dispose();
});
