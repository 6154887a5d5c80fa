import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { perturbedGradients } from '../../../src/training/optimizers/perturbed-gradients.js';

describe('perturbedGradients', () => {
  let w: tf.Variable;
  let b: tf.Variable;
  let unused: tf.Variable;
  let tensorsBefore: number;
  beforeEach(() => {
    tensorsBefore = tf.memory().numTensors;
    [w, b, unused] = tf.tidy(() => [
      tf.variable(tf.tensor1d([1.5, 0])),
      tf.variable(tf.scalar(2)),
      tf.variable(tf.scalar(7)),
    ]);
  });
  afterEach(() => {
    tf.dispose([w, b, unused]);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });

  const identity = () => undefined;
  /** Gradients w^2 and b^2: (2.25, 0) and 4 where the variables are. */
  const cubes = () => tf.div(tf.add(tf.sum(tf.pow(w, 3)), tf.pow(b, 3)), 3) as tf.Scalar;
  const run = (rho: number, normalization: (variable: tf.Variable) => tf.Tensor | undefined, loss = cubes) =>
    tf.tidy(() => {
      const { value, grads } = perturbedGradients(loss, [w, b, unused], rho, normalization);
      return {
        value: value.dataSync()[0]!,
        ofW: [...grads[w.name]!.dataSync()],
        ofB: grads[b.name]!.dataSync()[0]!,
        ofUnused: grads[unused.name],
      };
    });

  it('are those at w + rho g / ||g||, the norm over all variables together', () => {
    const length = Math.hypot(2.25, 4);
    const { value, ofW, ofB, ofUnused } = run(0.5, identity);
    expect(ofW[0]).toBeCloseTo((1.5 + (0.5 * 2.25) / length) ** 2, 5);
    expect(ofW[1]).toBe(0);
    expect(ofB).toBeCloseTo((2 + (0.5 * 4) / length) ** 2, 5);
    expect(ofUnused).toBeUndefined();
    // The loss is that of the weights as they are.
    expect(value).toBeCloseTo((1.5 ** 3 + 8) / 3, 5);
  });

  it('are those at w + rho T^2 g / ||T g|| with an operator T', () => {
    const length = Math.hypot(2 * 2.25, 4);
    const { ofW, ofB } = run(0.5, (variable) => (variable === w ? tf.tensor1d([2, 9]) : undefined));
    expect(ofW[0]).toBeCloseTo((1.5 + (0.5 * 4 * 2.25) / length) ** 2, 5);
    expect(ofW[1]).toBe(0);
    expect(ofB).toBeCloseTo((2 + (0.5 * 4) / length) ** 2, 5);
  });

  it('leave the variables what they were, bit for bit, also where the second pass throws', () => {
    const values = () => [...w.dataSync(), ...b.dataSync(), ...unused.dataSync()];
    const before = values();
    run(0.3, identity);
    expect(values()).toEqual(before);
    let calls = 0;
    const fails = () => {
      if (++calls === 2) {
        expect(b.dataSync()[0]).toBeGreaterThan(2);
        throw new Error('in the second pass');
      }
      return cubes();
    };
    expect(() => run(0.3, identity, fails)).toThrow('in the second pass');
    expect(values()).toEqual(before);
  });

  it('are the plain ones, of one pass, with rho 0; and where the gradients vanish', () => {
    let calls = 0;
    const counted = () => {
      calls++;
      return cubes();
    };
    expect(run(0, identity, counted)).toMatchObject({ ofW: [2.25, 0], ofB: 4 });
    expect(calls).toBe(1);
    tf.tidy(() => {
      w.assign(tf.zeros([2]));
      b.assign(tf.scalar(0));
    });
    expect(run(0.5, identity)).toMatchObject({ ofW: [0, 0], ofB: 0 });
  });
});
