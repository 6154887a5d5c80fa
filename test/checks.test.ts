import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  asWritten,
  checkBoolean,
  checkKnownOptions,
  checkNumber,
  checkOneOf,
  checkText,
  checkWhole,
  type NumberRange,
} from '../src/checks.js';
import { describeSymmetries } from '../src/measure/describe-symmetries.js';
import { measureFunctionSharpness } from '../src/measure/measure-function.js';
import { measureSharpness } from '../src/measure/measure-sharpness.js';
import { minimumSharpnessGradients } from '../src/measure/sharpness-gradients.js';
import { mergeSharpnessSamples, sampleSharpness } from '../src/measure/sharpness-sample.js';
import { lowerWhenRising } from '../src/training/control/controllers/lower-when-rising.js';
import { raiseWhenRising } from '../src/training/control/controllers/raise-when-rising.js';
import { warmUp } from '../src/training/control/controllers/warm-up.js';
import { minimumSharpness } from '../src/training/minimum-sharpness.js';
import { asam } from '../src/training/optimizers/asam.js';
import { sam } from '../src/training/optimizers/sam.js';
import { sharpnessPenalty } from '../src/training/optimizers/sharpness-penalty.js';
import { earlyStopping } from '../src/training/stopping/early-stopping.js';
import { changePoint } from '../src/training/streams/change-point.js';
import { exponentialMovingAverage } from '../src/training/streams/exponential-moving-average.js';
import { plateau } from '../src/training/streams/plateau.js';
import { trend } from '../src/training/streams/trend.js';
import { tensorBoardWriter } from '../src/training/tensorboard/writer.js';

/** Text in quotes: '1' is not 1. */
const quoted = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value));

it.each<[unknown, string]>([
  ['64', "'64'"],
  [10n, '10n'],
  [[Number.NaN, undefined, null, [1]], '[NaN,undefined,null,[1]]'],
  [{ pairs: 2n, of: { a: true } }, '{ pairs: 2n, of: { a: true } }'],
  [{}, '{}'],
  [Array(100).fill(0), '[0,0,0,0,0,0,...]'],
  [Object.assign(() => {}, { toString: () => 'two\nlines' }), 'a function'],
  [new Date(0), 'of the class Date'],
])('%o is written as %s', (value, text) => {
  expect(asWritten(value)).toBe(text);
});

it('a function in the place of a number is not shown with its lines', () => {
  expect(() => checkNumber('x', () => 1)).toThrow('x must be a finite number, but it is a function.');
});

describe('options that there are not', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'earlyStopping',
      () => earlyStopping({ monitor: 'loss', patiance: 3 } as never),
      /no option 'patiance', only monitor/,
    ],
    ['sam', () => sam(tf.train.sgd(0.1), { rho: 0.1, eta: 1 } as never), /^sam: there is no option 'eta', only rho\./],
    ['sam', () => sam(tf.train.sgd(0.1), 0.05 as never), /^sam: options must be an object of rho, but they are 0.05/],
    ['asam', () => asam(tf.train.sgd(0.1), { rho: 1, Rho: 1 } as never), /no option 'Rho', only rho, eta/],
    ['penalty', () => sharpnessPenalty(tf.train.sgd(0.1), { lambda: 1, sample: 4 } as never), /no option 'sample'/],
  ])('%s refuses them in one line', (_name, make, message) => {
    expect(make).toThrow(message);
    expect(make).not.toThrow(/\n/);
  });

  // The stranger is an option of another function each time: every function is answered with its own list.
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [2] })] });
  const ofMeasuring =
    'loss, lossWeights, method, part, seed, memoryMB, sampleWeight, classWeight, labels, countFrozen, eigenvalues, signal, onProgress';
  it.each<[string, string, (stranger: never) => unknown]>([
    ['exponentialMovingAverage', 'smoothing, field', (options) => exponentialMovingAverage(options)],
    ['trend', 'window, field', (options) => trend(options)],
    ['plateau', 'patience, minDelta, mode, field', (options) => plateau(options)],
    ['changePoint', 'threshold, tolerance, minReadings, field', (options) => changePoint(options)],
    ['lowerWhenRising', 'factor, min, window, confidence', (options) => lowerWhenRising(options)],
    ['raiseWhenRising', 'max, factor, window, confidence', (options) => raiseWhenRising(options)],
    ['warmUp', 'max, factor, window, tolerance', (options) => warmUp(options)],
    [
      'earlyStopping',
      'monitor, when, minDelta, patience, mode, baseline, startFromEpoch, startFromAccuracy, restoreBestWeights, lossMargin, stopOnNaN, state, bestWeights, verbose, readings, smoothing, standardErrors',
      (options) => earlyStopping(options),
    ],
    ['asam', 'rho, eta', (options) => asam(tf.train.sgd(0.1), options)],
    [
      'sharpnessPenalty',
      'lambda, model, every, samples, columns, loss, seed',
      (options) => sharpnessPenalty(tf.train.sgd(0.1), options),
    ],
    ['tensorBoardWriter', 'prefix, purge', (options) => tensorBoardWriter('/nowhere/at/all', options)],
    [
      'minimumSharpness',
      `data, every, name, initialStep, verbose, ${ofMeasuring}, model`,
      (options) => minimumSharpness(options),
    ],
    ['measureSharpness', ofMeasuring, (options) => measureSharpness(model, tf.ones([1, 2]), options)],
    ['sampleSharpness', ofMeasuring, (options) => sampleSharpness(model, tf.ones([1, 2]), options)],
    ['mergeSharpnessSamples', 'loss, lossWeights, countFrozen', (options) => mergeSharpnessSamples(model, [], options)],
    ['describeSymmetries', 'loss, lossWeights, countFrozen', (options) => describeSymmetries(model, options)],
    [
      'minimumSharpnessGradients',
      'loss, labels, columns, seed',
      (options) => minimumSharpnessGradients(model, tf.ones([1, 2]), options),
    ],
    [
      'measureFunctionSharpness',
      'loss, method, part, seed, memoryMB, sampleWeight, labels, eigenvalues, signal, onProgress',
      (options) => measureFunctionSharpness((x) => x, [], tf.ones([1, 2]), options),
    ],
  ])('%s answers with its own list', async (name, list, call) => {
    for (const stranger of ['evry', 'rhos', ...(list.includes('countFrozen') ? [] : ['countFrozen'])]) {
      const refused = async () => call({ [stranger]: 1 } as never);
      await expect(refused(), stranger).rejects.toThrow(
        new RegExp(`^${name}: there is no option '${stranger}', only ${list}\\.$`),
      );
    }
  });

  const factor = { columns: (outputs: number) => outputs, factor: (z: tf.Tensor2D) => tf.stack([z, z]) };
  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'measureSharpness, given labels',
      () => measureSharpness(model, tf.ones([1, 2]), tf.ones([1, 2]) as never),
      /^measureSharpness: options must be an object of loss, .*, but they are of the class Tensor\.$/,
    ],
    [
      'a factor of the output Hessian',
      () => measureSharpness(model, tf.ones([1, 2]), { loss: { ...factor, activatoin: 'softmax' } as never }),
      /^loss: there is no option 'activatoin', only activation, needsLabels, value, columns, factor, gradient\.$/,
    ],
    [
      'one with an activation that there is not',
      () => measureSharpness(model, tf.ones([1, 2]), { loss: [{ ...factor, activation: 'Softmax' } as never] }),
      /^loss: activation must be 'softmax' or 'sigmoid', but it is 'Softmax'\.$/,
    ],
    [
      'a block of a function',
      () =>
        measureFunctionSharpness(
          (x) => x,
          { w: { variable: tf.variable(tf.ones([2])), form: 'h' } as never },
          tf.ones([1, 2]),
          { loss: 'meanSquaredError' },
        ),
      /^Block 'w': there is no option 'form', only variable, role, from, to\.$/,
    ],
  ])('looks inside of what is given: %s', async (_, measure, message) => {
    await expect(measure()).rejects.toThrow(message);
  });

  it('takes those that there are, and none', () => {
    expect(() => checkKnownOptions('f', { a: 1, b: undefined }, { a: true, b: true })).not.toThrow();
    expect(() => checkKnownOptions('f', undefined, { a: true })).not.toThrow();
    expect(() => checkKnownOptions('f', null, { a: true })).toThrow(
      /options must be an object of a, but they are null/,
    );
  });
});

describe('numbers', () => {
  it.each<[string, NumberRange, readonly number[], readonly unknown[]]>([
    ['a finite number', {}, [0, -1, 1e300], [Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined, 1n]],
    ['a finite number of at least 0', { atLeast: 0 }, [0, 5], [-1e-300, Number.POSITIVE_INFINITY, Number.NaN, '5']],
    ['a finite number above 0', { above: 0 }, [1e-300], [0, -1]],
    ['a number from 0 to 1', { atLeast: 0, atMost: 1 }, [0, 0.5, 1], [-0.1, 1.1, Number.NaN]],
    ['a number of at least 0 and below 1', { atLeast: 0, below: 1 }, [0, 0.99], [1, -0.1, 'much']],
    ['a number above 0 and below 1', { above: 0, below: 1 }, [0.5], [0, 1]],
    ['a number above 0 and at most 1', { above: 0, atMost: 1 }, [0.5, 1], [0, 1.5]],
    ['a number below 1', { below: 1 }, [-5], [1, Number.NEGATIVE_INFINITY]],
  ])('%s', (words, range, good, bad) => {
    for (const value of good) {
      expect(() => checkNumber('x', value, range)).not.toThrow();
    }
    for (const value of bad) {
      expect(() => checkNumber('x', value, range)).toThrow(
        new RangeError(`x must be ${words}, but it is ${quoted(value)}.`),
      );
    }
  });

  it('that are whole, and small enough to be exact', () => {
    for (const value of [-3, 0, 2 ** 53 - 1]) {
      expect(() => checkWhole('k', value)).not.toThrow();
    }
    for (const value of [0.5, 2 ** 53, Number.POSITIVE_INFINITY, '1', undefined]) {
      expect(() => checkWhole('k', value)).toThrow(
        new RangeError(`k must be a whole number, but it is ${quoted(value)}.`),
      );
    }
    expect(() => checkWhole('k', 2, { atLeast: 2 })).not.toThrow();
    expect(() => checkWhole('k', 1, { atLeast: 2 })).toThrow('k must be a whole number of at least 2, but it is 1.');
  });

  it('say what to pass where that helps', () => {
    expect(() => checkNumber('mb', 0, { above: 0 }, 'pass 256')).toThrow(/above 0, but it is 0: pass 256\.$/);
    expect(() => checkWhole('n', 0, { atLeast: 2 }, 'pass 30')).toThrow(/at least 2, but it is 0: pass 30\.$/);
  });
});

describe('other values', () => {
  it('are shown in one line, whatever they are', () => {
    const message = (value: unknown) => {
      try {
        checkNumber('x', value);
      } catch (error) {
        return (error as Error).message;
      }
      return 'taken';
    };
    expect(message({ a: [1, 'b'] })).toBe('x must be a finite number, but it is an object of a.');
    expect(message([])).toBe('x must be a finite number, but it is an array.');
    expect(message(new Map())).toBe('x must be a finite number, but it is of the class Map.');
    expect(message(Object.create(null))).toBe('x must be a finite number, but it is an object of nothing.');
    const tensor = tf.ones([3, 3]);
    expect(message(tensor)).toBe('x must be a finite number, but it is of the class Tensor.');
    tensor.dispose();
  });

  it('true or false', () => {
    expect(() => checkBoolean('on', false)).not.toThrow();
    for (const value of [0, 'yes', null, undefined]) {
      expect(() => checkBoolean('on', value)).toThrow(
        new Error(`on must be true or false, but it is ${quoted(value)}.`),
      );
    }
  });

  it('one of some words', () => {
    expect(() => checkOneOf('mode', 'max', ['min', 'max'])).not.toThrow();
    expect(() => checkOneOf('mode', 'mean', ['min', 'max'])).toThrow("mode must be 'min' or 'max', but it is 'mean'.");
    expect(() => checkOneOf('mode', 1, ['min', 'max', 'auto'])).toThrow(
      "mode must be 'min', 'max' or 'auto', but it is 1.",
    );
  });

  it('text', () => {
    expect(() => checkText('name', 'a')).not.toThrow();
    expect(() => checkText('name', '')).toThrow("name must be a non-empty string, but it is ''.");
    expect(() => checkText('field', 3, 'name a number')).toThrow('field must name a number, but it is 3.');
  });
});
