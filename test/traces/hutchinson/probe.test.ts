import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { probeQuotient, probeSigns } from '../../../src/traces/hutchinson/probe.js';
import { randomSigns } from '../../../src/traces/sampling/signs.js';

afterEach(() => tf.disposeVariables());

describe('probeSigns', () => {
  it('are other ones for every probe and block', () => {
    const sizes = [3, 5, 2];
    for (const probe of [0, 1, 4]) {
      const all = sizes.flatMap((_, block) => [...probeSigns(sizes, block, 6, probe)]);
      expect(all).toEqual([...randomSigns(6, 10 * probe, 10)]);
    }
  });
});

describe('probeQuotient', () => {
  const matrix = [
    [2, -1, 0.5],
    [-1, 3, 0.25],
    [0.5, 0.25, -4],
  ];
  const theta = [0.1, -2, 1 / 3];
  const v = Float32Array.of(1, -1, -1);
  const make = () => tf.tidy(() => tf.variable(tf.tensor2d(theta, [3, 1])));
  const bits = (variable: tf.Variable) => [...variable.dataSync()];

  it('is v^T H v where the gradient is linear, and leaves the variable as it was', async () => {
    const variable = make();
    const h = tf.tensor2d(matrix);
    const before = tf.memory().numTensors;
    const was = bits(variable);
    const points: number[][] = [];
    const gradient = function* () {
      yield;
      points.push(bits(variable));
      return tf.matMul(h, variable as unknown as tf.Tensor2D);
    };
    const gauge = memoryGauge();
    const q = await probeQuotient(variable, v, 0.5, gradient, gauge);
    const expected = matrix.reduce((sum, row, i) => sum + row.reduce((s, a, j) => s + v[i]! * a * v[j]!, 0), 0);
    expect(q.shape).toEqual([]);
    expect(q.dataSync()[0]).toBeCloseTo(expected, 4);
    expect(gauge.peak).toBeGreaterThan(0);
    q.dispose();
    expect(points).toEqual([0.5, -0.5].map((step) => theta.map((w, i) => expect.closeTo(w + step * v[i]!, 5))));
    expect(bits(variable)).toEqual(was);
    expect(tf.memory().numTensors).toBe(before);
    h.dispose();
  });

  it.each([1, 2])('leaves the variable as it was when gradient %d fails', async (broken) => {
    const variable = make();
    const was = bits(variable);
    const before = tf.memory().numTensors;
    let calls = 0;
    const gradient = function* () {
      yield;
      if (++calls === broken) {
        throw new Error('no memory');
      }
      return tf.zeros([3, 1]);
    };
    await expect(probeQuotient(variable, v, 0.1, gradient, memoryGauge())).rejects.toThrow('no memory');
    expect(calls).toBe(broken);
    expect(bits(variable)).toEqual(was);
    expect(tf.memory().numTensors).toBe(before);
  });
});
