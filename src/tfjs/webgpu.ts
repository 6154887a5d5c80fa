import * as tf from '@tensorflow/tfjs-core';
import { lineOf } from '../warnings.js';
import { backendName } from './backend.js';

/** Fields of tf.js' WebGPU backend, as far as they are used here. */
interface WebGpuBackend {
  readonly device: {
    readonly limits: {
      readonly maxComputeWorkgroupsPerDimension: number;
      readonly maxStorageBufferBindingSize: number;
    };
    addEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
    removeEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
  };
  runWebGPUProgram(program: WebGpuProgram, ...others: unknown[]): unknown;
}

interface WebGpuProgram {
  readonly dispatch: readonly [number, number, number];
  /** Axes of the output that are spread over y and z; without these, tf.js may cut what is too long for x. */
  readonly dispatchLayout: { readonly y?: readonly number[]; readonly z?: readonly number[] };
}

/** The backend, where it is WebGPU. */
const webGpu = () => (backendName() === 'webgpu' ? (tf.backend() as unknown as WebGpuBackend) : null);

/**
 * The bytes that a tensor may take: those of a WebGPU device's largest buffer, any number on other backends. In the place of a larger
 * one tf.js goes on with zeros.
 */
export function largestTensorBytes(): number {
  return webGpu()?.device.limits.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY;
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
  backend.runWebGPUProgram = (program, ...others) => {
    const { dispatch, dispatchLayout } = program;
    if (dispatchLayout.y || dispatchLayout.z) {
      look(Math.max(dispatch[1], dispatch[2]) / limit);
    }
    return runWebGPUProgram.call(backend, program, ...others);
  };
  try {
    return scope();
  } finally {
    backend.runWebGPUProgram = runWebGPUProgram;
  }
}

/**
 * Runs something that computes on WebGPU, where the device reports errors (no memory left, a buffer too large) as events: tf.js
 * does not listen, and goes on with zeros.
 *
 * @throws Error with one line where the device has reported an error meanwhile.
 */
export async function withDeviceErrors<T>(run: () => Promise<T>): Promise<T> {
  const backend = webGpu();
  if (!backend) {
    return run();
  }
  const { device } = backend;
  const reported: string[] = [];
  const listen = ({ error }: { readonly error: Error }) => {
    reported.push(lineOf(error));
  };
  device.addEventListener('uncapturederror', listen);
  try {
    const result = await run();
    if (reported.length > 0) {
      throw new Error(
        `The WebGPU device reported '${reported[0]}', so that what it computed cannot be trusted: lower memoryMB, or give fewer samples at once.`,
      );
    }
    return result;
  } finally {
    device.removeEventListener('uncapturederror', listen);
  }
}
