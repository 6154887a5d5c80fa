import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gaugedTidy, loadOf, memoryGauge } from '../../src/tfjs/memory-gauge.js';
import { largestTensorBytes, watchDispatch, withDeviceErrors } from '../../src/tfjs/webgpu.js';

/** What of a WebGPU backend is looked at; the real one runs in the browser tests. */
class Device extends EventTarget {
  readonly limits = { maxComputeWorkgroupsPerDimension: 100, maxStorageBufferBindingSize: 4000 };
  report(message: string) {
    this.dispatchEvent(Object.assign(new Event('uncapturederror'), { error: new Error(message) }));
  }
}

let before: string;
let device: Device;
const program = (dispatch: number[], dispatchLayout: object) => ({ dispatch, dispatchLayout });
const started: unknown[] = [];
const backend = () => tf.backend() as unknown as { runWebGPUProgram(program: object): void };

beforeEach(async () => {
  before = tf.getBackend();
  device = new Device();
  started.length = 0;
  const runWebGPUProgram = (each: unknown) => started.push(each);
  tf.registerBackend('webgpu', () =>
    Object.assign(new tf.KernelBackend(), { device, runWebGPUProgram, memory: () => ({}), dispose: () => {} }),
  );
  await tf.setBackend('webgpu');
});
afterEach(async () => {
  await tf.setBackend(before);
  tf.removeBackend('webgpu');
});

it('is asked for its largest buffer', async () => {
  expect(largestTensorBytes()).toBe(4000);
  await tf.setBackend(before);
  expect(largestTensorBytes()).toBe(Number.POSITIVE_INFINITY);
});

describe('watchDispatch', () => {
  it('sees the part of the limit in y and z, of programs that tf.js cannot spread otherwise', () => {
    const shares: number[] = [];
    const { runWebGPUProgram } = backend();
    watchDispatch(
      (share) => shares.push(share),
      () => {
        backend().runWebGPUProgram(program([5000, 1, 1], { x: [0, 1] }));
        backend().runWebGPUProgram(program([5000, 50, 20], { x: [2], y: [1], z: [0] }));
        backend().runWebGPUProgram(program([1, 1, 300], { x: [2], z: [0] }));
      },
    );
    expect(shares).toEqual([0.5, 3]);
    expect(started).toHaveLength(3);
    expect(backend().runWebGPUProgram).toBe(runWebGPUProgram);
  });

  it('leaves the backend as it was where the scope throws', () => {
    const { runWebGPUProgram } = backend();
    const failing = () => {
      throw new Error('too much');
    };
    expect(() => watchDispatch(() => {}, failing)).toThrow('too much');
    expect(backend().runWebGPUProgram).toBe(runWebGPUProgram);
  });
});

it('bounds what a gauge allows: twice as much would be too much for the device', () => {
  const gauge = memoryGauge();
  gaugedTidy(gauge, () => void backend().runWebGPUProgram(program([1, 50, 1], { x: [1], y: [0] })));
  expect(gauge.deviceShare).toBe(0.5);
  expect(loadOf(gauge, 1000)).toBe(500);
  expect(loadOf({ ...gauge, peak: 700 }, 1000)).toBe(700);
});

describe('withDeviceErrors', () => {
  it('passes on what was found, and what was thrown', async () => {
    expect(await withDeviceErrors(async () => 7)).toBe(7);
    await expect(withDeviceErrors(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('refuses what was found while the device reported an error, in one line', async () => {
    const failing = withDeviceErrors(async () => {
      device.report('Buffer size exceeds the limit\n - While calling CreateBuffer');
      return 0;
    });
    await expect(failing).rejects.toThrow(
      /^The WebGPU device reported 'Buffer size exceeds the limit - While calling CreateBuffer', [^\n]*: lower memoryMB/,
    );
    device.report('afterwards');
    expect(await withDeviceErrors(async () => 7)).toBe(7);
  });
});
