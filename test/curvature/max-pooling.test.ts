import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../src/curvature/graph.js';
import { lcg } from '../golden-network.js';

/** Where max pooling of one [H, W] image sends the delta of each window: to the first maximum, row by row. */
function route(image: number[][], delta: number[][], [size, stride]: [number, number]): number[][] {
  const back = image.map((row) => row.map(() => 0));
  delta.forEach((deltas, p) => {
    deltas.forEach((value, q) => {
      let best = [p * stride, q * stride];
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const [y, x] = [p * stride + i, q * stride + j];
          if (image[y][x] > image[best[0]][best[1]]) best = [y, x];
        }
      }
      back[best[0]][best[1]] += value;
    });
  });
  return back;
}

/** The same on every backend, whatever its own gradient kernel does. */
describe.each([
  ['separate windows', 2, 2],
  ['overlapping windows', 3, 1],
])('max pooling with %s', (_, size, stride) => {
  it.each([
    ['all negative', (u: number) => -1 - Math.floor(4 * u)],
    ['all equal', () => 0.5],
    ['many ties', (u: number) => Math.round(2 * u)],
  ])('sends each delta to the first maximum: %s', (_name, value) => {
    const model = tfl.sequential({
      layers: [tfl.layers.maxPooling2d({ poolSize: size, strides: stride, inputShape: [6, 6, 1] })],
    });
    const [{ operation }] = unfold(model).steps;
    const random = lcg(7, 36);
    const image = Array.from({ length: 6 }, (_row, i) => random.slice(6 * i, 6 * i + 6).map(value));
    const outputs = (6 - size) / stride + 1;
    const deltas = [1, 2].map((sign) =>
      Array.from({ length: outputs }, (_row, p) =>
        Array.from({ length: outputs }, (_column, q) => sign * (1 + p * outputs + q)),
      ),
    );
    const found = tf.tidy(() => {
      const x = tf.tensor2d(image);
      const { saved } = operation.forward([tf.reshape(x, [1, 6, 6, 1])]);
      const delta = tf.reshape(tf.tensor(deltas), [2, outputs, outputs, 1]);
      const [back] = operation.backward({ saved, inputShapes: [[1, 6, 6, 1]] }, delta, 2);
      return tf.reshape(back, [2, 6, 6]).arraySync();
    });
    expect(found).toEqual(deltas.map((delta) => route(image, delta, [size, stride])));
    model.dispose();
  });
});
