import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach } from 'vitest';

/** What of a WebGPU backend is looked at; the real one runs in the browser tests. */
export class Device extends EventTarget {
  readonly limits = {
    maxBufferSize: 2 ** 30,
    maxComputeWorkgroupsPerDimension: 100,
    maxStorageBufferBindingSize: 4000,
  };
  readonly #late: string[] = [];
  lose = () => {};
  readonly lost = new Promise<void>((go) => {
    this.lose = go;
  });
  pushErrorScope() {}
  async popErrorScope() {
    for (const message of this.#late.splice(0)) {
      this.report(message);
    }
    return null;
  }
  /** Reports when the numbers that were read afterwards are there already, as Chromium does at times. */
  reportLate(message: string) {
    this.#late.push(message);
  }
  report(message: string) {
    // Who asks an event for its error may get one made anew.
    this.dispatchEvent(Object.defineProperty(new Event('uncapturederror'), 'error', { get: () => ({ message }) }));
  }
}

interface Buffer {
  readonly size: number;
  destroy(): void;
}

/** Buffers by tf.js' rules: released ones serve later tensors of the same size. */
export class BufferManager {
  readonly freeBuffers = new Map<string, Buffer[]>();
  numFreeBuffers = 0;
  numBytesUsed = 0;
  numBytesAllocated = 0;
  peak = 0;
  readonly destroyed: number[] = [];
  acquireBuffer(size: number, usage: number): Buffer {
    const free = this.freeBuffers.get(`${size}_${usage}`) ?? [];
    this.freeBuffers.set(`${size}_${usage}`, free);
    this.numBytesUsed += size;
    if (free.length > 0) {
      this.numFreeBuffers--;
      return free.pop() as Buffer;
    }
    this.numBytesAllocated += size;
    this.peak = Math.max(this.peak, this.numBytesAllocated);
    return { size, destroy: () => this.destroyed.push(size) };
  }
  release(buffer: Buffer, usage: number) {
    this.numBytesUsed -= buffer.size;
    this.numFreeBuffers++;
    this.freeBuffers.get(`${buffer.size}_${usage}`)?.push(buffer);
  }
}

export interface FakeBackend {
  device: Device;
  bufferManager: BufferManager;
  commandEncoder: object | null;
  submits: number;
  readonly started: unknown[];
  /** The data that is there. */
  readonly there: Set<object>;
  runWebGPUProgram(program: object): void;
  makeTensorInfo(...of: unknown[]): { dataId: object };
}

/** Lets tf.js compute on a backend called 'webgpu' in each test of a file. @returns that backend, and the name of the one before. */
export function onFakeWebGpu(): { readonly backend: FakeBackend; readonly before: string } {
  const found = {} as { backend: FakeBackend; before: string };
  beforeEach(async () => {
    found.before = tf.getBackend();
    const started: unknown[] = [];
    const there = new Set<object>();
    const fake = {
      device: new Device(),
      bufferManager: new BufferManager(),
      commandEncoder: null as object | null,
      submits: 0,
      started,
      there,
      endComputePassEncoder() {},
      submitQueue() {
        this.commandEncoder = null;
        this.submits++;
      },
      runWebGPUProgram: (each: unknown) => void started.push(each),
      makeTensorInfo() {
        const dataId = {};
        there.add(dataId);
        return { dataId };
      },
      refCount: (dataId: object) => (there.has(dataId) ? 1 : 0),
      disposeData: (dataId: object) => there.delete(dataId),
      memory: () => ({}),
      dispose: () => {},
    };
    const backend = Object.assign(new tf.KernelBackend(), fake);
    found.backend = backend as unknown as FakeBackend;
    tf.registerBackend('webgpu', () => backend);
    await tf.setBackend('webgpu');
  });
  afterEach(async () => {
    await tf.setBackend(found.before);
    tf.removeBackend('webgpu');
  });
  return found;
}
