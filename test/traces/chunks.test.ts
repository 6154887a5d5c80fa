import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { isGpu, isSynchronous } from '../../src/tfjs/backend.js';
import {
  type ChunkedPass,
  chunksOf,
  fitting,
  fittingWork,
  nextChunk,
  type StartedChunk,
  samplesForTrial,
  samplesOf,
  secondTrial,
  shapesOfSample,
  trialOfSamples,
  twiceTried,
} from '../../src/traces/chunks.js';
import { Device } from '../tfjs/fake-webgpu.js';

afterEach(() => {
  tf.disposeVariables();
});

it('cuts samples into as few chunks as the largest allows, of about one size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 700 }), (samples, most) => {
      const chunks: number[] = [];
      for (let left = samples; left > 0; left -= chunks.at(-1)!) {
        chunks.push(nextChunk(left, most));
      }
      expect(chunks.reduce((a, b) => a + b)).toBe(samples);
      expect(chunks).toHaveLength(Math.ceil(samples / most));
      expect(Math.max(...chunks)).toBeLessThanOrEqual(most);
      expect(Math.max(...chunks) - Math.min(...chunks)).toBeLessThanOrEqual(1);
    }),
  );
});

it('tries a few samples after one, but no more than fit', async () => {
  const tried: number[] = [];
  const fits = (first: number) => async (count: number) => {
    tried.push(count);
    return { count, fit: count === 1 ? first : 1000, steps: [0] };
  };
  expect([await twiceTried(fits(100)), await twiceTried(fits(7))]).toEqual([1000, 1000]);
  expect(tried).toEqual([1, 16, 1, 7]);
});

it.each(['exact', { tolerance: 0.2 }] as const)('tries once a network: %s', async (method) => {
  const { dense } = tfl.layers;
  const model = tfl.sequential({ layers: [dense({ units: 5, inputShape: [4] }), dense({ units: 3 })] });
  const rowsOf = async (samples: number, memoryMB: number) => {
    const x = tf.randomNormal([samples, 4]);
    const { kernels, result } = await tf.profile(async () => {
      await measureSharpness(model, x, { loss: 'softmaxCrossEntropy', method, memoryMB });
      return tf.scalar(0);
    });
    tf.dispose([x, result]);
    // Forward passes of the second layer: one for a trial, one for a chunk.
    return kernels
      .filter(({ name, outputShapes }) => name === 'Add' && outputShapes[0]!.length === 2 && outputShapes[0]![1] === 5)
      .map(({ outputShapes }) => outputShapes[0]![0]!);
  };
  const first = await rowsOf(700, 64);
  const second = await rowsOf(700, 64);
  expect(first).toContain(1);
  expect(second).not.toContain(1);
  expect(second.length).toBeLessThan(first.length);
  expect(await rowsOf(700, 32)).toContain(1);
  model.dispose();
});

/** A pass that adds up the numbers of each sample, with what happened to it one after the other. */
function rowSums(x: tf.Tensor2D, most: number) {
  const events: string[] = [];
  const pass: ChunkedPass<StartedChunk & { readonly begin: number }, number[]> = {
    name: 'exact',
    plan: [],
    heads: [],
    budgetBytes: 1,
    length: x.shape[0],
    shapes: shapesOfSample([x]),
    trial: () => {
      events.push('trial');
      return { samples: most, columns: [7] };
    },
    start: (begin, count, size) => {
      events.push(`start ${begin}`);
      expect(size.columns).toEqual([7]);
      const [part] = samplesOf([x], begin, count) as [tf.Tensor];
      const found = tf.sum(part, 1);
      part.dispose();
      return { found, begin };
    },
    read: ({ begin }, values) => {
      events.push(`read ${begin}`);
      return [...values];
    },
  };
  return { pass, events };
}

describe('chunksOf', () => {
  const numbers = () => tf.tensor2d([...Array(14).keys()], [7, 2]);
  const sums = [1, 5, 9, 13, 17, 21, 25];

  it('runs every sample once, and reads a chunk when the next has been started', async () => {
    const x = numbers();
    const before = tf.memory().numTensors;
    const { pass, events } = rowSums(x, 3);
    const chunks: number[][] = [];
    for await (const chunk of chunksOf(pass)) {
      chunks.push(chunk);
    }
    expect(chunks).toEqual([sums.slice(0, 3), sums.slice(3, 5), sums.slice(5)]);
    expect(events).toEqual(['trial', 'start 0', 'start 3', 'read 0', 'start 5', 'read 3', 'read 5']);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('starts nothing, not even a trial, where there are no samples', async () => {
    const { pass, events } = rowSums(tf.zeros([0, 2]), 3);
    expect((await chunksOf(pass).next()).done).toBe(true);
    expect(events).toEqual([]);
  });

  it('leaves nothing behind when who reads stops early', async () => {
    const x = numbers();
    const before = tf.memory().numTensors;
    const { pass } = rowSums(x, 2);
    for await (const chunk of chunksOf(pass)) {
      expect(chunk).toEqual(sums.slice(0, 2));
      // The second has been started.
      expect(tf.memory().numTensors).toBe(before + 1);
      break;
    }
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it.each([0, 2, 6])('leaves nothing behind when the chunk at %d cannot be started', async (broken) => {
    const x = numbers();
    const before = tf.memory().numTensors;
    const { pass } = rowSums(x, 2);
    const start: typeof pass.start = (begin, ...others) => {
      if (begin >= broken) {
        throw new Error('no memory');
      }
      return pass.start(begin, ...others);
    };
    const all = async () => {
      for await (const _ of chunksOf({ ...pass, start })) {
      }
    };
    await expect(all()).rejects.toThrow('no memory');
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('halves a chunk that fails, samples first, then columns, and goes on with that size', async () => {
    const x = numbers();
    const { pass } = rowSums(x, 7);
    const tried: [number, number, readonly number[]][] = [];
    const start: typeof pass.start = (begin, count, size, between) => {
      tried.push([begin, count, size.columns]);
      if (count * size.columns[0] > 4) {
        throw new Error('too much for the device');
      }
      return pass.start(begin, count, { ...size, columns: [7] }, between);
    };
    const chunks: number[][] = [];
    for await (const chunk of chunksOf({ ...pass, start })) {
      chunks.push(chunk);
    }
    expect(chunks.flat()).toEqual(sums);
    expect(tried.slice(0, 6)).toEqual([
      [0, 7, [7]],
      [0, 4, [7]],
      [0, 2, [7]],
      [0, 1, [7]],
      [0, 1, [4]],
      [1, 1, [4]],
    ]);
    expect(tried).toHaveLength(11);
    x.dispose();
  });

  it('does not try again what was stopped on purpose', async () => {
    const x = numbers();
    const { pass } = rowSums(x, 7);
    let starts = 0;
    const start: typeof pass.start = async (begin, count, size, between) => {
      starts++;
      await between();
      return pass.start(begin, count, size, between);
    };
    const chunks = chunksOf({ ...pass, start }, () => Promise.reject(new Error('aborted')));
    await expect(chunks.next()).rejects.toThrow('aborted');
    expect(starts).toBe(1);
    x.dispose();
  });

  it.each([0, 2, 6])('leaves nothing behind when the chunk at %d cannot be read', async (broken) => {
    const x = numbers();
    const before = tf.memory().numTensors;
    const { pass } = rowSums(x, 2);
    const start: typeof pass.start = async (begin, count, size, between) => {
      const chunk = await pass.start(begin, count, { ...size, columns: [7] }, between);
      if (begin >= broken) {
        chunk.found.data = () => Promise.reject(new Error('device lost'));
      }
      return chunk;
    };
    const all = async () => {
      for await (const _ of chunksOf({ ...pass, start })) {
      }
    };
    await expect(all()).rejects.toThrow('device lost');
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });
});

/** A GPU that works on behind: what computes is the backend of before. */
async function onGpu(run: () => Promise<void>): Promise<void> {
  const engine = tf.engine();
  const { backendName } = engine;
  const { backend } = engine;
  const device = Object.assign(new Device(), { limits: {} });
  const manager = { freeBuffers: new Map(), numBytesAllocated: 0, numBytesUsed: 0 };
  const extended = new Proxy(backend, {
    get: (target, name) => {
      const own: Record<string | symbol, unknown> = { device, bufferManager: manager, commandEncoder: null };
      const value = own[name] ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  tf.copyRegisteredKernels(backendName, 'webgpu');
  engine.backendName = 'webgpu';
  const spy = vi.spyOn(engine, 'backend', 'get').mockReturnValue(extended);
  try {
    await run();
  } finally {
    spy.mockRestore();
    engine.backendName = backendName;
    for (const { kernelName } of tf.getKernelsForBackend('webgpu')) {
      tf.unregisterKernel(kernelName, 'webgpu');
    }
  }
}

/** The device of `onGpu` has a message for who listens, which may come later than numbers that were read. */
function report(message: string): void {
  const { device } = tf.backend() as unknown as { readonly device: Device };
  device.reportLate(message);
}

describe('chunksOf on a GPU', () => {
  const numbers = () => tf.tensor2d([...Array(48).keys()], [24, 2]);
  const sums = Array.from({ length: 24 }, (_, n) => 4 * n + 1);

  it('reads several chunks at once, while the next has been started', () =>
    onGpu(async () => {
      const x = numbers();
      const before = tf.memory().numTensors;
      const { pass, events } = rowSums(x, 2);
      const read = vi.spyOn(tf.Tensor.prototype, 'data');
      const chunks: number[][] = [];
      for await (const chunk of chunksOf(pass)) {
        chunks.push(chunk);
      }
      expect(chunks.flat()).toEqual(sums);
      expect(read).toHaveBeenCalledTimes(2);
      expect(events.indexOf('read 0')).toBe(10);
      expect(events.slice(9, 11)).toEqual(['start 16', 'read 0']);
      expect(tf.memory().numTensors).toBe(before);
      read.mockRestore();
      x.dispose();
    }));

  it('reads what has been started before it starts a chunk of another size, for which buffers have to be made', () =>
    onGpu(async () => {
      const x = numbers();
      const { pass, events } = rowSums(x, 10);
      for await (const _ of chunksOf({ ...pass, length: 22 })) {
      }
      expect(events).toEqual(['trial', 'start 0', 'read 0', 'start 8', 'start 15', 'read 8', 'read 15']);
      x.dispose();
    }));

  it('gives the event loop its turn between chunks, and ends where that throws', () =>
    onGpu(async () => {
      const x = numbers();
      const before = tf.memory().numTensors;
      const { pass, events } = rowSums(x, 2);
      const all = async () => {
        for await (const _ of chunksOf(pass, () => Promise.reject(new Error('aborted')))) {
        }
      };
      await expect(all()).rejects.toThrow('aborted');
      expect(events).toEqual(['trial', 'start 0']);
      expect(tf.memory().numTensors).toBe(before);
      x.dispose();
    }));

  it('throws chunks away during which the device reported an error, and runs them again in halves', () =>
    onGpu(async () => {
      const x = numbers();
      const before = tf.memory().numTensors;
      const { pass } = rowSums(x, 8);
      const started: [number, number][] = [];
      const forget = vi.fn();
      const start: typeof pass.start = async (begin, count, size, between) => {
        started.push([begin, count]);
        const chunk = await pass.start(begin, count, { ...size, columns: [7] }, between);
        if (count < 5 || begin < 8) {
          return chunk;
        }
        report('out of memory');
        const zeros = tf.zerosLike(chunk.found);
        chunk.found.dispose();
        return { begin, found: zeros };
      };
      const chunks: number[][] = [];
      for await (const chunk of chunksOf({ ...pass, start, forget })) {
        chunks.push(chunk);
      }
      // Of several on their way, nobody knows whose error it was.
      expect(started.slice(0, 4)).toEqual([
        [0, 8],
        [8, 8],
        [16, 8],
        [0, 4],
      ]);
      expect(chunks.flat()).toEqual(sums);
      expect(forget).toHaveBeenCalledTimes(1);
      expect(tf.memory().numTensors).toBe(before);
      x.dispose();
    }));

  it('refuses what the device cannot do for a single sample', () =>
    onGpu(async () => {
      const x = numbers();
      const before = tf.memory().numTensors;
      const { pass } = rowSums(x, 8);
      const start: typeof pass.start = (begin, count, size, between) => {
        report('out of memory');
        return pass.start(begin, count, { ...size, columns: [7] }, between);
      };
      const all = async () => {
        for await (const _ of chunksOf({ ...pass, start })) {
        }
      };
      await expect(all()).rejects.toThrow(/^The WebGPU device reported 'out of memory', [^\n]*: lower memoryMB/);
      expect(tf.memory().numTensors).toBe(before);
      x.dispose();
    }));
});

it('tries again in halves where a chunk cannot be used once it is read, unless it leaves the range of float32', async () => {
  const x = tf.tensor2d([...Array(14).keys()], [7, 2]);
  const { pass } = rowSums(x, 7);
  const start: typeof pass.start = (begin, count, size, between) =>
    pass.start(begin, count, { ...size, columns: [7] }, between);
  const read =
    (error: Error): typeof pass.read =>
    (chunk, values, between) => {
      if (values.length > 3) {
        throw error;
      }
      return pass.read(chunk, values, between);
    };
  const chunks: number[][] = [];
  for await (const chunk of chunksOf({ ...pass, start, read: read(new Error('OOM when allocating tensor')) })) {
    chunks.push(chunk);
  }
  expect(chunks).toEqual([[1, 5], [9, 13], [17, 21], [25]]);
  const out = chunksOf({ ...pass, start, read: read(new RangeError('leaves the range')) });
  await expect(out.next()).rejects.toThrow('leaves the range');
  x.dispose();
});

it('finds by two trials how many samples fit, and disposes what they gave', async () => {
  const before = tf.memory().numTensors;
  const tried: [number, number][] = [];
  const start = async (begin: number, count: number) => {
    tried.push([begin, count]);
    return { found: tf.zeros([count]), fit: 40, steps: [0] };
  };
  expect(await trialOfSamples(100, start)).toEqual({ samples: 40, columns: [] });
  expect(await trialOfSamples(5, start)).toEqual({ samples: 40, columns: [] });
  expect(tried).toEqual([
    [0, 1],
    [0, 16],
    [0, 1],
    [0, 5],
  ]);
  expect(tf.memory().numTensors).toBe(before);
});

it('takes consecutive samples of every input, and none where one input is gone', () => {
  const [x, y] = [tf.tensor2d([...Array(12).keys()], [4, 3]), tf.tensor1d([5, 6, 7, 8], 'int32')];
  const before = tf.memory().numTensors;
  const parts = samplesOf([x, y], 1, 2);
  expect(parts.map((part) => [...part.dataSync()])).toEqual([
    [3, 4, 5, 6, 7, 8],
    [6, 7],
  ]);
  const all = samplesOf([x, y], 0, 4);
  expect(shapesOfSample(all)).toEqual([[3], []]);
  tf.dispose([parts, all]);
  y.dispose();
  expect(() => samplesOf([x, y], 2, 2)).toThrow();
  expect(tf.memory().numTensors).toBe(before - 1);
  expect([...x.dataSync()]).toHaveLength(12);
  x.dispose();
});

describe.skipIf(isGpu())('fittingWork', () => {
  const longest = tf.getBackend() === 'wasm' ? 20 : 60;
  const steps = (count: number, ...lines: [always: number, each: number][]) => ({
    count,
    steps: lines.map(([always, each]) => (always * longest) / 20 + (each * longest * count) / 20),
  });

  it('is bounded by the longest step, in proportion', () => {
    expect([fittingWork(steps(1, [0, 1], [0, 4])), fittingWork(steps(4, [0, 1], [0, 4]))]).toEqual([5, 5]);
    expect(fittingWork(steps(1, [0, 1], [0, 4]), steps(2, [0, 1], [0, 4]))).toBe(5);
    expect([fittingWork(steps(1, [0, 21])), fittingWork(steps(1, [0, 0]))]).toEqual([1, Number.POSITIVE_INFINITY]);
    expect(fittingWork(steps(1))).toBe(Number.POSITIVE_INFINITY);
  });

  it('knows what a step takes whatever the number from that of what it takes for each', () => {
    // One of 10 that all take, and 0.5 for each: 20 hold the same number of samples, from whatever trials.
    for (const count of [2, 3, 16, 20, 1000]) {
      expect(fittingWork(steps(1, [10, 0.5], [0, 0.1]), steps(count, [10, 0.5], [0, 0.1]))).toBe(
        Math.floor((9 * 10) / 0.6),
      );
      expect(fittingWork(steps(1, [1, 0.5], [0, 1]), steps(count, [1, 0.5], [0, 1]))).toBe(20);
    }
  });

  it('does not cut so small that most of a chunk is what it takes whatever its size', () => {
    expect(fittingWork(steps(1, [30, 10]), steps(2, [30, 10]))).toBe(27);
    expect(fittingWork(steps(1, [0.001, 10]), steps(2, [0.001, 10]))).toBe(1);
    // A step that does not grow limits nothing, also where it takes longer than a step may.
    const fixed: [number, number][] = [30, 20, 10].map((always) => [always, 0]);
    for (const one of fixed) {
      expect(fittingWork(steps(1, one, [0, 1]), steps(2, one, [0, 1]))).toBe(Math.max(20, 9 * one[0]));
    }
    expect(fittingWork(steps(1, ...fixed), steps(2, ...fixed))).toBe(Number.POSITIVE_INFINITY);
  });

  it('is the same for trials of any number, in spite of rounding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 2, max: 40 }), (most, count) => {
        const each = 19 / most;
        expect(fittingWork(steps(1, [1, each]), steps(count, [1, each]))).toBe(Math.max(most, Math.floor(9 / each)));
      }),
    );
  });
});

it('tries two at least, and no more than a few or than fit', () => {
  const one = (ms: number) => ({ count: 1, steps: [ms] });
  expect([secondTrial(one(0), 100), secondTrial(one(1000), 100), secondTrial(one(1000), 1)]).toEqual([16, 2, 1]);
  expect(secondTrial(one(10), 100)).toBe(isSynchronous() ? fittingWork(one(10)) : 16);
});

it('repeats samples for a trial where there are too few', () => {
  const [x, y] = [tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor1d([5, 6], 'int32')];
  const values = (parts: tf.Tensor[]) => parts.map((part) => [...part.dataSync()]);
  const [few, more] = [samplesForTrial([x, y], 1), samplesForTrial([x, y], 5)];
  expect([values(few), values(more)]).toEqual([
    [[1, 2], [5]],
    [
      [1, 2, 3, 4, 1, 2, 3, 4, 1, 2],
      [5, 6, 5, 6, 5],
    ],
  ]);
  expect(shapesOfSample(more)).toEqual([[2], []]);
  tf.dispose([x, y, few, more]);
});

describe('fitting', () => {
  it('goes by proportion', () => {
    expect(fitting(1000, 4, 100, false)).toBe(40);
    expect(fitting(999, 1, 100, true)).toBe(9);
  });

  it('is 1 at least, and refuses where even the smallest part is too large', () => {
    expect(fitting(50, 4, 1000, false)).toBe(1);
    expect(() => fitting(2 ** 20, 1, 3 * 2 ** 20, true)).toThrow(RangeError);
    expect(() => fitting(2 ** 20, 1, 3 * 2 ** 20, true)).toThrow(
      /^memoryMB: 1 is too small:[^\n]* 3 MB\. Raise memoryMB\.$/,
    );
  });
});
