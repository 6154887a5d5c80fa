import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordDraws, replayDraws } from '../../src/tfjs/random-draws.js';

let random: typeof Math.random;
beforeEach(() => {
  ({ random } = Math);
});
afterEach(() => {
  expect(Math.random).toBe(random);
});

it('gives the same numbers once more, and new ones where they have run out', () => {
  const draws: number[] = [];
  const three = () => [Math.random(), Math.random(), Math.random()];
  const first = recordDraws(draws, three);
  expect(draws).toEqual(first);
  expect(replayDraws(draws, three)).toEqual(first);
  const five = replayDraws(draws, () => [...three(), Math.random(), Math.random()]);
  expect(five.slice(0, 3)).toEqual(first);
  expect(new Set(five).size).toBe(5);
});

it('appends what several recordings draw', () => {
  const draws: number[] = [];
  const all = [recordDraws(draws, Math.random), recordDraws(draws, () => Math.random())];
  expect(draws).toHaveLength(1);
  expect(draws).toEqual(all.slice(1));
});

it('makes the same mask of dropout again', () => {
  const layer = tfl.layers.dropout({ rate: 0.5 });
  const x = tf.ones([1, 200]);
  const mask = () => tf.tidy(() => [...(layer.apply(x, { training: true }) as tf.Tensor).dataSync()]);
  const draws: number[] = [];
  const first = recordDraws(draws, mask);
  expect(draws.length).toBeGreaterThan(0);
  expect(replayDraws(draws, mask)).toEqual(first);
  expect(mask()).not.toEqual(first);
  x.dispose();
});

it('gives Math.random back where the work throws', () => {
  const failing = () => {
    throw new Error('no work');
  };
  expect(() => recordDraws([], failing)).toThrow('no work');
  expect(Math.random).toBe(random);
  expect(() => replayDraws([], failing)).toThrow('no work');
});
