import * as tf from '@tensorflow/tfjs-core';
import { lineOf } from '../warnings.js';
import { backendName } from './backend.js';
import { dropFreeBuffers, type WebGpuDevice, webGpuDevice } from './webgpu.js';

/** Fields of tf.js' WebGL backend, as far as they are used here. */
interface WebGlBackend {
  readonly gpgpu: {
    readonly gl: { readonly OUT_OF_MEMORY: number; isContextLost(): boolean; getError(): number } | null;
  };
}

/** What a device reports is no Error, but has a message as well. */
type Reported = { readonly message: string };

/** A run that listens to a device's errors. */
interface Run {
  readonly device: WebGpuDevice;
  /** Whether it was the only one all the time. */
  isAlone: boolean;
}

const running = new Set<Run>();
/** Errors after which what they may have spoilt was computed again. */
const madeGood = new WeakSet<Reported>();

/** What a device reports, for as long as somebody listens. */
interface Listening {
  readonly errors: Reported[];
  stop(): void;
}

/** Everybody who listens to a device, and the one listener of all: a device may make the same error anew for each that it tells. */
const listening = new Map<WebGpuDevice, { readonly all: Set<Reported[]>; readonly stop: () => void }>();

function listenTo(device: WebGpuDevice | null): Listening {
  const errors: Reported[] = [];
  if (!device) {
    return { errors, stop() {} };
  }
  const { all, stop } = listening.get(device) ?? listenersOf(device);
  all.add(errors);
  return {
    errors,
    stop() {
      all.delete(errors);
      if (all.size === 0) {
        stop();
      }
    },
  };
}

function listenersOf(device: WebGpuDevice) {
  const all = new Set<Reported[]>();
  const listen = ({ error: { message } }: { readonly error: Reported }) => {
    const reported = { message };
    for (const errors of all) {
      errors.push(reported);
    }
  };
  device.addEventListener('uncapturederror', listen);
  const stop = () => {
    device.removeEventListener('uncapturederror', listen);
    listening.delete(device);
  };
  const found = { all, stop };
  listening.set(device, found);
  return found;
}

/**
 * Runs something that computes on a GPU. A WebGPU device reports errors (no memory left, a buffer too large) as events: tf.js
 * does not listen, and goes on with zeros; so it does when WebGL has lost its context.
 *
 * @param signal whose reason is passed on at once.
 * @throws Error with one line where the device has reported an error meanwhile after which nobody has computed anew
 *   (`deviceErrors`), and where it is lost, or WebGL's context.
 */
export async function withDeviceErrors<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const device = webGpuDevice();
  if (!device) {
    const result = await run();
    checkContext();
    return result;
  }
  const others = [...running].filter((each) => each.device === device);
  const own: Run = { device, isAlone: others.length === 0 };
  for (const other of others) {
    other.isAlone = false;
  }
  running.add(own);
  const { errors, stop } = listenTo(device);
  try {
    const result = await run();
    await hearOut(device);
    // Who has computed anew may have taken an error for its own that was somebody else's.
    const broken = errors.find((error) => !(own.isAlone && madeGood.has(error)));
    if (broken) {
      throw new Error(refusalOf(broken));
    }
    return result;
  } catch (error) {
    // It runs no longer: what is begun meanwhile is alone.
    running.delete(own);
    const isReason = signal?.aborted && error === signal.reason;
    throw !isReason && (await isLost(device, error)) ? new Error(lossOf('WebGPU device')) : error;
  } finally {
    stop();
    running.delete(own);
  }
}

/** Errors of the device that computes, for one who runs again what they may have spoilt. */
export interface DeviceErrors {
  /**
   * Whether none was reported since this was asked the last time, of all that has been started until now.
   *
   * @throws Error with one line where there was one, which counts as made good for then: who asked computes again, or fails. Also
   *   where WebGL's context is gone or ran out of memory.
   */
  check(): Promise<void>;
  stop(): void;
}

export function deviceErrors(): DeviceErrors {
  const device = webGpuDevice();
  const { errors, stop } = listenTo(device);
  return {
    async check() {
      await hearOut(device);
      const [first] = errors;
      if (first) {
        for (const error of errors.splice(0)) {
          madeGood.add(error);
        }
        // Buffers that could not be made are among those that tf.js keeps for later.
        dropFreeBuffers();
        throw new Error(refusalOf(first));
      }
      checkContext();
      const gl = webGl();
      if (gl?.getError() === gl?.OUT_OF_MEMORY && gl) {
        throw new Error('WebGL ran out of memory: lower memoryMB, or give fewer samples at once.');
      }
    },
    stop,
  };
}

/**
 * Until all that a device has to report of what was started before has been told. The event of an error may come later than the
 * numbers that were read after what caused it, but not later than the end of an error scope, which does not wait for the GPU.
 */
async function hearOut(device: WebGpuDevice | null): Promise<void> {
  device?.pushErrorScope('validation');
  await device?.popErrorScope();
}

/** @throws Error with one line where the GPU has lost all tensors, the model's own included. */
export function checkContext(): void {
  if (webGl()?.isContextLost()) {
    throw new Error(lossOf('WebGL context'));
  }
}

function webGl() {
  return backendName() === 'webgl' ? (tf.backend() as unknown as WebGlBackend).gpgpu.gl : null;
}

/** Whether the device is lost. What waits for it then fails with an AbortError before the loss is told; what comes later, in any way. */
async function isLost({ lost }: WebGpuDevice, error: unknown): Promise<boolean> {
  const isAborted = (error as Error | undefined)?.name === 'AbortError';
  return Promise.race([lost.then(() => true), passed(isAborted ? 100 : 0).then(() => false)]);
}

const lossOf = (what: string) =>
  `The ${what} is lost, and with it the weights of the model: load it again, on a page loaded anew.`;

const passed = (milliseconds: number) => new Promise<void>((go) => setTimeout(go, milliseconds));

function refusalOf({ message }: Reported): string {
  return `The WebGPU device reported '${lineOf(message)}', so that what it computed cannot be trusted: lower memoryMB, or give fewer samples at once.`;
}
