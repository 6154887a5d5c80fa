import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers gradients
import { expect, it } from 'vitest';
import { variablesReadBy } from '../../src/tfjs/variables-read.js';

const variableOf = (value: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(value)));

it('says which variables were read, also inside of gradients, and leaves the engine as it was', () => {
  const [a, b, c] = [variableOf([1, 2]), variableOf([3, 4]), variableOf([5])];
  const engine = tf.engine();
  const { runKernel } = engine;
  const gradient = () =>
    tf
      .grad((x) => tf.mul(tf.concat([x, a]), tf.tile(b, [2])))(tf.ones([2]))
      .arraySync();
  const { value, variables, kernels } = variablesReadBy(() => tf.tidy(() => gradient() as number[]));
  expect(value).toEqual([3, 4]);
  expect(new Set(variables)).toEqual(new Set([a, b]));
  expect([tf.Concat, tf.Multiply, tf.Tile, tf.MaxPool].map((name) => kernels.has(name))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(() =>
    variablesReadBy(() => {
      throw new Error('out of luck');
    }),
  ).toThrow('out of luck');
  expect(engine.runKernel).toBe(runKernel);
  expect(Object.hasOwn(engine, 'runKernel')).toBe(false);
  tf.dispose([a, b, c]);
});

it('works inside of itself', () => {
  const [a, b] = [variableOf([1]), variableOf([2])];
  const outer = variablesReadBy(() => {
    const inner = variablesReadBy(() => tf.tidy(() => tf.add(a, 1).dataSync()[0]));
    return [inner.value, inner.variables, tf.tidy(() => tf.add(b, 1).dataSync()[0])];
  });
  expect(outer.value).toEqual([2, [a], 3]);
  expect(outer.variables).toEqual([a, b]);
  tf.dispose([a, b]);
});
