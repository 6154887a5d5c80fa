import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { probeSteps } from '../../../src/traces/hutchinson/probe-steps.js';

afterEach(() => tf.disposeVariables());

const RELATIVE_STEP = 0.003;
const variable = (values: number[], shape: number[]) => tf.tidy(() => tf.variable(tf.tensor(values, shape)));
const rms = (values: number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

async function relativeSteps(variables: tf.Variable[], traces: number[]): Promise<number[]> {
  const before = tf.memory().numTensors;
  const steps = await probeSteps(variables, traces);
  expect(tf.memory().numTensors).toBe(before);
  return steps.map((h) => h / RELATIVE_STEP);
}

describe('probeSteps', () => {
  const first = [3, -1, 0.5, 2, 0, -4];
  const second = [0.1, 0.2, -0.3, 0.1];

  it('are relative to the weights of a matrix; a bias moves z no more than any matrix does', async () => {
    const variables = [variable(first, [3, 2]), variable([0, 0], [2]), variable(second, [2, 2]), variable([9], [1])];
    const steps = await relativeSteps(variables, [2, 8, 50, 0.5]);
    const effect = Math.min(rms(first) * Math.sqrt(2), rms(second) * Math.sqrt(50));
    const expected = [rms(first), effect / Math.sqrt(8), rms(second), effect / Math.sqrt(0.5)];
    steps.forEach((step, b) => {
      expect(step).toBeCloseTo(expected[b]!, 5);
    });
  });

  it('are never 0: not for a matrix of zeros, nor for what has no trace', async () => {
    const variables = [variable([0, 0, 0, 0], [2, 2]), variable([0, 0], [2]), variable([3, -3], [2])];
    expect(await relativeSteps(variables, [0, 0, 4])).toEqual([1, 1, 3].map((h) => expect.closeTo(h, 5)));
    // A matrix of zeros that has a trace takes its step from the others.
    const [zeros, matrix] = [variables[0]!, variable(second, [2, 2])];
    const [ofZeros] = await relativeSteps([zeros, matrix], [4, 25]);
    expect(ofZeros).toBeCloseTo((rms(second) * 5) / 2, 5);
  });
});
