import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/network/layers/operation.js';
import {
  fitTo,
  type PoolingLayer,
  poolingRule,
  type Windows,
  windowGrid,
} from '../../../src/network/layers/pooling-windows.js';

describe('windowGrid', () => {
  it.each<[string, Windows, ReturnType<typeof windowGrid>]>([
    [
      'that fit',
      { size: [2, 2], strides: [2, 2], padding: 'valid' },
      { outHeight: 2, outWidth: 3, top: 0, left: 0, below: 0, right: 0 },
    ],
    [
      'that reach beyond on all sides',
      { size: [3, 3], strides: [1, 1], padding: 'same' },
      { outHeight: 5, outWidth: 6, top: 1, left: 1, below: 1, right: 1 },
    ],
    [
      'that reach beyond the end alone',
      { size: [2, 4], strides: [2, 4], padding: 'same' },
      { outHeight: 3, outWidth: 2, top: 0, left: 1, below: 1, right: 1 },
    ],
  ])('says where windows lie %s', (_, windows, grid) => {
    expect(windowGrid([1, 5, 6, 2], windows)).toEqual(grid);
  });
});

describe('fitTo', () => {
  const x = () =>
    tf.tensor4d(
      [
        [1, 2],
        [3, 4],
      ].flat(),
      [1, 2, 2, 1],
    );
  const rows = (y: tf.Tensor4D) => (tf.squeeze(y, [0, 3]) as tf.Tensor2D).arraySync();

  it.each<[string, [number, number], number, number, number[][]]>([
    [
      'as it is',
      [2, 2],
      0,
      0,
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['cut in front', [1, 1], 1, 1, [[4]]],
    ['cut behind', [2, 1], 0, 0, [[1], [3]]],
    [
      'filled in front',
      [3, 2],
      -1,
      0,
      [
        [0, 0],
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'cut in front, filled behind',
      [2, 2],
      1,
      1,
      [
        [4, 0],
        [0, 0],
      ],
    ],
  ])('gives the image %s', (_, size, top, left, expected) => {
    tf.tidy(() => {
      expect(rows(fitTo(x(), size, top, left))).toEqual(expected);
    });
  });
});

describe('poolingRule', () => {
  /** What the pooling of images is told, and its images. */
  const seen: { windows: Windows; image: number[]; back: number[]; size: number[] }[] = [];
  const { flat, volume } = poolingRule(
    (layer, view, windows): Operation => ({
      layer,
      description: 'pooling',
      scale: 'ties',
      piecewiseLinear: true,
      parameters: [],
      forward([x]) {
        const image = view.toImage(x!);
        const output = view.fromImage(image, x!.shape);
        seen.push({ windows, image: image.shape, back: output.shape, size: view.size(x!.shape) });
        return { output, saved: [] };
      },
      backward: (_call, delta) => [delta],
    }),
  );
  const layerOf = (layer: tfl.layers.Layer) => layer as PoolingLayer;
  const none = () => {
    throw new Error('pooling has no weights');
  };
  const run = (operations: Operation[], shape: number[]) => {
    seen.length = 0;
    tf.tidy(() => {
      operations.reduce((x, { forward }) => forward([x]).output, tf.ones(shape));
    });
    return seen;
  };

  it('takes a sequence for images of width 1', () => {
    const layer = layerOf(tfl.layers.maxPooling1d({ poolSize: 3, strides: 2 }));
    expect(run(flat(layer, none), [2, 7, 4])).toEqual([
      {
        windows: { size: [3, 1], strides: [2, 1], padding: 'valid' },
        image: [2, 7, 1, 4],
        back: [2, 7, 4],
        size: [7, 1],
      },
    ]);
  });

  it('takes an image as it is, with its channels put last', () => {
    const layer = layerOf(tfl.layers.maxPooling2d({ poolSize: [2, 3], padding: 'same', dataFormat: 'channelsFirst' }));
    expect(run(flat(layer, none), [2, 4, 5, 6])).toEqual([
      {
        windows: { size: [2, 3], strides: [2, 3], padding: 'same' },
        image: [2, 5, 6, 4],
        back: [2, 5, 6, 4],
        size: [5, 6],
      },
    ]);
  });

  it('takes a volume slice by slice, and then along the depth', () => {
    const layer = layerOf(tfl.layers.maxPooling3d({ poolSize: [4, 2, 3] }));
    expect(run(volume(layer, none), [2, 8, 5, 6, 4])).toEqual([
      {
        windows: { size: [2, 3], strides: [2, 3], padding: 'valid' },
        image: [16, 5, 6, 4],
        back: [2, 8, 5, 6, 4],
        size: [5, 6],
      },
      {
        windows: { size: [4, 1], strides: [4, 1], padding: 'valid' },
        image: [2, 8, 30, 4],
        back: [2, 8, 5, 6, 4],
        size: [8, 30],
      },
    ]);
  });
});
