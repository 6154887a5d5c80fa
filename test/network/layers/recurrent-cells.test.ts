import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { operationsOf, traitsOf } from './check-layers.js';

const { layers } = tfl;
const [STEPS, UNITS] = [2, 2];
const weights = () => ({
  kernelInitializer: tfl.initializers.randomNormal({ seed: 2, stddev: 0.5 }),
  recurrentInitializer: tfl.initializers.randomNormal({ seed: 1 }),
});

const cells: [string, number, (activations: object) => tfl.layers.Layer][] = [
  ['simple', 1, (more) => layers.simpleRNN({ units: UNITS, ...weights(), ...more })],
  ['LSTM', 4, (more) => layers.lstm({ units: UNITS, ...weights(), ...more })],
  ['GRU', 3, (more) => layers.gru({ units: UNITS, ...weights(), ...more })],
];

describe.each(cells)('the %s cell', (_, gates, layer) => {
  it.each<[string, object]>([
    ['its own activations', {}],
    ['other activations', { activation: 'softsign', recurrentActivation: 'sigmoid' }],
  ])('does what that of tf.js does, and its deltas are its derivatives: %s', (_name, activations) => {
    const made = layer(activations);
    const [projection, recurrence] = operationsOf(made, [STEPS, 3]);
    tf.tidy(() => {
      const x = tf.randomUniform([2, STEPS, 3], -1, 1, 'float32', 2);
      const { output: e } = projection!.forward([x]);
      expect(e.shape).toEqual([2, STEPS, gates * UNITS]);
      const { output, saved } = recurrence!.forward([e]);
      const expected = (made.apply(x) as tf.Tensor).dataSync();
      output.dataSync().forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 5);
      });

      const delta = tf.randomUniform([2, UNITS], -1, 1, 'float32', 3);
      const [back] = recurrence!.backward({ saved, inputShapes: [e.shape] }, delta, 1);
      const along = (direction: tf.Tensor) => tf.sum(tf.mul(back!, direction)).dataSync()[0]!;
      const value = (at: tf.Tensor) => tf.sum(tf.mul(recurrence!.forward([at], false).output, delta)).dataSync()[0]!;
      for (let entry = 0; entry < e.size; entry++) {
        const unit = tf.reshape(tf.oneHot(tf.tensor1d([entry], 'int32'), e.size), e.shape);
        const step = tf.mul(unit, 0.01);
        const slope = (value(tf.add(e, step)) - value(tf.sub(e, step))) / 0.02;
        expect(Math.abs(along(unit) - slope)).toBeLessThan(5e-4);
      }
    });
  });

  it('goes the generic way with an activation that does not work element by element', () => {
    const traits = traitsOf(layer({ activation: 'softmax' }), [STEPS, 3]);
    expect(traits).toHaveLength(1);
    expect(traits[0]).toMatch(/, named, kernel, fixed, fixed$/);
  });
});
