import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { adaptiveSharpness } from '../../src/measures.js';
import { smallNetwork } from './small-network.js';

describe('adaptive sharpness', () => {
  it('is the maximum over the ball, by all directions of a plane', () => {
    const values = [2, -0.5] as const;
    const w = tf.variable(tf.tensor1d([...values]));
    // exp(w_0) + 3 w_1^2 + w_0 w_1
    const at = (a: number, b: number) => Math.exp(a) + 3 * b * b + a * b;
    const loss = () =>
      tf.tidy(() => {
        const [a, b] = tf.unstack(w) as [tf.Tensor, tf.Tensor];
        return tf.addN([tf.exp(a), tf.mul(3, tf.square(b)), tf.mul(a, b)]) as tf.Scalar;
      });
    const rho = 0.4;
    let most = 0;
    for (let k = 0; k < 3600; k++) {
      for (let part = 1; part <= 20; part++) {
        const u = [Math.cos((k * Math.PI) / 1800), Math.sin((k * Math.PI) / 1800)].map(
          (each) => (each * rho * part) / 20,
        );
        most = Math.max(most, at(2 + 2 * u[0]!, -0.5 + 0.5 * u[1]!) - at(...values));
      }
    }
    const { numTensors } = tf.memory();
    expect(adaptiveSharpness(loss, [w], { rho, steps: 60 }) / most).toBeCloseTo(1, 3);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(Array.from(w.dataSync())).toEqual([...values]);
    w.dispose();
  });

  it('with one step is that of ASAM: rho |w|^2 g / || |w| g ||', () => {
    const { weights, loss, plain, plainLoss } = smallNetwork();
    const values = plain();
    const rho = 0.2;
    const slope = (b: number, i: number) => {
      const moved = (by: number) =>
        values.map((list, c) => (c === b ? list.map((w, j) => (j === i ? w + by : w)) : list));
      return (plainLoss(moved(1e-6)) - plainLoss(moved(-1e-6))) / 2e-6;
    };
    const g = values.map((list, b) => list.map((_, i) => slope(b, i)));
    const length = Math.sqrt(
      values.reduce((sum, list, b) => sum + list.reduce((all, w, i) => all + (w * g[b]![i]!) ** 2, 0), 0),
    );
    const there = values.map((list, b) => list.map((w, i) => w + (rho * w * w * g[b]![i]!) / length));
    const expected = plainLoss(there) - plainLoss(values);
    expect(adaptiveSharpness(loss, weights, { rho, steps: 1 }) / expected).toBeCloseTo(1, 4);
  });

  it('does not change when layers are rescaled, and grows with the ball', () => {
    const { weights, loss, rescale } = smallNetwork(2);
    const before = adaptiveSharpness(loss, weights, { rho: 0.3 });
    expect(adaptiveSharpness(loss, weights, { rho: 0.6 })).toBeGreaterThan(before);
    expect(adaptiveSharpness(loss, weights, { rho: 0.3, steps: 1 })).toBeLessThan(before * 1.0001);
    rescale();
    expect(adaptiveSharpness(loss, weights, { rho: 0.3 }) / before).toBeCloseTo(1, 4);
  });

  it('refuses in one line', () => {
    const { weights, loss } = smallNetwork();
    expect(() => adaptiveSharpness(loss, weights, { rho: -1 })).toThrow(/^adaptiveSharpness: rho must be .*\.$/);
    expect(() => adaptiveSharpness(loss, weights, { steps: 0 })).toThrow(/^adaptiveSharpness: steps must be .*\.$/);
    expect(() => adaptiveSharpness(loss, [{}] as never)).toThrow(
      /^adaptiveSharpness: weights must be tf\.Variables or .*\.$/,
    );
  });

  it.each([1e-22, 1e20, 1e36])('of a loss times %d is as much higher', (factor) => {
    const { weights, loss } = smallNetwork();
    const scaled = () => tf.mul(loss(), factor) as tf.Scalar;
    const right = adaptiveSharpness(loss, weights, { rho: 0.3 });
    expect(adaptiveSharpness(scaled, weights, { rho: 0.3 }) / factor / right).toBeCloseTo(1, 4);
  });

  it('counts a weight that is there twice once, and refuses one that is not trained', () => {
    const { model, weights, loss, plain } = smallNetwork();
    const right = adaptiveSharpness(loss, weights, { rho: 0.3 });
    expect(adaptiveSharpness(loss, [...weights, ...weights], { rho: 0.3 })).toBe(right);
    model.layers[0]!.trainable = false;
    const values = plain();
    expect(() => adaptiveSharpness(loss, model.weights)).toThrow(
      /^adaptiveSharpness: '.*\/kernel.*' is not trained: leave it out, or make it trainable\.$/,
    );
    expect(plain()).toEqual(values);
    expect(adaptiveSharpness(loss, model.trainableWeights)).toBeGreaterThan(0);
  });

  it('says where it is the gradient that is not finite', () => {
    const w = tf.variable(tf.tensor1d([0, 1]));
    const loss = () => tf.sum(tf.sqrt(w)) as tf.Scalar;
    const { numTensors } = tf.memory();
    expect(() => adaptiveSharpness(loss, [w])).toThrow(
      /^adaptiveSharpness: the gradient of the loss is not finite: .*\.$/,
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(Array.from(w.dataSync())).toEqual([0, 1]);
    w.dispose();
  });
});
