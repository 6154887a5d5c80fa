import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, expect, it, vi } from 'vitest';
import { watchForEnd } from '../../src/measure/dataset-end.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const dataset = (size?: number | null) => ({ size, iterator: () => Promise.reject(new Error('read')) });

it('says after ten seconds, once a dataset, that its end is waited for', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const unknown = dataset(null);
  let now = 5;
  for (let pass = 0; pass < 2; pass++) {
    const see = watchForEnd(unknown, () => now);
    see(32);
    now += 10_000;
    see(64);
    expect(warn).toHaveBeenCalledTimes(pass);
    now += 1;
    see(96);
    see(128);
    expect(warn).toHaveBeenCalledTimes(1);
  }
  expect(warn.mock.calls[0]![0]).toMatch(/^[^\n]* 96 samples so far, [^\n]*dataset\.take\(n\)[^\n]*$/);
});

it.each([[undefined], [null], [0]])('takes one of size %s for endless after 2^20 samples', (size) => {
  const see = watchForEnd(dataset(size), () => 0);
  see(2 ** 20);
  expect(() => see(2 ** 20 + 1)).toThrow(/^The dataset has yielded 1048577 samples, [^\n]*dataset\.take\(n\)[^\n]*$/);
});

it('says nothing of one that knows its length', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  let now = 0;
  const see = watchForEnd(dataset(7), () => now);
  now = 1e6;
  see(2 ** 30);
  expect(warn).not.toHaveBeenCalled();
});

it('an endless generator ends a measurement in one line, and leaves no tensor', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
  const endless = tfd.generator(function* () {
    for (;;) {
      yield tf.zeros([2 ** 20, 1]) as tf.TensorContainer;
    }
  });
  const { numTensors } = tf.memory();
  // Of few samples more than their number is needed.
  const reading = measureSharpness(model, endless, { loss: 'meanSquaredError', part: 1e-6 });
  await expect(reading).rejects.toThrow(/^The dataset has yielded [^\n]*dataset\.take\(n\)[^\n]*$/);
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
});
