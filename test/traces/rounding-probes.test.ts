import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../src/network/graph.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { ROUNDING_PROBES, relativeRoundingError, roundingProbes } from '../../src/traces/rounding-probes.js';
import { oneHead } from '../network/one-head.js';

it('traces are off in proportion to the rounding, and not without it', async () => {
  const model = tfl.sequential({
    layers: [tfl.layers.dense({ units: 6, activation: 'tanh', inputShape: [4] }), tfl.layers.dense({ units: 3 })],
  });
  const x = tf.randomNormal([9, 4], 0, 1, 'float32', 1);
  const before = tf.memory().numTensors;
  const probed = (unit: number) =>
    roundingProbes(unfold(model), oneHead(outputHessians.softmaxCrossEntropy), 2 ** 26, [x], unit);
  const factors = [1, 1, 1, 1];
  const none = await probed(0);
  expect(none.perturbed).toEqual(Array(ROUNDING_PROBES).fill(none.traces));
  expect(none.cut).toEqual(none.traces);
  expect(relativeRoundingError(none, factors)).toBe(0);
  const small = await probed(2 ** -11);
  const large = await probed(2 ** -8);
  expect(new Set(small.perturbed.map((each) => each[0])).size).toBe(ROUNDING_PROBES);
  const error = relativeRoundingError(small, factors);
  expect(error).toBeGreaterThan(2 ** -13);
  expect(relativeRoundingError(large, factors) / error).toBeCloseTo(8, 0);
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
  model.dispose();
});

it('relativeRoundingError has what cutting does, and the spread of the probes', () => {
  const probes = {
    traces: [2, 2],
    perturbed: [
      [2.3, 2],
      [2, 1.7],
    ],
    cut: [1.8, 1.8],
  };
  expect(relativeRoundingError(probes, [1, 1])).toBeCloseTo(0.5 / 4, 12);
  expect(relativeRoundingError({ ...probes, traces: [0, 0] }, [1, 1])).toBe(0);
});
