import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { constantForGradients, gradientsBy, withoutLeftovers } from '../../src/tfjs/gradient-tape.js';

let before: number;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

const variableOf = (...values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values)));

it('constantForGradients hides from the tape what a value depends on', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([2, 3]);
    const half = (y: tf.Tensor) =>
      tf.mul(
        y,
        constantForGradients(() => tf.square(y)),
      );
    expect(half(x).arraySync()).toEqual([8, 27]);
    // Of y^3 it would be 3 y^2.
    expect(tf.grad(half)(x).arraySync()).toEqual([4, 9]);
  });
});

describe('withoutLeftovers', () => {
  it('gives what was run', () => {
    expect(withoutLeftovers(() => 7)).toBe(7);
  });

  it('disposes what was saved for a backward pass that never comes', () => {
    const x = tf.tensor1d([1, 2]);
    const failing = () =>
      tf.tidy(() =>
        tf.grad((y) => {
          tf.exp(tf.square(y));
          throw new Error('half way');
        })(x),
      );
    expect(() => withoutLeftovers(failing)).toThrow('half way');
    expect(tf.memory().numTensors).toBe(before + 1);
    // And gradients work as before.
    tf.tidy(() => {
      expect(
        tf
          .grad((y) => tf.square(y))(x)
          .arraySync(),
      ).toEqual([2, 4]);
    });
    x.dispose();
  });
});

describe('gradientsBy', () => {
  it('has one for each variable that counts, none for the others', () => {
    const [a, b] = [variableOf(2), variableOf(5)];
    tf.tidy(() => {
      const gradients = gradientsBy(() => tf.sum(tf.square(a)), [a, b]);
      expect(gradients.map((gradient) => gradient?.dataSync()[0])).toEqual([4, undefined]);
    });
    tf.dispose([a, b]);
  });

  it('has none where no variable counts', () => {
    const a = variableOf(2);
    tf.tidy(() => {
      expect(gradientsBy(() => tf.sum(tf.ones([3])), [a])).toEqual([undefined]);
    });
    a.dispose();
  });

  it('counts variables that training leaves alone, and those of a tensor by its delta', () => {
    const [trained, frozen] = [variableOf(2), variableOf(3)];
    frozen.trainable = false;
    const f = () => tf.mul(tf.mul(trained, frozen), tf.tensor1d([1, 10]));
    tf.tidy(() => {
      const gradients = gradientsBy(f, [trained, frozen], tf.tensor1d([1, -1]));
      expect(gradients.map((gradient) => gradient?.dataSync()[0])).toEqual([-27, -18]);
      const scalar = () => tf.sum(f()) as tf.Scalar;
      expect(tf.variableGrads(scalar, [trained, frozen]).grads[frozen.name]).toBeNull();
    });
    expect([trained, frozen].map(({ trainable }) => trainable)).toEqual([true, false]);
    tf.dispose([trained, frozen]);
  });
});
