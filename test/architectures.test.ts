import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { architectures } from '../examples/architectures/index.js';
import { measureSharpness } from '../src/index.js';

const SAMPLES = 3;

/**
 * Traces of the Gauss-Newton blocks from the gradient of every output of every sample, one by one. With p what the network
 * puts out, they are sums over its outputs of
 *
 *     categoricalCrossentropy: ||dp/dtheta||^2 / p        binaryCrossentropy: ||dp/dtheta||^2 / (p (1 - p))
 *
 * (the second over K), means over samples and positions.
 */
function tracesFromOutputs(model: tf.LayersModel, inputs: tf.Tensor): Map<string, number> {
  const traces = new Map<string, number>();
  const variables = model.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
  for (let n = 0; n < SAMPLES; n++) {
    const output = tf.tidy(() => model.predict(inputs.slice(n, 1)) as tf.Tensor);
    const p = output.dataSync();
    const classes = output.shape.at(-1)!;
    for (let k = 0; k < p.length; k++) {
      const isBinary = model.loss === 'binaryCrossentropy';
      const weight = isBinary ? 1 / (p[k]! * (1 - p[k]!) * classes) : 1 / p[k]!;
      tf.tidy(() => {
        const { grads } = tf.variableGrads(
          () => (model.apply(inputs.slice(n, 1)) as tf.Tensor).flatten().slice(k, 1).asScalar(),
          variables,
        );
        model.trainableWeights.forEach(({ originalName }, i) => {
          const gradient = grads[variables[i]!.name];
          const square = gradient ? gradient.square().sum().dataSync()[0]! : 0;
          const share = (weight * square * classes) / (SAMPLES * p.length);
          traces.set(originalName, (traces.get(originalName) ?? 0) + share);
        });
      });
    }
    output.dispose();
  }
  return traces;
}

describe.each(Object.entries(architectures))('%s, small', (name, { small }) => {
  test('its traces are those of the gradients of every output', async () => {
    const { model, inputs, labels } = small();
    const x = inputs(SAMPLES, 1);
    if (labels) {
      const y = labels(SAMPLES, 2);
      for (let step = 0; step < 2; step++) await model.trainOnBatch(x, y);
      y.dispose();
    }
    const { numTensors } = tf.memory();
    const reading = await measureSharpness(model, x);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(reading.minimumSharpness).toBeGreaterThan(0);
    expect(reading.minimumSharpness).toBeLessThanOrEqual(reading.trace * (1 + 1e-12));
    // tf.js has no gradient of a dilated depthwise convolution to compare with.
    if (name !== 'mobilenet-dilated') {
      const expected = tracesFromOutputs(model, x);
      expect(new Set(reading.parameters.map((each) => each.name))).toEqual(new Set(expected.keys()));
      for (const parameter of reading.parameters) {
        const value = expected.get(parameter.name)!;
        expect(Math.abs(parameter.trace - value), `${parameter.name}: ${parameter.trace} for ${value}`).toBeLessThan(
          1e-4 * value + 1e-7 * reading.trace,
        );
      }
    }
    x.dispose();
    model.dispose();
  });
});
