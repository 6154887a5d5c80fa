import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import type { Controller } from '../../../src/training/control/controllers/controller.js';
import { learningRateOf, setLearningRate } from '../../../src/training/control/learning-rate.js';
import { property, type Setting } from '../../../src/training/control/setting.js';
import {
  type ControlledValue,
  type ControlProblem,
  type Steering,
  steer,
} from '../../../src/training/control/steer.js';
import { minimumSharpness } from '../../../src/training/minimum-sharpness.js';
import { readingOf, readingsOf } from '../streams/readings.js';

/** Halves the value at every reading above 10, and counts them. */
const halving: Controller<{ value: number; count: number }> = {
  begin: (value) => ({ value, count: 0 }),
  next: ({ value, count }, { minimumSharpness }) =>
    minimumSharpness > 10 ? { value: value / 2, count: count + 1 } : { value, count },
};

let warn: MockInstance<typeof console.warn>;
beforeEach(() => {
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});
const warnings = () => warn.mock.calls.map(([line]) => String(line));

function watch({ values$, changes$, problems$ }: Steering) {
  const seen = { values: [] as ControlledValue[], changes: [] as ControlledValue[], problems: [] as ControlProblem[] };
  const completed: string[] = [];
  values$.subscribe({ next: (value) => seen.values.push(value), complete: () => completed.push('values') });
  changes$.subscribe({ next: (value) => seen.changes.push(value), complete: () => completed.push('changes') });
  problems$.subscribe({ next: (problem) => seen.problems.push(problem), complete: () => completed.push('problems') });
  return { ...seen, completed };
}

describe('steer', () => {
  let readings$: Subject<SharpnessReading>;
  let object: { rho: number };
  beforeEach(() => {
    readings$ = new Subject();
    object = { rho: 8 };
  });
  const send = (...values: number[]) => {
    for (const reading of readingsOf(values)) {
      readings$.next(reading);
    }
  };

  it('sets what the controller gives, at once, and says so', () => {
    const { values, changes, problems } = watch(steer(readings$, halving, property(object, 'rho')));
    const after: number[] = [];
    for (const reading of readingsOf([20, 5, 30])) {
      readings$.next(reading);
      after.push(object.rho);
    }
    expect(after).toEqual([4, 4, 2]);
    expect(values).toEqual([
      { step: 10, epoch: 0, name: 'rho', value: 4, previous: 8 },
      { step: 20, epoch: 1, name: 'rho', value: 4, previous: 4 },
      { step: 30, epoch: 2, name: 'rho', value: 2, previous: 4 },
    ]);
    expect(changes).toEqual([values[0], values[2]]);
    expect(problems).toEqual([]);
  });

  it('sets nothing that is set already', () => {
    const set = vi.fn();
    steer(readings$, halving, { name: 'rho', get: () => 8, set });
    send(1, 2, 3);
    expect(set).not.toHaveBeenCalled();
  });

  it('replays the latest value', () => {
    const steering = steer(readings$, halving, property(object, 'rho'));
    send(20, 20);
    const { values, changes } = watch(steering);
    expect(values.map(({ value }) => value)).toEqual([2]);
    expect(changes.map(({ value }) => value)).toEqual([2]);
  });

  it('hands the state on from reading to reading', () => {
    const states: number[] = [];
    const counting: typeof halving = {
      begin: halving.begin,
      next: (state, reading) => {
        states.push(state.count);
        return halving.next(state, reading);
      },
    };
    steer(readings$, counting, property(object, 'rho'));
    send(20, 20, 20);
    expect(states).toEqual([0, 1, 2]);
  });

  it('begins anew from a value that somebody else has set', () => {
    const begun: number[] = [];
    const noting: typeof halving = {
      begin: (value) => {
        begun.push(value);
        return halving.begin(value);
      },
      next: halving.next,
    };
    const { values } = watch(steer(readings$, noting, property(object, 'rho')));
    send(20);
    object.rho = 100;
    send(20, 5);
    expect(begun).toEqual([8, 100]);
    expect(values.map(({ previous, value }) => [previous, value])).toEqual([
      [8, 4],
      [100, 50],
      [50, 50],
    ]);
  });

  it('does not take a setting that rounds for somebody else', () => {
    let rho = 0.1;
    const setting: Setting = {
      name: 'rho',
      get: () => rho,
      set(value) {
        rho = Math.fround(value);
      },
    };
    const begin = vi.fn(halving.begin);
    const { values } = watch(steer(readings$, { begin, next: halving.next }, setting));
    send(20, 20, 5);
    expect(begin).toHaveBeenCalledTimes(1);
    expect(values.map(({ value }) => value)).toEqual([0.05, 0.025, 0.025].map(Math.fround));
    expect(values.at(-1)!.previous).toBe(Math.fround(0.025));
  });

  it('takes a controller that has its own idea of where to begin', () => {
    const fixed: Controller<{ value: number }> = { begin: () => ({ value: 3 }), next: (state) => state };
    const { changes } = watch(steer(readings$, fixed, property(object, 'rho')));
    expect(object.rho).toBe(8);
    send(1, 1);
    expect(object.rho).toBe(3);
    expect(changes.map(({ step }) => step)).toEqual([10]);
  });

  it('ends with the readings, or on dispose, and leaves the value', () => {
    for (const end of [(steering: Steering) => steering.dispose(), () => readings$.complete()]) {
      readings$ = new Subject();
      const steering = steer(readings$, halving, property(object, 'rho'));
      const { completed } = watch(steering);
      const before = object.rho;
      send(20);
      end(steering);
      expect(completed).toEqual(['values', 'changes', 'problems']);
      send(20);
      steering.dispose();
      expect(object.rho).toBe(before / 2);
      expect(readings$.observed).toBe(false);
    }
  });

  describe('reports, warns once and goes on when', () => {
    it('the setting throws: the next reading finds the controller as it was', () => {
      let broken = true;
      const setting: Setting = {
        name: 'rho',
        get: () => object.rho,
        set(value) {
          if (broken) {
            throw new Error('set is at fault');
          }
          object.rho = value;
        },
      };
      const { values, problems } = watch(steer(readings$, halving, setting));
      send(20, 20);
      broken = false;
      readings$.next(readingOf(20, { step: 30, epoch: 2 }));
      expect(problems).toEqual([
        { step: 10, epoch: 0, message: 'set is at fault', error: new Error('set is at fault') },
        { step: 20, epoch: 1, message: 'set is at fault', error: new Error('set is at fault') },
      ]);
      expect(warnings()).toEqual(['tfjs-sharpness, steer rho: set is at fault']);
      expect(values.map(({ step, value }) => [step, value])).toEqual([[30, 4]]);
    });

    it.each([
      ['next throws', () => fail(), 'at fault'],
      [
        'next gives NaN',
        () => ({ value: Number.NaN, count: 0 }),
        "the controller's value must be a finite number, but it is NaN.",
      ],
      ['next gives nothing', () => ({}), "the controller's value must be a finite number, but it is undefined."],
    ])('%s', (_, next, message) => {
      let wrong = true;
      const controller = {
        begin: halving.begin,
        next: (state: ReturnType<typeof halving.begin>, reading: SharpnessReading) =>
          wrong ? (next() as typeof state) : halving.next(state, reading),
      };
      const { problems } = watch(steer(readings$, controller, property(object, 'rho')));
      send(20);
      expect(object.rho).toBe(8);
      wrong = false;
      send(20);
      expect(object.rho).toBe(4);
      expect(problems.map((problem) => problem.message)).toEqual([message]);
      expect(warnings()).toEqual([`tfjs-sharpness, steer rho: ${message}`]);
    });

    it('the value has become none', () => {
      const { problems } = watch(steer(readings$, halving, property(object, 'rho')));
      object.rho = Number.NaN;
      send(20);
      object.rho = 6;
      send(20);
      expect(object.rho).toBe(3);
      expect(problems.map(({ message }) => message)).toEqual([
        'the present value must be a finite number, but it is NaN.',
      ]);
    });

    it('a subscriber throws', () => {
      const steering = steer(readings$, halving, property(object, 'rho'));
      const { problems } = watch(steering);
      steering.values$.subscribe(fail);
      steering.changes$.subscribe(fail);
      steering.problems$.subscribe(fail);
      send(20, 20);
      expect(object.rho).toBe(2);
      expect(problems.map(({ step, message }) => [step, message])).toEqual(
        [10, 10, 20, 20].map((step) => [step, 'a subscriber threw: at fault']),
      );
      expect(warnings().sort()).toEqual([
        'tfjs-sharpness, steer rho: a subscriber threw: at fault',
        'tfjs-sharpness, steer rho: a subscriber to problems$ threw: Error: at fault',
      ]);
    });

    it('the stream of readings fails, which ends it', () => {
      const { problems, completed } = watch(steer(readings$, halving, property(object, 'rho')));
      send(20);
      readings$.error(new Error('no more'));
      expect(problems.map(({ step, message }) => [step, message])).toEqual([
        [10, 'the stream of readings failed: no more'],
      ]);
      expect(completed).toEqual(['values', 'changes', 'problems']);
    });
  });

  it.each<[string, unknown[], string]>([
    ['no readings', [], 'steer: the stream of readings is missing'],
    ['the callback itself', [{ readings$: new Subject() }, halving], 'steer: the stream of readings is missing'],
    ['no controller', [new Subject()], 'steer: the controller is missing'],
    ['half a controller', [new Subject(), { begin() {} }], 'steer: the controller is missing'],
    ['no setting', [new Subject(), halving], 'steer: the setting { name, get, set } is missing'],
    ['a bare setter', [new Subject(), halving, () => {}], 'steer: the setting { name, get, set } is missing'],
    [
      'a setting without a name',
      [new Subject(), halving, { name: '', get: () => 1, set() {} }],
      'steer: the setting { name, get, set } is missing',
    ],
    [
      'a setting without a value',
      [new Subject(), halving, { name: 'rho', get: () => Number.NaN, set() {} }],
      'the present value must be a finite number, but it is NaN.',
    ],
  ])('refuses %s at the call, in one line', (_, args, message) => {
    const call = () => (steer as (...args: unknown[]) => unknown)(...args);
    expect(call).toThrow(message);
    expect(call).toThrow(/^[^\n]+$/);
    expect((args[0] as Subject<unknown> | undefined)?.observed).not.toBe(true);
  });
});

function fail(): never {
  throw new Error('at fault');
}

describe('in training', () => {
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let tensorsBefore: number;
  beforeEach(() => {
    tensorsBefore = tf.memory().numTensors;
    x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
    y = tf.tensor2d(Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? [1, 0] : [0, 1])));
  });
  afterEach(() => {
    tf.dispose([x, y]);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });

  function network(optimizer: tf.Optimizer) {
    const dense = (units: number, activation: 'relu' | 'softmax', seed: number) =>
      tfl.layers.dense({
        units,
        activation,
        inputShape: [3],
        kernelInitializer: tfl.initializers.heNormal({ seed }),
      });
    const model = tfl.sequential({ layers: [dense(3, 'relu', 1), dense(2, 'softmax', 2)] });
    model.compile({ loss: 'categoricalCrossentropy', optimizer });
    return model;
  }
  const train = (model: tfl.Sequential, callback: tfl.CustomCallback | tfl.Callback, epochs: number) =>
    model.fit(x, y, { batchSize: 4, shuffle: false, epochs, verbose: 0, callbacks: [callback as tfl.Callback] });
  const weightsOf = (model: tfl.Sequential) => model.getWeights().map((weight) => Array.from(weight.dataSync()));
  /** Takes a tenth off after every reading. */
  const shrinking: Controller<{ value: number }> = {
    begin: (value) => ({ value }),
    next: ({ value }) => ({ value: 0.9 * value }),
  };

  it.each<[string, () => tf.Optimizer]>([
    ['sgd', () => tf.train.sgd(0.5)],
    ['adam', () => tf.train.adam(0.05)],
  ])('%s ends where it does with the rates set by hand, over two fits', async (_, make) => {
    const steered = network(make());
    const sharpness = minimumSharpness({ data: x, every: { batches: 2 } });
    const steering = steer(sharpness.readings$, shrinking, learningRateOf(steered));
    const { changes, problems } = watch(steering);
    for (const epochs of [2, 1]) {
      await train(steered, sharpness, epochs);
    }
    sharpness.dispose();

    const byHand = network(make());
    let step = 0;
    let rate = byHand.optimizer.getConfig().learningRate as number;
    const rates: number[] = [];
    const schedule = new tfl.CustomCallback({
      onBatchEnd: async () => {
        if (++step % 2 !== 0) {
          return;
        }
        rate *= 0.9;
        rates.push(rate);
        setLearningRate(byHand.optimizer, rate);
      },
    });
    for (const epochs of [2, 1]) {
      await train(byHand, schedule, epochs);
    }

    expect(weightsOf(steered)).toEqual(weightsOf(byHand));
    expect(changes.map(({ value }) => value)).toEqual(rates);
    expect(changes.map(({ step, epoch }) => [step, epoch])).toEqual([
      [2, 0],
      [4, 1],
      [6, 1],
      [8, 0],
    ]);
    expect(problems).toEqual([]);
    for (const model of [steered, byHand]) {
      model.optimizer.dispose();
      model.dispose();
    }
  });

  it('goes on from the rate of another optimizer after compile', async () => {
    const model = network(tf.train.sgd(0.5));
    const first = model.optimizer;
    const sharpness = minimumSharpness({ data: x });
    const { values } = watch(steer(sharpness.readings$, shrinking, learningRateOf(model)));
    await train(model, sharpness, 2);
    model.compile({ loss: 'categoricalCrossentropy', optimizer: tf.train.sgd(0.1) });
    await train(model, sharpness, 1);
    expect(values.map(({ value }) => value)).toEqual([0.9 * 0.5, 0.9 * 0.9 * 0.5, 0.9 * 0.1]);
    sharpness.dispose();
    first.dispose();
    model.optimizer.dispose();
    model.dispose();
  });

  it('is not stopped by a setting that throws', async () => {
    const model = network(tf.train.sgd(0.5));
    const sharpness = minimumSharpness({ data: x });
    const steering = steer(sharpness.readings$, shrinking, { name: 'nothing', get: () => 1, set: fail });
    const { problems, values } = watch(steering);
    const callbackProblems: unknown[] = [];
    sharpness.problems$.subscribe((problem) => callbackProblems.push(problem));
    const history = await train(model, sharpness, 3);
    expect(history.epoch).toEqual([0, 1, 2]);
    expect(problems.map(({ step, epoch, message }) => [step, epoch, message])).toEqual([
      [3, 0, 'at fault'],
      [6, 1, 'at fault'],
      [9, 2, 'at fault'],
    ]);
    expect(values).toEqual([]);
    expect(callbackProblems).toEqual([]);
    sharpness.dispose();
    model.optimizer.dispose();
    model.dispose();
  });
});
