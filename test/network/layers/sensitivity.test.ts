import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  byPlace,
  byPosition,
  byRandomSigns,
  bySlope,
  bySwitch,
  isOfChannels,
  nothingPasses,
  ofChannels,
  spread,
  squaredNormOfSamples,
} from '../../../src/network/layers/sensitivity.js';

const numbers = (x: tf.Tensor | null) => (x ? [...x.dataSync()] : null);
const call = (inputs: tf.Tensor[], output: tf.Tensor, saved: tf.Tensor[] = []) => ({ inputs, output, saved });

describe('spread', () => {
  it.each([
    [
      [2, 1],
      [2, 3],
      [1, 1, 1, 2, 2, 2],
    ],
    [
      [2, 1, 1],
      [2, 2, 2],
      [1, 1, 1, 1, 2, 2, 2, 2],
    ],
    [
      [1, 1, 2],
      [1, 2, 2],
      [1, 2, 1, 2],
    ],
    [
      [1, 2, 1],
      [1, 2, 2],
      [1, 1, 2, 2],
    ],
    [
      [1, 2, 1, 1],
      [1, 2, 2, 1],
      [1, 1, 2, 2],
    ],
    [
      [1, 1, 1, 1, 2],
      [1, 2, 1, 1, 2],
      [1, 2, 1, 2],
    ],
  ])('tells apart what was the same along an axis: %j to %j', (from, to, expected) => {
    tf.tidy(() => {
      const q = tf.tensor(
        Array.from({ length: from.reduce((a, b) => a * b) }, (_, i) => i + 1),
        from,
      );
      const found = spread(q, to);
      expect(found.shape).toEqual(to);
      expect(numbers(found)).toEqual(expected);
      expect(spread(found, to)).toBe(found);
    });
  });
});

describe('ofChannels', () => {
  it('is the mean over positions, and leaves what has none alone', () => {
    tf.tidy(() => {
      const q = tf.tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
      const means = ofChannels(q);
      expect(means.shape).toEqual([1, 1, 1, 2]);
      expect(numbers(means)).toEqual([4, 5]);
      expect(isOfChannels(means)).toBe(true);
      expect(isOfChannels(q)).toBe(false);
      const vector = tf.ones([2, 3]);
      expect(ofChannels(vector)).toBe(vector);
      expect(isOfChannels(vector)).toBe(true);
    });
  });
});

describe('squaredNormOfSamples', () => {
  it('has the axes of a tensor of this rank, and is 0 for whole numbers', () => {
    tf.tidy(() => {
      const found = squaredNormOfSamples(tf.tensor([1, 2, 3, 4], [2, 2, 1]), 4);
      expect(found.shape).toEqual([2, 1, 1, 1]);
      expect(numbers(found)).toEqual([5, 25]);
      expect(numbers(squaredNormOfSamples(tf.tensor([1, 2], [2, 1], 'int32'), 2))).toEqual([0, 0]);
    });
  });
});

describe('ways through', () => {
  it('multiply by squared slopes, switch, move, or end', () => {
    tf.tidy(() => {
      const x = tf.ones([1, 2, 2]);
      const q = tf.tensor([1, 2, 3, 4], [1, 2, 2]);
      const slope = tf.tensor([1, -3, 0, 2], [1, 2, 2]);
      expect(numbers(bySlope.through([q], call([x], x, [slope])))).toEqual([1, 18, 0, 16]);
      expect(numbers(bySwitch.through([q], call([x], tf.tensor([5, 0, 0, 0.1], [1, 2, 2]))))).toEqual([1, 0, 0, 4]);
      const turned = { forward: ([y]: tf.Tensor[]) => ({ output: tf.reverse(y!, 1) }) };
      expect(numbers(byPlace(turned).through([q], call([x], x)))).toEqual([3, 4, 1, 2]);
      expect(numbers(byPlace(turned).through([tf.tensor([5, 6], [1, 1, 2])], call([x], x)))).toEqual([5, 6, 5, 6]);
      const same = tf.tensor([5, 6], [1, 1, 2]);
      expect(byPosition(turned).through([same], call([x], x))).toBe(same);
      expect(numbers(byPosition(turned).through([q], call([x], x)))).toEqual([3, 4, 1, 2]);
      expect(nothingPasses.through([q], call([x], x))).toBeNull();
      for (const way of [bySlope, bySwitch, byPlace(turned), byPosition(turned)]) {
        expect(way.through([null], call([x], x, [slope]))).toBeNull();
      }
    });
  });
});

describe('byRandomSigns', () => {
  const matrix = () => tf.randomNormal([6, 200], 0, 1, 'float32', 3) as tf.Tensor2D;

  it('is the sum of squared derivatives times q on average over outputs', () => {
    tf.tidy(() => {
      const w = matrix();
      const function_ = { forward: ([x]: tf.Tensor[]) => ({ output: tf.tanh(tf.matMul(x as tf.Tensor2D, w)) }) };
      const x = tf.mul(tf.randomNormal([3, 6], 0, 1, 'float32', 4), 0.3);
      const q = tf.randomUniform([3, 6], 0.5, 2, 'float32', 5);
      const { output } = function_.forward([x]);
      const found = byRandomSigns(function_).through([q], call([x], output)) as tf.Tensor;
      const slopes = tf.square(tf.sub(1, tf.square(output)));
      const exact = tf.mul(tf.matMul(q as tf.Tensor2D, tf.square(w)), slopes);
      const [a, b] = [found, exact].map((each) => numbers(tf.mean(each, 1))!);
      a!.forEach((value, n) => {
        expect(Math.abs(value / b![n]! - 1)).toBeLessThan(0.25);
      });
      // The same signs for every sample: batches do not matter.
      const last = byRandomSigns(function_).through(
        [tf.slice(q, 2, 1)],
        call([tf.slice(x, 2, 1)], tf.slice(output, 2, 1)),
      );
      numbers(last)!.forEach((value, i) => {
        const whole = numbers(found)![400 + i]!;
        expect(Math.abs(value - whole)).toBeLessThan(1e-2 * whole + 1e-4);
      });
    });
  });

  it('takes several inputs, whole numbers as they are, and is null where nothing is below', () => {
    tf.tidy(() => {
      const sum = { forward: ([x, k]: tf.Tensor[]) => ({ output: tf.mul(x!, tf.cast(k!, 'float32')) }) };
      const x = tf.tensor([1, 2], [2, 1]);
      const k = tf.tensor([3, 0], [2, 1], 'int32');
      const { output } = sum.forward([x, k]);
      const found = byRandomSigns(sum).through([tf.ones([2, 1]), tf.ones([2, 1])], call([x, k], output));
      expect(numbers(found)![0]).toBeCloseTo(9, 2);
      expect(numbers(found)![1]).toBe(0);
      expect(byRandomSigns(sum).through([null, null], call([x, k], output))).toBeNull();
    });
  });
});
