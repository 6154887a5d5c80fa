import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { maximaFirst } from '../../../src/network/maxima-first.js';
import { lcg } from '../../measure/golden-network.js';
import { checkLayers, image, one, operationsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

/** Where max pooling of one [H, W] image sends the delta of each window: to the first maximum, row by row. */
function route(image: number[][], delta: number[][], [size, stride]: [number, number]): number[][] {
  const back = image.map((row) => row.map(() => 0));
  delta.forEach((deltas, p) => {
    deltas.forEach((value, q) => {
      let best = [p * stride, q * stride];
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const [y, x] = [p * stride + i, q * stride + j];
          if (image[y][x] > image[best[0]][best[1]]) {
            best = [y, x];
          }
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

describe.each([
  ['separate windows', 2, 2, 'valid'],
  ['windows that move by one pixel', 3, 1, 'valid'],
  ['windows that move by one pixel, with padding', 3, 1, 'same'],
  ['large windows', 4, 1, 'valid'],
] as const)('max pooling with %s', (_, poolSize, strides, padding) => {
  it.each(['channelsLast', 'channelsFirst'] as const)('is one step with the relu after it: %s', (dataFormat) => {
    const inputShape = dataFormat === 'channelsLast' ? [6, 6, 2] : [2, 6, 6];
    const pooling = tfl.layers.maxPooling2d({ poolSize, strides, padding, dataFormat, inputShape });
    const model = tfl.sequential({ layers: [pooling, tfl.layers.reLU({})] });
    const graph = unfold(model);
    const [joined, ...rest] = maximaFirst(graph).steps;
    expect(rest).toEqual([]);
    const apart = graph.steps.map(({ operation }) => operation);
    tf.tidy(() => {
      const x = tf.tensor(
        lcg(5, 3 * 72).map((u) => u - 0.9),
        [3, ...inputShape],
      );
      const [pooled] = [apart[0]!.forward([x])];
      const active = apart[1]!.forward([pooled.output]);
      const both = joined!.operation.forward([x]);
      expect(both.output.arraySync()).toEqual(active.output.arraySync());
      expect(pooled.output.arraySync()).toEqual((pooling.apply(x) as tf.Tensor).arraySync());
      expect(joined!.operation.forward([x], false).saved).toEqual([]);
      const [samples, ...shape] = active.output.shape;
      const delta = tf.randomUniform([2 * samples!, ...shape], 1, 2, 'float32', 3);
      const inputShapes = [x.shape];
      const [ofPooled] = apart[1]!.backward({ saved: active.saved, inputShapes: [pooled.output.shape] }, delta, 2);
      const [expected] = apart[0]!.backward({ saved: pooled.saved, inputShapes }, ofPooled!, 2);
      const [found] = joined!.operation.backward({ saved: both.saved, inputShapes }, delta, 2);
      expect(found!.arraySync()).toEqual(expected!.arraySync());
      // Both kinds of windows are there: those that are active and those that are not.
      expect(new Set(active.saved[0]!.dataSync())).toEqual(new Set([0, 1]));
    });
    model.dispose();
  });
});

it.each([
  ['overlap', 3, 1],
  ['stand side by side', 2, 2],
])('no padding is taken for a maximum: windows that %s', (_, poolSize, strides) => {
  const [operation] = operationsOf(layers.maxPooling2d({ poolSize, strides, padding: 'same' }), [3, 3, 1]);
  tf.tidy(() => {
    const x = tf.zeros([1, 3, 3, 1]);
    const { output, saved } = operation!.forward([x]);
    const [back] = operation!.backward({ saved, inputShapes: [x.shape] }, tf.onesLike(output), 1);
    // No delta is lost to the padding.
    expect(tf.sum(back!).dataSync()[0]).toBe(output.size);
  });
});

checkLayers({
  MaxPooling1D: [
    one('max pooling, wider than upsampling is exact', () => layers.maxPooling1d({ poolSize: 9 }), [[20, 2]], {
      plain: plain.pooling(plain.largest),
    }),
    one('max pooling 1d', () => layers.maxPooling1d({ poolSize: 3 }), [[8, 2]], {
      plain: plain.pooling(plain.largest),
    }),
  ],
  MaxPooling2D: [
    one('max pooling', () => layers.maxPooling2d({ poolSize: 2 }), image, { plain: plain.pooling(plain.largest) }),
    one('max pooling 3x3', () => layers.maxPooling2d({ poolSize: 3, padding: 'same' }), image, {
      plain: plain.pooling(plain.largest),
    }),
    one('max pooling same', () => layers.maxPooling2d({ poolSize: [4, 2], padding: 'same' }), image, {
      plain: plain.pooling(plain.largest),
    }),
    one('max pooling, overlapping', () => layers.maxPooling2d({ poolSize: 3, strides: 1 }), image, {
      plain: plain.pooling(plain.largest),
    }),
    one(
      'max pooling, overlapping, stride 2, same',
      () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      image,
      { plain: plain.pooling(plain.largest) },
    ),
    one('max pooling, stride beyond the window', () => layers.maxPooling2d({ poolSize: 2, strides: 3 }), image, {
      plain: plain.pooling(plain.largest),
    }),
    one(
      'max pooling channels first',
      () => layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
      [[2, 6, 5]],
      {
        plain: plain.withChannelsFirst(plain.pooling(plain.largest)),
      },
    ),
  ],
  MaxPooling3D: [
    one('max pooling 3d', () => layers.maxPooling3d({ poolSize: [2, 3, 2] }), [[4, 6, 5, 2]], {
      plain: plain.pooling(plain.largest),
    }),
    one(
      'max pooling 3d, overlapping, same',
      () => layers.maxPooling3d({ poolSize: 3, strides: 2, padding: 'same' }),
      [[4, 6, 5, 2]],
      {
        plain: plain.pooling(plain.largest),
      },
    ),
    one(
      'max pooling 3d channels first',
      () => layers.maxPooling3d({ poolSize: 2, dataFormat: 'channelsFirst' }),
      [[2, 4, 2, 3]],
      {
        plain: plain.withChannelsFirst(plain.pooling(plain.largest)),
      },
    ),
  ],
  GlobalMaxPooling1D: [one('global max pooling 1d', () => layers.globalMaxPooling1d({}), [[7, 2]])],
  GlobalMaxPooling2D: [
    one('global max pooling', () => layers.globalMaxPooling2d({}), image),
    one('global max pooling channels first', () => layers.globalMaxPooling2d({ dataFormat: 'channelsFirst' }), [
      [2, 6, 5],
    ]),
  ],
});
