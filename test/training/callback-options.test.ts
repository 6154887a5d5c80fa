import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { checkCallbackOptions, type MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

it.each<[string, object, RegExp]>([
  ['every without a unit', { every: {} }, /^every must be/],
  ['every with both units', { every: { epochs: 1, batches: 1 } }, /^every must be/],
  ['a share of an epoch', { every: { epochs: 0.5 } }, /^every must be/],
  ['an empty name', { name: '' }, /^name must be/],
  ['a number for a name', { name: 3 }, /^name must be/],
  ['a negative initialStep', { initialStep: -1 }, /^initialStep must be/],
  ['a fractional initialStep', { initialStep: 1.5 }, /^initialStep must be/],
  ['data that is null', { data: null }, /^data must be/],
  ['data that is a string', { data: 'xTrain' }, /^data must be/],
  ['sampleWeight for minibatches', { sampleWeight: [1, 2] }, /^sampleWeight needs data/],
  ['measuring options out of range', { memoryMB: -1 }, /memoryMB/],
  ['an unknown loss', { loss: 'focal' }, /loss/],
  ['a signal that is none', { signal: {} }, /signal/],
])('refuses %s in one line', (_, options, message) => {
  expect(() => minimumSharpness(options as MinimumSharpnessOptions)).toThrow(message);
  expect(() => minimumSharpness(options as MinimumSharpnessOptions)).toThrow(/^[^\n]+$/);
});

it('does not compile with wrong options', () => {
  // @ts-expect-error both units
  expect(() => minimumSharpness({ every: { epochs: 1, batches: 1 } })).toThrow();
  // @ts-expect-error no unit
  expect(() => minimumSharpness({ every: {} })).toThrow();
});

describe('checkCallbackOptions', () => {
  const dataset = { iterator: async () => ({ next: async () => ({ done: true, value: null }) }) } as never;

  it('has defaults: every epoch, exact on minibatches, to 2% on data', () => {
    const defaults = { every: { epochs: 1 }, name: 'minimumSharpness', initialStep: 0, verbose: false };
    expect(checkCallbackOptions({})).toEqual({ ...defaults, data: undefined, measureOptions: {} });
    expect(checkCallbackOptions({ data: dataset, seed: 3 })).toEqual({
      ...defaults,
      data: dataset,
      measureOptions: { method: { tolerance: 0.02 }, seed: 3 },
    });
    const { measureOptions } = checkCallbackOptions({ data: dataset, method: 'exact' });
    expect(measureOptions).toEqual({ method: 'exact' });
  });

  it('answers a slip with all options of the callback', () => {
    for (const slip of ['evry', 'interval', 'Data']) {
      expect(() => checkCallbackOptions({ [slip]: 1 } as MinimumSharpnessOptions)).toThrow(
        new RegExp(
          `^minimumSharpness: there is no option '${slip}', only data, every, name, initialStep, verbose, loss, [^\n]*\\.$`,
        ),
      );
    }
    expect(() => checkCallbackOptions(null as never)).toThrow(/^minimumSharpness: options must be an object of data, /);
  });

  it.each<[string, object, RegExp]>([
    ['class weights', { classWeight: { 0: 2 } }, /^classWeight needs labels: pass \{ data, labels \}/],
    ['the Hessian', { method: { hutchinson: 5 } }, /^method: \{ hutchinson \} needs labels/],
  ])('wants labels for %s, which a dataset may have', (_, options, message) => {
    const x = tf.ones([4, 2]);
    expect(() => checkCallbackOptions({ ...options, data: x })).toThrow(message);
    expect(() => checkCallbackOptions({ ...options, data: x, labels: x })).not.toThrow();
    expect(() => checkCallbackOptions({ ...options, data: { xs: x, ys: x } })).not.toThrow();
    expect(() => checkCallbackOptions({ ...options, data: dataset })).not.toThrow();
    expect(() => checkCallbackOptions(options)).toThrow(/not on a minibatch|^classWeight needs data/);
    x.dispose();
  });
});
