import * as tf from '@tensorflow/tfjs-core';
import { watchKernels } from './kernel-work.js';
import { replacing } from './replaced-method.js';
import {
  allocatedBytes,
  bufferBytes,
  largestTensorBytes,
  leavingNothing,
  watchDispatch,
  withinMemory,
} from './webgpu.js';

/** Bytes that a number takes on a GPU, whatever its type. */
export const FLOAT_BYTES = 4;

/**
 * Follows the highest number of tensor bytes above what was there before, or of bytes in buffers of a WebGPU device where these are
 * more, and what a device is asked for at once.
 */
export interface MemoryGauge {
  readonly before: number;
  /** Bytes of buffers allocated before, on WebGPU. */
  readonly allocatedBefore: number;
  /** Beyond so many bytes of buffers, free ones are dropped. */
  readonly mostAllocated: number;
  peak: number;
  /** The largest part of a limit of a WebGPU device that a tensor or an operation takes; 0 on other backends. */
  deviceShare: number;
  /** How long each scope took, one after the other, in the ms of `watchKernels`. */
  readonly steps: number[];
}

/** @param budgetBytes what may be taken beyond what there is. */
export function memoryGauge(budgetBytes = Number.POSITIVE_INFINITY): MemoryGauge {
  const { used, allocated } = bufferBytes();
  const mostAllocated = Math.max(allocated, used + budgetBytes);
  return {
    before: tf.memory().numBytes,
    allocatedBefore: allocated,
    mostAllocated,
    peak: 0,
    deviceShare: 0,
    steps: [],
  };
}

/** Starts again, with what there is now still to be counted. */
export function resetGauge(gauge: MemoryGauge): void {
  gauge.peak = 0;
  gauge.deviceShare = 0;
  gauge.steps.length = 0;
}

/** The peak in bytes; where a limit of the device is nearer than the budget, what takes the same part of the budget. */
export function loadOf({ peak, deviceShare }: MemoryGauge, budgetBytes: number): number {
  return Math.max(peak, deviceShare * budgetBytes);
}

/**
 * `tf.tidy`, with the gauge on. It sees every tensor as it comes to be, also those that are gone when the scope ends: tf.js'
 * gradients and layers tidy up on their own, and what they held meanwhile can be several times what they leave.
 */
export function gaugedTidy<T extends tf.TensorContainer>(gauge: MemoryGauge, scope: () => T): T {
  const engine = tf.engine();
  const { trackTensor } = engine;
  const largest = largestTensorBytes();
  const see = (share: number) => {
    gauge.deviceShare = Math.max(gauge.deviceShare, share);
  };
  const tracked: typeof trackTensor = (tensor, ...others) => {
    trackTensor.call(engine, tensor, ...others);
    gauge.peak = Math.max(gauge.peak, tf.memory().numBytes - gauge.before, allocatedBytes() - gauge.allocatedBefore);
    see((FLOAT_BYTES * tensor.size) / largest);
  };
  let took = 0;
  const watched = () =>
    watchKernels(
      (ms) => {
        took += ms;
      },
      () => watchDispatch(see, () => tf.tidy(scope)),
    );
  try {
    return replacing(engine, 'trackTensor', tracked, () =>
      leavingNothing(() => withinMemory(gauge.mostAllocated, watched)),
    );
  } finally {
    gauge.steps.push(took);
  }
}

/** The same for tensors by number. */
export function gaugedTensors(gauge: MemoryGauge, scope: () => Map<number, tf.Tensor>): Map<number, tf.Tensor> {
  const keys: number[] = [];
  const tensors = gaugedTidy(gauge, () => {
    const found = scope();
    keys.push(...found.keys());
    return [...found.values()];
  });
  return new Map(tensors.map((tensor, i) => [keys[i], tensor]));
}
