import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gaugedTidy, loadOf, memoryGauge } from '../../src/tfjs/memory-gauge.js';
import {
  allocatedBytes,
  bufferBytes,
  dropFreeBuffers,
  largestBufferBytes,
  largestTensorBytes,
  leavingNothing,
  watchDispatch,
  webGpuDevice,
  withinMemory,
} from '../../src/tfjs/webgpu.js';
import { onFakeWebGpu } from './fake-webgpu.js';

const fake = onFakeWebGpu();
const program = (dispatch: number[], dispatchLayout: object) => ({ dispatch, dispatchLayout });
const USAGE = 140;

it('is asked for its largest buffer, and the largest part of one that an operation sees', async () => {
  expect(largestTensorBytes()).toBe(4000);
  expect(largestBufferBytes()).toBe(2 ** 30);
  expect(webGpuDevice()).toBe(fake.backend.device);
  await tf.setBackend(fake.before);
  expect(largestTensorBytes()).toBe(Number.POSITIVE_INFINITY);
  expect(largestBufferBytes()).toBe(null);
  expect(webGpuDevice()).toBe(null);
});

describe('watchDispatch', () => {
  it('sees the part of the limit in y and z, of programs that tf.js cannot spread otherwise', () => {
    const shares: number[] = [];
    const { runWebGPUProgram } = fake.backend;
    watchDispatch(
      (share) => shares.push(share),
      () => {
        fake.backend.runWebGPUProgram(program([5000, 1, 1], { x: [0, 1] }));
        fake.backend.runWebGPUProgram(program([5000, 50, 20], { x: [2], y: [1], z: [0] }));
        fake.backend.runWebGPUProgram(program([1, 1, 300], { x: [2], z: [0] }));
      },
    );
    expect(shares).toEqual([0.5, 3]);
    expect(fake.backend.started).toHaveLength(3);
    expect(fake.backend.runWebGPUProgram).toBe(runWebGPUProgram);
  });

  it('leaves the backend as it was where the scope throws', () => {
    const { runWebGPUProgram } = fake.backend;
    const failing = () => {
      throw new Error('too much');
    };
    expect(() => watchDispatch(() => {}, failing)).toThrow('too much');
    expect(fake.backend.runWebGPUProgram).toBe(runWebGPUProgram);
  });
});

it('bounds what a gauge allows: twice as much would be too much for the device', () => {
  const gauge = memoryGauge();
  gaugedTidy(gauge, () => void fake.backend.runWebGPUProgram(program([1, 50, 1], { x: [1], y: [0] })));
  expect(gauge.deviceShare).toBe(0.5);
  expect(loadOf(gauge, 1000)).toBe(500);
  expect(loadOf({ ...gauge, peak: 700 }, 1000)).toBe(700);
});

describe('buffers', () => {
  it('are counted once what is disposed of has been handed in', async () => {
    const { bufferManager } = fake.backend;
    bufferManager.release(bufferManager.acquireBuffer(70, USAGE), USAGE);
    bufferManager.acquireBuffer(30, USAGE);
    fake.backend.commandEncoder = {};
    expect(bufferBytes()).toEqual({ used: 30, allocated: 100 });
    expect(fake.backend.submits).toBe(1);
    expect(bufferBytes()).toEqual({ used: 30, allocated: 100 });
    expect(fake.backend.submits).toBe(1);
    expect(allocatedBytes()).toBe(100);
    await tf.setBackend(fake.before);
    expect(bufferBytes()).toEqual({ used: 0, allocated: 0 });
    expect(allocatedBytes()).toBe(0);
  });

  it('that are free are dropped, and those in use stay', () => {
    const { bufferManager } = fake.backend;
    for (const size of [40, 10, 40]) {
      bufferManager.release(bufferManager.acquireBuffer(size, USAGE), USAGE);
    }
    bufferManager.acquireBuffer(500, USAGE);
    dropFreeBuffers();
    expect(bufferManager.destroyed.sort()).toEqual([10, 40]);
    expect(bufferManager).toMatchObject({ numBytesAllocated: 500, numBytesUsed: 500, numFreeBuffers: 0 });
    // tf.js looks its lists up by size without asking whether they are there.
    expect(bufferManager.freeBuffers.get(`40_${USAGE}`)).toEqual([]);
  });

  it('stay within a limit: the largest free ones go before a new one comes, and none where a free one serves', () => {
    const { bufferManager } = fake.backend;
    const { acquireBuffer } = bufferManager;
    const use = (size: number) => bufferManager.release(bufferManager.acquireBuffer(size, USAGE), USAGE);
    withinMemory(100, () => {
      for (const size of [60, 30, 60, 30, 50, 20, 30]) {
        use(size);
      }
    });
    expect(bufferManager.destroyed).toEqual([60]);
    expect(bufferManager.peak).toBe(100);
    expect(bufferManager.numBytesAllocated).toBe(100);
    expect(bufferManager.acquireBuffer).toBe(acquireBuffer);
    // What is in use cannot go.
    withinMemory(100, () => bufferManager.acquireBuffer(300, USAGE));
    expect(bufferManager.numBytesAllocated).toBe(300);
  });

  it('are what a gauge measures, and what it bounds', () => {
    const { bufferManager } = fake.backend;
    bufferManager.release(bufferManager.acquireBuffer(70, USAGE), USAGE);
    const gauge = memoryGauge(100);
    expect(gauge).toMatchObject({ allocatedBefore: 70, mostAllocated: 100 });
    gaugedTidy(gauge, () => {
      bufferManager.release(bufferManager.acquireBuffer(90, USAGE), USAGE);
    });
    expect(bufferManager.numBytesAllocated).toBe(90);
    expect(memoryGauge(5).mostAllocated).toBe(90);
    expect(memoryGauge().mostAllocated).toBe(Number.POSITIVE_INFINITY);
  });
});

it('drops what an operation that throws has made, of which the engine does not know', () => {
  const { makeTensorInfo } = fake.backend;
  const kept = leavingNothing(() => fake.backend.makeTensorInfo());
  const failing = () => {
    fake.backend.makeTensorInfo();
    throw new Error('Dispatch size exceeds WebGPU limits');
  };
  expect(() => leavingNothing(failing)).toThrow('Dispatch size');
  expect([...fake.backend.there]).toEqual([kept.dataId]);
  expect(fake.backend.makeTensorInfo).toBe(makeTensorInfo);
});
