import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  cut,
  isAboveZero,
  meanOf,
  oneHot,
  pad,
  parts,
  places,
  repeatPixels,
  spreadAxis,
  stridedSlice,
  whereAboveZero,
  withShape,
} from '../../src/tfjs/mended-operations.js';
import { expectClose, transposeOf } from './transpose.js';

it('oneHot gives numbers that count, on every backend', () => {
  tf.tidy(() => {
    const rows = oneHot(tf.tensor1d([2, 0], 'int32'), 3);
    expect(rows.dtype).toBe('float32');
    expect(rows.arraySync()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(tf.mul(rows, 0.5).arraySync()).toEqual([
      [0, 0, 0.5],
      [0.5, 0, 0],
    ]);
  });
});

it('isAboveZero sees the smallest numbers', () => {
  tf.tidy(() => {
    const y = tf.tensor1d([1e30, 1, 1e-6, 1e-7, 1e-8, 1e-20, 1e-37, 0]);
    expect(isAboveZero(y).arraySync()).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
  });
});

it('whereAboveZero keeps what stands where y is above zero, one number for many of y too', () => {
  tf.tidy(() => {
    const y = tf.tensor2d([[0, 1e-20, 3], [2, 0, 0]]); // biome-ignore format: one line
    expect(whereAboveZero(tf.tensor2d([[5, 6, 7], [8, 9, 10]]), y).arraySync()).toEqual([[0, 6, 7], [8, 0, 0]]); // biome-ignore format: one line
    expect(whereAboveZero(tf.tensor2d([[5], [6]]), y).arraySync()).toEqual([[0, 5, 5], [6, 0, 0]]); // biome-ignore format: one line
  });
});

it('meanOf is tf.mean, along some axes or all', () => {
  tf.tidy(() => {
    const x = tf.randomUniform([3, 4, 5], 0, 1, 'float32', 1);
    expect(meanOf(x).shape).toEqual([]);
    for (const [axes, keepDims] of [
      [undefined, false],
      [0, false],
      [[0, 1], true],
      [[1, 2], false],
    ] as const) {
      // biome-ignore format: one line
      const [found, expected] = [meanOf, tf.mean].map((mean) => mean(x, axes as unknown as number[], keepDims));
      expect(found!.shape).toEqual(expected!.shape);
      expectClose(found!, expected!);
    }
  });
});

it('withShape is the tensor itself where nothing changes', () => {
  tf.tidy(() => {
    const x = tf.zeros([2, 3]);
    expect(withShape(x, [2, 3])).toBe(x);
    expect(withShape(x, [3, 2]).shape).toEqual([3, 2]);
  });
});

describe('repeatPixels', () => {
  it('repeats every pixel over its window', () => {
    tf.tidy(() => {
      const image = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
      expect(tf.squeeze(repeatPixels(image, [1, 2])).arraySync()).toEqual([
        [1, 1, 2, 2],
        [3, 3, 4, 4],
      ]);
    });
  });

  it('has the gradient of that, for several images', () => {
    tf.tidy(() => {
      const shape: [number, number, number, number] = [2, 3, 2, 2];
      const repeat = (x: tf.Tensor) => repeatPixels(x as tf.Tensor4D, [2, 3]);
      const delta = tf.randomNormal([2, 6, 6, 2], 0, 1, 'float32', 1);
      expectClose(tf.grad(repeat)(tf.zeros(shape), delta), transposeOf(repeat, shape, delta));
    });
  });
});

it('spreadAxis puts zeros between the entries of an axis, and none behind the last', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    expect(spreadAxis(x, 1, 1)).toBe(x);
    expect(spreadAxis(x, 1, 3).arraySync()).toEqual([
      [1, 0, 0, 2],
      [3, 0, 0, 4],
    ]);
    expect(spreadAxis(x, 0, 2).arraySync()).toEqual([
      [1, 2],
      [0, 0],
      [3, 4],
    ]);
  });
});

describe('stridedSlice', () => {
  const [begin, end, strides] = [
    [0, 1, 0],
    [2, 6, 5],
    [1, 2, 3],
  ];

  it("is tf.js'", () => {
    tf.tidy(() => {
      const x = tf.randomNormal([2, 7, 5], 0, 1, 'float32', 1);
      expect(stridedSlice(x, begin, end, strides).arraySync()).toEqual(
        tf.stridedSlice(x, begin, end, strides).arraySync(),
      );
    });
  });

  it('and has a gradient, which that has not', () => {
    tf.tidy(() => {
      const cut = (x: tf.Tensor) => stridedSlice(x, begin, end, strides);
      const delta = tf.randomNormal([2, 3, 2], 0, 1, 'float32', 2);
      expectClose(tf.grad(cut)(tf.zeros([2, 7, 5]), delta), transposeOf(cut, [2, 7, 5], delta));
      expect(() => tf.grad((x) => tf.stridedSlice(x, begin, end, strides))(tf.zeros([2, 7, 5]), delta)).toThrow();
    });
  });
});

describe.each<[string, [number, number][]]>([
  [
    'no axis',
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'rows',
    [
      [0, 0],
      [1, 2],
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'rows and columns',
    [
      [0, 0],
      [0, 1],
      [2, 1],
      [0, 0],
    ],
  ],
  [
    'samples and channels',
    [
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 2],
    ],
  ],
  [
    'all axes',
    [
      [1, 1],
      [2, 0],
      [0, 3],
      [1, 2],
    ],
  ],
])('%s', (_, zeros) => {
  const shape = [2, 3, 4, 2];
  const larger = shape.map((length, axis) => length + zeros[axis]![0] + zeros[axis]![1]);
  const begin = zeros.map(([before]) => before);

  it('pad is tf.pad, with its gradient', () => {
    tf.tidy(() => {
      const x = tf.randomNormal(shape, 0, 1, 'float32', 1);
      const delta = tf.randomNormal(larger, 0, 1, 'float32', 2);
      expect(pad(x, zeros, -7).arraySync()).toEqual(tf.pad(x, zeros, -7).arraySync());
      expect(
        tf
          .grad((y) => pad(y, zeros))(x, delta)
          .arraySync(),
      ).toEqual(tf.slice(delta, begin, shape).arraySync());
    });
  });

  it('cut is tf.slice, with its gradient', () => {
    tf.tidy(() => {
      const x = tf.randomNormal(larger, 0, 1, 'float32', 1);
      const delta = tf.randomNormal(shape, 0, 1, 'float32', 2);
      expect(cut(x, begin, shape).arraySync()).toEqual(tf.slice(x, begin, shape).arraySync());
      expect(
        tf
          .grad((y) => cut(y, begin, shape))(x, delta)
          .arraySync(),
      ).toEqual(tf.pad(delta, zeros).arraySync());
    });
  });
});

describe.each(['float32', 'int32', 'bool'] as const)('%s: along each axis', (dtype) => {
  const x = () => tf.cast(tf.randomUniform([3, 4, 5], 0, 3, 'int32', 1), dtype);

  it('parts are those of tf.split', () => {
    tf.tidy(() => {
      for (const [axis, lengths] of [
        [1, 2],
        [3, 1],
        [2, 0, 3],
      ].entries()) {
        const found = parts(x(), lengths, axis);
        const split = tf.split(x(), lengths, axis);
        expect(found.map(({ shape, dtype }) => [shape, dtype])).toEqual(split.map(({ shape }) => [shape, dtype]));
        expect(found.map((each) => each.arraySync())).toEqual(split.map((each) => each.arraySync()));
      }
    });
  });

  it('places are those of tf.unstack', () => {
    tf.tidy(() => {
      for (const axis of [0, 1]) {
        expect(places(x(), axis).map((each) => each.arraySync())).toEqual(
          tf.unstack(x(), axis).map((each) => each.arraySync()),
        );
      }
    });
  });
});

it('what is no part of a tensor is refused', () => {
  const x = tf.zeros([2, 3]);
  for (const [begin, size] of [
    [
      [0, 2],
      [2, 3],
    ],
    [
      [0, -1],
      [2, 1],
    ],
    [
      [0, 0],
      [2, -1],
    ],
    [[0], [2]],
  ]) {
    expect(() => cut(x, begin!, size!)).toThrow('no part of [2,3]');
  }
  expect(() => parts(x, [1, 1], 1)).toThrow();
  if (tf.getBackend() === 'cpu') {
    expect(() => parts(x, [1, 2], -1)).toThrow('parts: [1,2] are not the axis -1 of [2,3].');
  }
  x.dispose();
});

it('parts and places have gradients', () => {
  tf.tidy(() => {
    const x = tf.randomNormal([2, 3, 4], 0, 1, 'float32', 1);
    const cubes = (pieces: (y: tf.Tensor) => tf.Tensor[]) =>
      tf.grad((y: tf.Tensor) => tf.addN(pieces(y).map((each, i) => tf.sum(tf.mul(tf.pow(each, 3), i + 1)))));
    for (const [found, right] of [
      [cubes((y) => parts(y, [1, 3], 2)), cubes((y) => tf.split(y, [1, 3], 2))],
      [cubes((y) => places(y, 1)), cubes((y) => tf.unstack(y, 1))],
    ] as const) {
      expect(found(x).arraySync()).toEqual(right(x).arraySync());
    }
  });
});
