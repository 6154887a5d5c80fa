import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { checkCallbackOptions, type MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { type Problem, problemsOf } from '../../src/training/problems.js';
import { sharpnessReader } from '../../src/training/sharpness-reader.js';

const model = { name: 'a model', outputs: [{ shape: [null, 3] }, { shape: [null, 1] }] } as tfl.LayersModel;
const reading = { minimumSharpness: 1 } as SharpnessReading;

let data: tf.Tensor;
let tensorsBefore: number;
beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  data = tf.ones([2, 2]);
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  data.dispose();
});

/** A reader whose measuring functions do `measure`. */
function readerWith(options: MinimumSharpnessOptions, measure: (options: MeasureOptions) => unknown = () => reading) {
  const seen: Problem[] = [];
  const calls: unknown[][] = [];
  const disposal = new AbortController();
  const problems = problemsOf('ms', () => ({ step: 1, epoch: 0 }));
  problems.problems$.subscribe((problem) => seen.push(problem));
  const measuringOf =
    (kind: string) =>
    async (...[of, inputs, given]: [unknown, unknown, MeasureOptions?]) => {
      calls.push([kind, of, inputs]);
      return (await measure(given!)) as SharpnessReading;
    };
  const measuring = { whole: measuringOf('whole'), minibatch: measuringOf('minibatch') };
  return {
    read: sharpnessReader(checkCallbackOptions(options), measuring, problems, disposal.signal),
    seen,
    calls,
    disposal,
  };
}

describe('sharpnessReader', () => {
  it('reads one signal that is aborted with any of three, of which none remembers it', async () => {
    const controllers = Array.from({ length: 2 }, () => new AbortController());
    const [given, limit] = controllers.map(({ signal }) => signal);
    const { read, disposal } = readerWith({ data, signal: given }, ({ signal }) => {
      expect(signal?.aborted).toBe(false);
      return reading;
    });
    const signals = [given!, limit!, disposal.signal];
    const added = signals.map((signal) => vi.spyOn(signal, 'addEventListener'));
    const removed = signals.map((signal) => vi.spyOn(signal, 'removeEventListener'));
    expect(await read(model, undefined, { signal: limit!, onProgress: () => {} })).toBe(reading);
    expect(added.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1]);
    expect(removed.map(({ mock }) => mock.calls)).toEqual(added.map(({ mock }) => mock.calls));
  });

  it('measures the data, or else the minibatch, which it disposes', async () => {
    const whole = readerWith({ data });
    expect(await whole.read(model, undefined)).toBe(reading);
    expect(whole.calls).toEqual([['whole', model, data]]);
    expect(data.isDisposed).toBe(false);

    const inputs = [tf.ones([2, 2])];
    const losses = [{ target: tf.ones([2, 3]), weights: tf.tensor1d([1, 2]) }, undefined];
    const part = readerWith({});
    expect(await part.read(model, { inputs, losses })).toBe(reading);
    const labelled = { xs: inputs, ys: [losses[0]!.target, undefined], sampleWeight: [losses[0]!.weights, undefined] };
    expect(part.calls).toEqual([['minibatch', model, labelled]]);
    expect(inputs[0]!.isDisposed).toBe(true);

    expect(await part.read(model, undefined)).toBe('none');
    expect(part.seen.map(({ kind, message }) => [kind, message])).toEqual([
      ['skipped', 'no minibatch was seen: pass { data } to minimumSharpness().'],
    ]);
  });

  it('reports what fails', async () => {
    const error = new Error('not today');
    const { read, seen } = readerWith({}, () => {
      throw error;
    });
    expect(await read(model, { inputs: [tf.ones([2, 2])], losses: [] })).toBe('failed');
    expect(seen).toEqual([{ kind: 'failed', step: 1, epoch: 0, message: 'not today', error }]);
  });

  it("passes on the options, and reports the user's own abort as such", async () => {
    const controller = new AbortController();
    const onProgress = vi.fn();
    const { read, seen } = readerWith({ data, seed: 4, signal: controller.signal, onProgress }, (options) => {
      expect(options).toMatchObject({ seed: 4, method: { tolerance: 0.02 } });
      options.onProgress?.({ samples: 1, total: 2, rows: 1, totalRows: 2, timeLeftMs: 0 });
      options.signal?.throwIfAborted();
      return reading;
    });
    expect(await read(model, undefined)).toBe(reading);
    controller.abort();
    expect(await read(model, undefined)).toBe('failed');
    expect(onProgress).toHaveBeenCalledTimes(2);
    expect(seen.map(({ kind, message }) => [kind, message])).toEqual([
      ['skipped', 'no reading, since the signal given in the options was aborted.'],
    ]);
  });

  it.each([
    ['throws then', true],
    ['does not care', false],
  ])('says nothing of a reading that was under way at disposal, and %s', async (_, throws) => {
    const { read, seen, disposal } = readerWith({ data }, ({ signal }) => {
      disposal.abort();
      if (throws) {
        signal?.throwIfAborted();
      }
      return reading;
    });
    expect(await read(model, undefined)).toBe('none');
    expect(seen).toEqual([]);
  });

  it('says nothing of a reading that is given up for want of time, of which the user hears as well', async () => {
    const deadline = new AbortController();
    const order: string[] = [];
    const { read, seen } = readerWith({ data, onProgress: () => order.push('user') }, (options) => {
      options.onProgress?.({ samples: 1, total: 2, rows: 1, totalRows: 2, timeLeftMs: 0 });
      options.signal?.throwIfAborted();
      return reading;
    });
    const limits = {
      signal: deadline.signal,
      onProgress: () => {
        order.push('limits');
        deadline.abort();
      },
    };
    expect(await read(model, undefined, limits)).toBe('none');
    expect(order).toEqual(['limits', 'user']);
    expect(seen).toEqual([]);
  });
});
