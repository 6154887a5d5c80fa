import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { watchKernels } from '../../src/tfjs/kernel-work.js';

/** What is counted of a scope. */
function workOf(scope: () => tf.Tensor): number {
  let all = 0;
  tf.tidy(() =>
    watchKernels((ms) => {
      all += ms;
    }, scope),
  );
  return all;
}

const ns = { cpu: [2_000, 3, 20], wasm: [5_000, 0.1, 2], tensorflow: [60_000, 0.03, 1] }[tf.getBackend()]!;
const [call, product, number] = ns as [number, number, number];

it('counts calls, multiply-adds and numbers', () => {
  const [a, b, c] = [tf.ones([5, 30]), tf.ones([30, 70]), tf.ones([7, 5])];
  const [x, filter] = [tf.ones([2, 9, 9, 4]), tf.ones([3, 3, 4, 6])] as [tf.Tensor4D, tf.Tensor4D];
  const byChannel = tf.ones([3, 3, 4, 1]) as tf.Tensor4D;
  const work = (calls: number, products: number, numbers: number) =>
    (calls * call + products * product + numbers * number) / 1e6;
  expect(workOf(() => tf.add(a, 1))).toBeCloseTo(work(1, 0, 150 + 1 + 150), 10);
  expect(workOf(() => tf.matMul(a, b))).toBeCloseTo(work(1, 5 * 30 * 70, 350), 10);
  expect(workOf(() => tf.matMul(a, c, true, true))).toBeCloseTo(work(1, 30 * 5 * 7, 210), 10);
  expect(workOf(() => tf.conv2d(x, filter, 1, 'valid'))).toBeCloseTo(work(1, 2 * 49 * 6 * 36, 2 * 49 * 6), 10);
  expect(workOf(() => tf.depthwiseConv2d(x, byChannel, 1, 'valid'))).toBeCloseTo(
    work(1, 2 * 49 * 4 * 9, 2 * 49 * 4),
    10,
  );
  const back = tf.ones([3, 3, 6, 4]) as tf.Tensor4D;
  expect(workOf(() => tf.conv2dTranspose(x, back, [2, 11, 11, 6], 1, 'valid'))).toBeCloseTo(
    work(1, 2 * 81 * 4 * 54, 2 * 121 * 6),
    10,
  );
  back.dispose();
  tf.dispose([a, b, c, x, filter, byChannel]);
});

/** wasm has none of these. */
it.skipIf(tf.getBackend() === 'wasm')('counts gradients of filters, and sums over any axes', () => {
  const [x, dy] = [tf.ones([2, 9, 9, 4]), tf.ones([2, 7, 7, 6])];
  const attributes = { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1] };
  const ofFilter = (name: string, delta: tf.Tensor, filterShape: number[]) =>
    workOf(() => tf.engine().runKernel(name, { x, dy: delta }, { ...attributes, filterShape }) as tf.Tensor);
  const work = (products: number, numbers: number) => (call + products * product + numbers * number) / 1e6;
  expect(ofFilter('Conv2DBackpropFilter', dy, [3, 3, 4, 6])).toBeCloseTo(work(2 * 49 * 6 * 36, 216), 10);
  const byChannel = tf.ones([2, 7, 7, 4]);
  expect(ofFilter('DepthwiseConv2dNativeBackpropFilter', byChannel, [3, 3, 4, 1])).toBeCloseTo(
    work(2 * 49 * 4 * 9, 36),
    10,
  );
  const [a, b] = [tf.ones([5, 3]), tf.ones([3, 7])];
  expect(workOf(() => tf.einsum('ij,jk->ik', a, b))).toBeGreaterThanOrEqual(work(5 * 3 * 7, 35) * (1 - 1e-10));
  tf.dispose([x, dy, byChannel, a, b]);
});

it('a name that a tensor gets anew is no work', () => {
  const x = tf.ones([100]);
  expect(workOf(() => tf.reshape(x, [10, 10]))).toBe(0);
  x.dispose();
});

it('counts inside of itself too, hands on what is found, and leaves the engine as it was', () => {
  const engine = tf.engine();
  const { runKernel } = engine;
  const x = tf.ones([100]);
  const seen = [0, 0] as [number, number];
  const found = watchKernels(
    (ms) => {
      seen[0] += ms;
    },
    () =>
      watchKernels(
        (ms) => {
          seen[1] += ms;
        },
        () => tf.split(x, 4),
      ),
  );
  expect(found).toHaveLength(4);
  expect(seen[0]).toBeGreaterThan(0);
  expect(seen[1]).toBe(seen[0]);
  expect(engine.runKernel).toBe(runKernel);
  expect(Object.hasOwn(engine, 'runKernel')).toBe(false);
  tf.dispose([x, found]);
});

it('counts nothing on a GPU', () => {
  const backend = tf.backend() as { isUsingGpuDevice?: boolean };
  const { isUsingGpuDevice } = backend;
  backend.isUsingGpuDevice = true;
  expect(workOf(() => tf.square(tf.ones([3])))).toBe(0);
  backend.isUsingGpuDevice = isUsingGpuDevice!;
});
