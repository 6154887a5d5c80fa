import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { PerturbingOptimizer } from '../../../src/training/optimizers/perturbing-optimizer.js';
import { sam } from '../../../src/training/optimizers/sam.js';

it('rho may change between steps: what counts is its value in the step', async () => {
  const ends = [];
  for (const rhos of [
    [0.5, 0, 2],
    [0.5, 0.5, 0.5],
  ]) {
    const optimizer = sam(tf.train.sgd(0.1), { rho: 9 });
    const weight = tf.tidy(() => tf.variable(tf.scalar(2)));
    const seen: number[] = [];
    for (const rho of rhos) {
      optimizer.rho = rho;
      expect(optimizer.rho).toBe(rho);
      optimizer.minimize(() => tf.square(weight) as tf.Scalar, false, [weight]);
      seen.push((await weight.data())[0]!);
    }
    let w = 2;
    rhos.forEach((rho, i) => {
      w -= 0.1 * 2 * (w + rho);
      expect(seen[i]).toBeCloseTo(w, 5);
    });
    ends.push(w);
    weight.dispose();
    optimizer.dispose();
  }
  expect(ends[0]).not.toBeCloseTo(ends[1]!, 2);
});

describe('PerturbingOptimizer', () => {
  /** T = 3 for the variable named `far`, and the identity for the others. */
  class Uneven extends PerturbingOptimizer {
    static readonly className = 'Uneven';
    protected override normalization({ name }: tf.Variable): tf.Tensor | undefined {
      return name === 'far' ? tf.scalar(3) : undefined;
    }
  }

  it('gives its base the gradient where the operator of its subclass leads', async () => {
    const optimizer = new Uneven(tf.train.sgd(1), 0.5);
    const near = tf.tidy(() => tf.variable(tf.scalar(4), true, 'near'));
    const far = tf.tidy(() => tf.variable(tf.scalar(1), true, 'far'));
    const loss = () => tf.add(tf.mul(2, tf.square(near)), tf.mul(2, tf.square(far))) as tf.Scalar;
    optimizer.minimize(loss, false, [near, far]);
    // g = (16, 4), T g = (16, 12) of length 20, eps = 0.5 T^2 g / 20 = (0.4, 0.9).
    expect((await near.data())[0]).toBeCloseTo(4 - 4 * 4.4, 5);
    expect((await far.data())[0]).toBeCloseTo(1 - 4 * 1.9, 5);
    tf.dispose([near, far]);
    optimizer.dispose();
  });

  it('has rho in its config, and refuses one that is none', () => {
    const base = tf.train.sgd(0.1);
    const optimizer = new Uneven(base, 0.5);
    expect(optimizer.getConfig()).toEqual({
      base: { className: 'SGD', config: { learningRate: 0.1 } },
      rho: 0.5,
    });
    for (const rho of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1']) {
      const message = `rho must be a finite number of at least 0, but it is ${typeof rho === 'string' ? `'${rho}'` : rho}.`;
      expect(() => new Uneven(base, rho as number)).toThrow(message);
      expect(() => Object.assign(optimizer, { rho })).toThrow(message);
    }
    expect(optimizer.rho).toBe(0.5);
    optimizer.dispose();
  });
});
