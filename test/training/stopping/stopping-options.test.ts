import { ReplaySubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { earlyStopping } from '../../../src/training/stopping/early-stopping.js';
import { notWaiting } from '../../../src/training/stopping/stopping-criterion.js';
import { checkStoppingOptions, type EarlyStoppingOptions } from '../../../src/training/stopping/stopping-options.js';

const readings$ = new ReplaySubject<SharpnessReading>(1);

it.each<[object | undefined, RegExp]>([
  [undefined, /^monitor must/],
  [{}, /^monitor must/],
  [{ monitor: '' }, /^monitor must/],
  [{ monitor: 'value', minDelta: Number.NaN }, /^minDelta must/],
  [{ monitor: 'value', patience: -1 }, /^patience must/],
  [{ monitor: 'value', patience: 1.5 }, /^patience must/],
  [{ monitor: 'value', startFromEpoch: -1 }, /^startFromEpoch must/],
  [{ monitor: 'value', mode: 'lower' }, /^mode must/],
  [{ monitor: 'value', when: 'rising' }, /^when must be 'plateau' or 'worsensAsLossFalls', but it is 'rising'/],
  [{ monitor: 'value', baseline: Number.NaN }, /^baseline must/],
  [{ monitor: 'value', baseline: '3' }, /^baseline must/],
  [{ monitor: 'value', baseline: 1, when: 'worsensAsLossFalls' }, /^baseline goes with when: 'plateau' only/],
  [{ monitor: 'value', startFromAccuracy: 98 }, /^startFromAccuracy must be a number from 0 to 1, but it is 98/],
  [{ monitor: 'value', startFromAccuracy: -0.1 }, /^startFromAccuracy must/],
  [{ monitor: 'value', restoreBestWeights: 'yes' }, /^restoreBestWeights must/],
  [{ monitor: 'value', smoothing: 1 }, /^smoothing must be a number of at least 0 and below 1, but it is 1/],
  [{ monitor: 'value', smoothing: -0.1 }, /^smoothing must/],
  [{ monitor: 'value', standardErrors: -1 }, /^standardErrors must/],
  [{ monitor: 'value', standardErrors: 1 }, /^standardErrors needs readings/],
  [{ monitor: 'value', lossMargin: 0 }, /^lossMargin must be a finite number above 0, but it is 0: false compares/],
  [{ monitor: 'value', lossMargin: true }, /^lossMargin must/],
  [{ monitor: 'value', stopOnNaN: 1 }, /^stopOnNaN must be true or false/],
  [{ monitor: 'value', state: {} }, /^state must be/],
  [{ monitor: 'value', state: 'text' }, /^state must be/],
  [{ monitor: 'value', bestWeights: [] }, /^bestWeights go with restoreBestWeights and a state/],
  [{ monitor: 'value', bestWeights: 3 }, /^bestWeights must be tensors/],
  [{ readings: {} }, /^readings must be a sharpness callback/],
  [{ readings: null }, /^readings must be a sharpness callback/],
  [{ readings: new ReplaySubject() }, /^readings must be a sharpness callback/],
  [{ readings: { readings$ }, monitor: 'val_loss' }, /^with readings, monitor must be one of minimumSharp/],
  [{ readings: { readings$ }, monitor: 'trace', standardErrors: 1 }, /^standardErrors needs monitor 'min/],
])('refuses %o in one line', (options, message) => {
  expect(() => earlyStopping(options as EarlyStoppingOptions)).toThrow(message);
  expect(() => earlyStopping(options as EarlyStoppingOptions)).toThrow(/^[^\n]+$/);
});

describe('checkStoppingOptions', () => {
  const average = (value: number) => ({ value, variance: 0, count: 1 });

  it('has the defaults of Keras', () => {
    const { criterion: _, identity: __, ...settings } = checkStoppingOptions({ monitor: 'val_loss' });
    expect(settings).toEqual({
      monitor: 'val_loss',
      readings: undefined,
      comparison: { lowerIsBetter: true, minDelta: 0, standardErrors: 0, smoothing: 0 },
      needsLoss: false,
      startFromEpoch: 0,
      startFromAccuracy: undefined,
      restoreBestWeights: false,
      lossMargin: undefined,
      stopOnNaN: true,
      begin: undefined,
      bestWeights: undefined,
      verbose: false,
    });
  });

  it('takes a field with acc in its name for one that should be high, unless told otherwise', () => {
    const lowerIsBetter = (options: EarlyStoppingOptions) => checkStoppingOptions(options).comparison.lowerIsBetter;
    expect(lowerIsBetter({ monitor: 'val_acc' })).toBe(false);
    expect(lowerIsBetter({ monitor: 'val_acc', mode: 'min' })).toBe(true);
    expect(lowerIsBetter({ monitor: 'loss', mode: 'max' })).toBe(false);
  });

  it('monitors Minimum Sharpness where readings are given', () => {
    const settings = checkStoppingOptions({ readings: { readings$ }, standardErrors: 2 });
    expect(settings.monitor).toBe('minimumSharpness');
    expect(settings.comparison.standardErrors).toBe(2);
  });

  it('takes the size of a negative minDelta, as Keras does', () => {
    expect(checkStoppingOptions({ monitor: 'value', minDelta: -0.5 }).comparison.minDelta).toBe(0.5);
  });

  it('leaves any loss alone where the guard is turned off', () => {
    expect(checkStoppingOptions({ monitor: 'value', lossMargin: false }).lossMargin).toBe(Number.POSITIVE_INFINITY);
    expect(checkStoppingOptions({ monitor: 'value', lossMargin: 0.5 }).lossMargin).toBe(0.5);
  });

  it('makes the criterion that is asked for', () => {
    const plateau = checkStoppingOptions({ monitor: 'loss', patience: 2 }).criterion;
    const worse = { current: average(1), improved: false, loss: 1 };
    const first = plateau(notWaiting, worse);
    expect([first.stops, plateau(first, worse).stops]).toEqual([false, true]);
    expect(plateau(notWaiting, worse).stops).toBe(false);

    const settings = checkStoppingOptions({ monitor: 'ms', when: 'worsensAsLossFalls', patience: 1 });
    expect(settings.needsLoss).toBe(true);
    const before = settings.criterion(notWaiting, worse);
    expect(before.stops).toBe(false);
    expect(settings.criterion(before, { current: average(2), improved: false, loss: 0.5 }).stops).toBe(true);
  });
});
