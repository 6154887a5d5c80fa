import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { multiplySamples, putBackByWindows, seenByWindows, type Windows } from '../../src/tfjs/wasm-memory.js';
import { expectClose, transposeOf } from './transpose.js';

describe.skipIf(tf.getBackend() !== 'wasm')('in the memory of the wasm backend', () => {
  it('multiplySamples is the product of each sample, with its gradients', () => {
    tf.tidy(() => {
      const a = tf.randomNormal([5, 3, 4], 0, 1, 'float32', 1) as tf.Tensor3D;
      const b = tf.randomNormal([5, 4, 6], 0, 1, 'float32', 2) as tf.Tensor3D;
      expectClose(multiplySamples(a, b), tf.matMul(a, b));
      const delta = tf.randomNormal([5, 3, 6], 0, 1, 'float32', 3);
      const [found, plain] = [multiplySamples, (l: tf.Tensor3D, r: tf.Tensor3D) => tf.matMul(l, r)].map((f) =>
        tf.grads((l, r) => f(l as tf.Tensor3D, r as tf.Tensor3D))([a, b], delta),
      );
      found!.forEach((gradient, i) => {
        expectClose(gradient, plain![i]!);
      });
    });
  });

  it('multiplySamples leaves its factors as they are, and nothing behind', () => {
    const before = tf.memory();
    const dataBefore = tf.backend().numDataIds();
    const [a, b] = [tf.ones([4, 2, 3]), tf.ones([4, 3, 5])] as [tf.Tensor3D, tf.Tensor3D];
    const products = Array.from({ length: 20 }, () => multiplySamples(a, b));
    for (const product of products) {
      expect(product.dataSync()).toEqual(new Float32Array(40).fill(3));
    }
    expect([a, b].map((x) => x.dataSync().every((value) => value === 1))).toEqual([true, true]);
    tf.dispose([a, b, ...products]);
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
    expect(tf.backend().numDataIds()).toBe(dataBefore);
  });

  const cases: [string, Windows][] = [
    ['side by side', { size: [2, 3], strides: [2, 3], dilation: [1, 1], before: [0, 0], positions: [3, 2] }],
    ['overlapping', { size: [3, 2], strides: [1, 1], dilation: [1, 1], before: [0, 0], positions: [4, 5] }],
    ['with zeros on all sides', { size: [3, 4], strides: [2, 2], dilation: [1, 1], before: [1, 2], positions: [4, 4] }],
    ['dilated', { size: [2, 2], strides: [1, 2], dilation: [3, 2], before: [1, 1], positions: [4, 3] }],
  ];

  it.each(cases)('seenByWindows sees the image and zeros around it: %s', (_, windows) => {
    const [samples, height, width, channels] = [2, 6, 6, 3];
    tf.tidy(() => {
      const x = tf.randomNormal([samples, height, width, channels], 0, 1, 'float32', 1) as tf.Tensor4D;
      const image = x.arraySync();
      const { size, strides, dilation, before, positions } = windows;
      const axis = (length: number) => Array.from({ length }, (_, i) => i);
      const expected = axis(samples).map((n) =>
        axis(positions[0]).flatMap((y) =>
          axis(positions[1]).map((left) =>
            axis(size[0]).flatMap((i) =>
              axis(size[1]).flatMap((j) => {
                const row = y * strides[0] + i * dilation[0] - before[0];
                const column = left * strides[1] + j * dilation[1] - before[1];
                return image[n]![row]?.[column] ?? axis(channels).map(() => 0);
              }),
            ),
          ),
        ),
      );
      expect(seenByWindows(x, windows).arraySync()).toEqual(expected);
    });
  });

  it.each(cases)('putBackByWindows is its transpose, and each is the gradient of the other: %s', (_, windows) => {
    const shape: [number, number, number, number] = [2, 6, 6, 2];
    tf.tidy(() => {
      const see = (x: tf.Tensor) => seenByWindows(x as tf.Tensor4D, windows);
      const x = tf.randomNormal(shape, 0, 1, 'float32', 1) as tf.Tensor4D;
      const delta = tf.randomNormal(see(x).shape, 0, 1, 'float32', 2) as tf.Tensor3D;
      expectClose(putBackByWindows(delta, shape, windows), transposeOf(see, shape, delta));
      expectClose(tf.grad(see)(x, delta), putBackByWindows(delta, shape, windows));
      const putBack = (seen: tf.Tensor) => putBackByWindows(seen as tf.Tensor3D, shape, windows);
      expectClose(tf.grad(putBack)(delta, x), see(x));
    });
  });
});
