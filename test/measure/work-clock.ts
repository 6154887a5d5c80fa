import * as tf from '@tensorflow/tfjs-core';
import { vi } from 'vitest';
import { watchKernels } from '../../src/tfjs/kernel-work.js';
import { nextTurn } from '../../src/traces/event-loop.js';

/** A clock that shows the work that kernels have done, in the ms of `watchKernels`: the same in every run, on any machine. */
export interface WorkClock {
  /** What was done so far. */
  readonly ms: number;
  /** What was done at each turn of the event loop that was asked for. */
  readonly turns: readonly number[];
  /** Called at each turn, with its number. */
  onTurn: (turn: number) => void;
  stop(): void;
}

/** Starts it, in place of `performance.now`, with a turn of the event loop. */
export async function workClock(): Promise<WorkClock> {
  const engine = tf.engine();
  const original = engine.runKernel;
  let ms = 0;
  engine.runKernel = function counted(...call: Parameters<typeof original>) {
    const present = engine.runKernel;
    engine.runKernel = original;
    try {
      return watchKernels(
        (took) => {
          ms += took;
        },
        () => engine.runKernel(...call),
      );
    } finally {
      engine.runKernel = present;
    }
  } as typeof original;
  const turns: number[] = [];
  const clock = {
    get ms() {
      return ms;
    },
    turns,
    onTurn: (_turn: number) => {},
    stop() {
      engine.runKernel = original;
      vi.unstubAllGlobals();
      now.mockRestore();
    },
  };
  const now = vi.spyOn(performance, 'now').mockImplementation(() => ms);
  const next = globalThis.setImmediate;
  await nextTurn();
  vi.stubGlobal('setImmediate', (run: () => void) => {
    turns.push(ms);
    clock.onTurn(turns.length);
    return next(run);
  });
  return clock;
}

/** The longest time between two turns. */
export function longestWait({ turns, ms }: WorkClock): number {
  const times = [0, ...turns, ms];
  return Math.max(...times.slice(1).map((at, i) => at - times[i]!));
}
