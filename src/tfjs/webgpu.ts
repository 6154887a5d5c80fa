import * as tf from '@tensorflow/tfjs-core';
import { backendName } from './backend.js';
import { replacing } from './replaced-method.js';

/** Fields of tf.js' WebGPU backend, as far as they are used here. */
interface WebGpuBackend {
  readonly device: WebGpuDevice;
  readonly bufferManager: BufferManager;
  readonly commandEncoder: object | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
  runWebGPUProgram(program: WebGpuProgram, ...others: unknown[]): unknown;
  makeTensorInfo(...of: unknown[]): { readonly dataId: object };
  refCount(dataId: object): number;
  disposeData(dataId: object, force: boolean): boolean;
}

/** The device, as far as it is used here. */
export interface WebGpuDevice {
  readonly limits: {
    readonly maxBufferSize: number;
    readonly maxComputeWorkgroupsPerDimension: number;
    readonly maxStorageBufferBindingSize: number;
  };
  addEventListener(
    type: 'uncapturederror',
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
  removeEventListener(
    type: 'uncapturederror',
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
  pushErrorScope(filter: 'validation'): void;
  popErrorScope(): Promise<unknown>;
  readonly lost: Promise<unknown>;
}

interface GpuBuffer {
  readonly size: number;
  destroy(): void;
}

/** tf.js keeps buffers whose tensors are gone, for tensors of the very same size. */
interface BufferManager {
  /** By size and use. Their keys have to stay. */
  readonly freeBuffers: Map<string, GpuBuffer[]>;
  numFreeBuffers: number;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  acquireBuffer(size: number, usage: number, ...others: unknown[]): GpuBuffer;
}

interface WebGpuProgram {
  readonly dispatch: readonly [number, number, number];
  /** Axes of the output that are spread over y and z; without these, tf.js may cut what is too long for x. */
  readonly dispatchLayout: { readonly y?: readonly number[]; readonly z?: readonly number[] };
}

/** The backend, where it is WebGPU. */
const webGpu = () => (backendName() === 'webgpu' ? (tf.backend() as unknown as WebGpuBackend) : null);

/** The device, where WebGPU computes. */
export function webGpuDevice(): WebGpuDevice | null {
  return webGpu()?.device ?? null;
}

/** The bytes of the largest buffer that a WebGPU device makes; null on other backends. */
export function largestBufferBytes(): number | null {
  return webGpu()?.device.limits.maxBufferSize ?? null;
}

/**
 * The bytes that a tensor may take: those of a WebGPU device's largest buffer, any number on other backends. In the place of a larger
 * one tf.js goes on with zeros.
 */
export function largestTensorBytes(): number {
  const { maxBufferSize = Number.POSITIVE_INFINITY, maxStorageBufferBindingSize = Number.POSITIVE_INFINITY } =
    webGpu()?.device.limits ?? {};
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/**
 * Runs a scope and looks at the programs that it starts on WebGPU, where a device takes so many workgroups along an axis, at least
 * 65,535. Nothing is looked at on other backends.
 *
 * @param look given the part of that limit that a program takes, in the y and z axes: beyond 1, tf.js throws.
 */
export function watchDispatch<T>(look: (share: number) => void, scope: () => T): T {
  const backend = webGpu();
  if (!backend) {
    return scope();
  }
  const { runWebGPUProgram } = backend;
  const limit = backend.device.limits.maxComputeWorkgroupsPerDimension;
  const looked: WebGpuBackend['runWebGPUProgram'] = (program, ...others) => {
    const { dispatch, dispatchLayout } = program;
    if (dispatchLayout.y || dispatchLayout.z) {
      look(Math.max(dispatch[1], dispatch[2]) / limit);
    }
    return runWebGPUProgram.call(backend, program, ...others);
  };
  return replacing(backend, 'runWebGPUProgram', looked, scope);
}

/** Bytes of the buffers that tf.js holds on a WebGPU device. */
export interface BufferBytes {
  /** Of those that tensors have. */
  readonly used: number;
  /** Of all, the ones that it keeps for later tensors included. */
  readonly allocated: number;
}

/** Those of now; 0 on other backends. What has been disposed of counts until its last command has been handed in: it is, here. */
export function bufferBytes(): BufferBytes {
  const backend = webGpu();
  if (!backend) {
    return { used: 0, allocated: 0 };
  }
  handIn(backend);
  return { used: backend.bufferManager.numBytesUsed, allocated: backend.bufferManager.numBytesAllocated };
}

/** Those allocated, without handing anything in. */
export function allocatedBytes(): number {
  return webGpu()?.bufferManager.numBytesAllocated ?? 0;
}

/** Hands in the commands that tf.js has collected. */
function handIn(backend: WebGpuBackend): void {
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}

/** Drops the buffers that tf.js keeps on a WebGPU device for later tensors. Nothing happens on other backends. */
export function dropFreeBuffers(): void {
  const backend = webGpu();
  if (backend) {
    handIn(backend);
    dropUntil(backend.bufferManager, 0);
  }
}

/** Drops buffers that are free, the largest first, until so many bytes are allocated. */
function dropUntil(manager: BufferManager, bytes: number): void {
  if (manager.numBytesAllocated <= bytes) {
    return;
  }
  const bySize = [...manager.freeBuffers.values()]
    .filter((buffers) => buffers.length > 0)
    .sort(([a], [b]) => b.size - a.size);
  for (const buffers of bySize) {
    while (buffers.length > 0 && manager.numBytesAllocated > bytes) {
      const buffer = buffers.pop() as GpuBuffer;
      buffer.destroy();
      manager.numFreeBuffers--;
      manager.numBytesAllocated -= buffer.size;
    }
  }
}

/**
 * Runs a scope in which tf.js makes a new buffer on a WebGPU device only after dropping free ones that would take it beyond a limit:
 * it keeps every size that there ever was, which adds up.
 */
export function withinMemory<T>(bytes: number, scope: () => T): T {
  const manager = webGpu()?.bufferManager;
  if (!manager || bytes === Number.POSITIVE_INFINITY) {
    return scope();
  }
  const { acquireBuffer } = manager;
  const limited: BufferManager['acquireBuffer'] = (size, usage, ...others) => {
    if (!manager.freeBuffers.get(`${size}_${usage}`)?.length) {
      dropUntil(manager, Math.max(0, bytes - size));
    }
    return acquireBuffer.call(manager, size, usage, ...others);
  };
  return replacing(manager, 'acquireBuffer', limited, scope);
}

/**
 * Runs a scope, all of whose tensors are gone when it throws. On WebGPU an operation that throws keeps the buffer of its result,
 * and of what it made on the way, of which tf.js' engine has not heard.
 */
export function leavingNothing<T>(scope: () => T): T {
  const backend = webGpu();
  if (!backend) {
    return scope();
  }
  const made: object[] = [];
  const { makeTensorInfo } = backend;
  const noted: WebGpuBackend['makeTensorInfo'] = (...of) => {
    const info = makeTensorInfo.apply(backend, of);
    made.push(info.dataId);
    return info;
  };
  try {
    return replacing(backend, 'makeTensorInfo', noted, scope);
  } catch (error) {
    const { tensorInfo } = tf.engine().state as unknown as { readonly tensorInfo: WeakMap<object, unknown> };
    for (const dataId of made) {
      if (!tensorInfo.has(dataId) && backend.refCount(dataId) > 0) {
        backend.disposeData(dataId, true);
      }
    }
    throw error;
  }
}
