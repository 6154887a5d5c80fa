import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Observable, ReplaySubject, Subject } from 'rxjs';
import { checkKnownOptions, checkText, checkWhole } from '../checks.js';
import { isDataset } from '../measure/inputs.js';
import { estimateSharpness, measureSharpness, type SharpnessInputs } from '../measure/measure-sharpness.js';
import { checkMinibatchOptions } from '../measure/methods.js';
import {
  checkMeasureOptions,
  DEFAULT_METHOD,
  isHutchinson,
  type MeasureOptions,
  measureOptionNames,
} from '../measure/options.js';
import type { SharpnessReading } from '../measure/reading.js';
import { FitCallback } from '../tfjs/fit-callback.js';
import { type MinibatchRecorder, recordMinibatches } from '../tfjs/minibatch-recorder.js';
import { checkSchedule, isDue, type Schedule } from './schedule.js';
import type { EpochLogs } from './streams/epoch-logs.js';
import { isolated } from './streams/isolated.js';
import { type TimeBudget, timeBudget } from './time-budget.js';

/** Why a reading, or a part of its way to the user, did not come about. Training goes on. */
export interface Problem {
  /** `failed`: something threw. `skipped`: a reading could not be tried, or not be put into the logs. */
  readonly kind: 'failed' | 'skipped';
  /** Training batches seen when it happened. */
  readonly step: number;
  /** Zero-based epoch in which it happened. */
  readonly epoch: number;
  /** One line. */
  readonly message: string;
  /** What was thrown, if something was. */
  readonly error?: unknown;
}

export interface MinimumSharpnessOptions extends MeasureOptions {
  /**
   * What to measure on: tensors, named tensors or a dataset, as for `measureSharpness`. They stay yours to dispose. The
   * value speaks for all of it, to a relative standard error of 2% unless `method` says otherwise.
   * By default the minibatches that the model is trained on, which is free of a second copy of the data but noisy.
   */
  readonly data?: SharpnessInputs;
  /**
   * When to measure: `{ epochs: k }`, `{ batches: k }`, or `{ overhead: 0.05 }` as often as that takes no more than this share
   * of the training time. Default `{ epochs: 1 }`.
   */
  readonly every?: Schedule;
  /** Key in the epoch logs. Default `'minimumSharpness'`. Two callbacks in one fit need two names. */
  readonly name?: string;
  /** Batches that the model was trained on before this callback saw any, for a resumed run. Default 0. */
  readonly initialStep?: number;
}

const knownOptions = {
  data: true,
  every: true,
  name: true,
  initialStep: true,
  ...measureOptionNames,
} satisfies Record<keyof MinimumSharpnessOptions, true>;

/** A callback for `fit` and `fitDataset` that measures Minimum Sharpness; see {@link minimumSharpness}. */
export interface SharpnessCallback extends tfl.Callback {
  /**
   * Every reading, with `step` and `epoch`. Hot; a late subscriber gets the latest first. It never errors, goes on over
   * several fits, and completes on `dispose()`. What a subscriber throws goes to `problems$`, also from streams piped from
   * this one.
   */
  readonly readings$: Observable<SharpnessReading>;
  /**
   * What `fit` logged of every epoch, as numbers, with this callback's own value in it and without what callbacks after it
   * add. It comes after the epoch's readings, and like them it is hot, replays the latest and completes on `dispose()`.
   */
  readonly logs$: Observable<EpochLogs>;
  /** What went wrong, and when. The first time, each message is also a console warning. Completes on `dispose()`. */
  readonly problems$: Observable<Problem>;
  /** The last reading, if there was one. */
  readonly latest: SharpnessReading | undefined;
  /**
   * Stops measuring, frees every tensor, puts the model back as it was and completes the streams. It may be called at any
   * time, during training too, which goes on. Needed at the end only if `fit` threw or somebody waits for completion.
   */
  dispose(): void;
}

/** The two ways of measuring: on the data that the value shall speak for, and on a random minibatch of it. */
export interface Measuring {
  readonly whole: typeof measureSharpness;
  readonly minibatch: typeof estimateSharpness;
}

/**
 * A callback for `model.fit` and `model.fitDataset` that measures Minimum Sharpness while the model trains.
 *
 * ```ts
 * const sharpness = minimumSharpness({ data: xTrain });
 * sharpness.readings$.subscribe(({ step, minimumSharpness }) => console.log(step, minimumSharpness));
 * await model.fit(xTrain, yTrain, { epochs: 50, callbacks: [sharpness] });
 * ```
 *
 * Training is not touched: it ends with the same weights, bit for bit, as without the callback.
 *
 * **Readings** come after every epoch or every k-th (`{ every: { epochs: 5 } }`, `{ every: { batches: 100 } }`), measured
 * on `data`, or else on minibatches: after a batch on that batch, after an epoch on the first batch of that epoch
 * (with shuffling as random as any, and never the short remainder at the end). A batch measured right after the training
 * step on it, which is what `every: { batches }` without `data` does, reads low: that step has just lowered its own loss. The
 * standard error does not know about it. A reading's `step` is the number of batches that this callback saw over all its
 * fits, plus `initialStep`.
 *
 * With `every: { overhead: share }` a reading is taken after a batch whenever all readings so far and the next one stay within
 * that share of the training time so far. One that turns out dearer than there is time for is given up between two chunks;
 * that, and an epoch without a reading, goes to `problems$` as `skipped`, without a warning.
 *
 * **Logs.** After every epoch the latest value goes into the epoch logs under `name`, so that `history.history`,
 * `earlyStopping` and `tf.node.tensorBoard` see it; those must stand after this callback. An epoch without a reading of
 * its own carries the latest one forward, and an epoch before a model's first reading has `NaN`, so that all histories
 * have one entry an epoch.
 *
 * **Several callbacks** in one fit need their own names:
 *
 * ```ts
 * callbacks: [
 *   minimumSharpness({ data: xTrain }),
 *   minimumSharpness({ data: xValidation, name: 'validationSharpness' }),
 *   new tf.CustomCallback({ onEpochEnd: (epoch, logs) => console.log(epoch, logs) }),
 * ]
 * ```
 *
 * tf.js wants plain-object callbacks wrapped in `tf.CustomCallback` as soon as one callback is not a plain object.
 *
 * **Errors.** A measurement that fails, and a subscriber that throws, leave training alone: see `problems$`.
 *
 * @throws Error with one line for options that there are not, that contradict each other or are out of range. What can only be known with the
 *   model, such as a loss that is not supported, goes to `problems$` and one console warning when it is found.
 */
export function minimumSharpness(options: MinimumSharpnessOptions = {}): SharpnessCallback {
  return new MinimumSharpnessCallback(options, { whole: measureSharpness, minibatch: estimateSharpness });
}

/** A reading that takes up to this many times what there is time for is not given up: what it overdraws is paid back. */
const GRACE = 1.5;

// One hint a process is enough, however many callbacks a hyperparameter search makes.
let hinted = false;
const HINT =
  'tfjs-sharpness: measuring on single minibatches, whose values are noisy once the network is sure of most samples. ' +
  'minimumSharpness({ data: xTrain }) measures on the training set.';

/** The callback itself, with the measuring functions passed in. */
export class MinimumSharpnessCallback extends FitCallback implements SharpnessCallback {
  readonly readings$: Observable<SharpnessReading>;
  readonly logs$: Observable<EpochLogs>;
  readonly problems$: Observable<Problem>;

  readonly #readings = new ReplaySubject<SharpnessReading>(1);
  readonly #logs = new ReplaySubject<EpochLogs>(1);
  readonly #problems = new Subject<Problem>();
  readonly #measuring: Measuring;
  readonly #measureOptions: MeasureOptions;
  readonly #data: SharpnessInputs | undefined;
  readonly #every: Schedule;
  readonly #name: string;
  readonly #budget: TimeBudget | undefined;
  readonly #disposal = new AbortController();
  readonly #warned = new Set<string>();

  #latest: SharpnessReading | undefined;
  /** The reading that epoch logs carry forward, and the model it is of. */
  #carried: { readonly model: tfl.LayersModel; readonly reading: SharpnessReading } | undefined;
  #recorder: MinibatchRecorder | undefined;
  #step: number;
  #epoch = 0;
  #epochsEnded = 0;
  #readThisEpoch = false;
  #failedThisEpoch = false;
  #stepAtEpochBegin = 0;

  constructor(options: MinimumSharpnessOptions, measuring: Measuring) {
    super();
    checkKnownOptions('minimumSharpness', options, knownOptions);
    const { data, every = { epochs: 1 }, name = 'minimumSharpness', initialStep = 0, ...measureOptions } = options;
    checkSchedule(every);
    checkMeasureOptions(measureOptions);
    if (data === null || (data !== undefined && typeof data !== 'object')) {
      throw new Error(`data must be a tensor, several tensors or a dataset, but it is ${data}.`);
    }
    checkText('name', name, 'be a non-empty string, the key of the readings in the epoch logs');
    checkWhole('initialStep', initialStep, { atLeast: 0 });
    for (const option of ['sampleWeight', 'classWeight'] as const) {
      if (data === undefined && measureOptions[option] !== undefined) {
        throw new Error(`${option} needs data: minibatches come without weights and labels. Pass { data, ${option} }.`);
      }
    }
    if (data === undefined) {
      checkMinibatchOptions(measureOptions);
    }
    const needsLabels = measureOptions.classWeight !== undefined || isHutchinson(measureOptions.method);
    if (needsLabels && measureOptions.labels === undefined && !isDataset(data)) {
      const what = isHutchinson(measureOptions.method) ? 'method: { hutchinson }' : 'classWeight';
      throw new Error(`${what} needs labels: pass { data, labels }, or a dataset of { xs, ys } as data.`);
    }
    const { signal } = this.#disposal;
    this.#measureOptions = {
      // All of the data, to 2%, costs less than a batch late in training, where a random minibatch is noise.
      ...(data === undefined ? {} : { method: DEFAULT_METHOD }),
      ...measureOptions,
      signal: measureOptions.signal ? AbortSignal.any([measureOptions.signal, signal]) : signal,
    };
    this.#measuring = measuring;
    this.#data = data;
    this.#every = every;
    this.#budget = every.overhead === undefined ? undefined : timeBudget(every.overhead);
    this.#name = name;
    this.#step = initialStep;
    this.readings$ = isolated(this.#readings, (error) => this.#fail('a subscriber to readings$ threw', error));
    this.logs$ = isolated(this.#logs, (error) => this.#fail('a subscriber to logs$ threw', error));
    this.problems$ = isolated(this.#problems, (error) => this.#warn(`a subscriber to problems$ threw: ${error}`));
  }

  get latest(): SharpnessReading | undefined {
    return this.#latest;
  }

  dispose(): void {
    this.#disposal.abort();
    this.#recorder?.remove();
    this.#recorder = undefined;
    this.#readings.complete();
    this.#logs.complete();
    this.#problems.complete();
  }

  override setModel(model: Parameters<tfl.Callback['setModel']>[0]): void {
    // `fit` refuses to train a model twice at once, but two models may train at the same time.
    if (this.model !== model && (this.model as unknown as { isTraining?: boolean } | null)?.isTraining) {
      this.#skip('this callback serves two fits at the same time, which mixes their batch counts: make one for each.');
    }
    super.setModel(model);
  }

  override async onTrainBegin(): Promise<void> {
    // A fit that threw did not say so: what it left behind goes now.
    this.#recorder?.remove();
    this.#recorder = undefined;
    const model = this.beginFit();
    if (this.#disposal.signal.aborted) {
      this.#warn('this callback was disposed and takes no more readings: make a new one with minimumSharpness().');
    } else if (model !== null && this.#data === undefined) {
      try {
        this.#recorder = recordMinibatches(model);
      } catch (error) {
        this.#fail(undefined, error);
      }
      if (!hinted) {
        console.info(HINT);
      }
      hinted = true;
    }
    this.#budget?.start();
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    this.#epoch = epoch;
    this.#readThisEpoch = false;
    this.#failedThisEpoch = false;
    this.#stepAtEpochBegin = this.#step;
  }

  override async onBatchBegin(): Promise<void> {
    const due = isDue(this.#every, 'batches', this.#step + 1) || isDue(this.#every, 'epochs', this.#epochsEnded + 1);
    if (due || this.#budget?.affords()) {
      this.#recorder?.record();
    }
  }

  override async onBatchEnd(): Promise<void> {
    this.#step++;
    this.#recorder?.stop();
    if (isDue(this.#every, 'batches', this.#step)) {
      await this.#read();
    }
    if (this.#budget?.affords() && !this.#failedThisEpoch && (this.#data !== undefined || this.#recorder?.holds)) {
      await this.#readWithin(this.#budget);
    }
  }

  override async onEpochEnd(epoch: number, logs?: tfl.Logs): Promise<void> {
    this.#epoch = epoch;
    this.#epochsEnded++;
    if (isDue(this.#every, 'epochs', this.#epochsEnded)) {
      await this.#read();
    }
    if (
      this.#budget &&
      !this.#readThisEpoch &&
      !this.#failedThisEpoch &&
      this.model !== null &&
      !this.#disposal.signal.aborted
    ) {
      const { expected } = this.#budget;
      const cost = expected === undefined ? '' : `, and the next takes about ${expected.toFixed(0)} ms`;
      const left = Math.max(0, this.#budget.allowance()).toFixed(0);
      this.#skipQuietly(`no reading in this epoch: readings may take ${left} ms now${cost}.`);
    }
    if (this.model === null || logs === undefined) {
      return;
    }
    if (Object.hasOwn(logs, this.#name)) {
      this.#skip(
        `the epoch logs already have a "${this.#name}" from someone else, which stays: give each callback its own name, minimumSharpness({ name }).`,
      );
    } else {
      logs[this.#name] = this.#carried?.model === this.model ? this.#carried.reading.minimumSharpness : Number.NaN;
    }
    await this.#publish(logs);
  }

  /** The logs of the epoch, for `logs$`. Metrics are scalars until someone needs their value; History disposes them. */
  async #publish(logs: tfl.Logs): Promise<void> {
    if (this.#disposal.signal.aborted) {
      return;
    }
    try {
      const values: Record<string, number> = {};
      for (const [name, value] of Object.entries(logs as Record<string, unknown>)) {
        if (typeof value === 'number') {
          values[name] = value;
        } else if (value instanceof tf.Tensor) {
          values[name] = (await value.data())[0];
        }
      }
      this.#logs.next({
        step: this.#step,
        epoch: this.#epoch,
        batches: this.#step - this.#stepAtEpochBegin,
        logs: values,
      });
    } catch (error) {
      this.#fail('the epoch logs could not be read', error);
    }
  }

  override async onTrainEnd(): Promise<void> {
    this.#recorder?.remove();
    this.#recorder = undefined;
    this.#budget?.stop();
  }

  /** Takes a reading, and gives it up when there is no more time for it. */
  async #readWithin(budget: TimeBudget): Promise<void> {
    const start = performance.now();
    const allowance = budget.allowance();
    const deadline = new AbortController();
    const passed = () => performance.now() - start;
    let seen: number | undefined;
    await this.#read({
      signal: deadline.signal,
      onProgress: (progress) => {
        seen = (progress.total && progress.samples / progress.total) || undefined;
        // The first samples tell what all of them will take at least.
        if (passed() / (seen ?? 1) > GRACE * allowance) {
          deadline.abort();
        }
        this.#measureOptions.onProgress?.(progress);
      },
    });
    budget.spend(passed(), !deadline.signal.aborted, seen);
    if (deadline.signal.aborted) {
      this.#skipQuietly(
        `a reading was given up after ${passed().toFixed(0)} ms: it would have taken more than the ${allowance.toFixed(0)} ms left.`,
      );
    }
  }

  /** @param limits a reading that may be given up, and the signal that says so. */
  async #read(limits?: {
    readonly signal: AbortSignal;
    readonly onProgress: MeasureOptions['onProgress'];
  }): Promise<void> {
    const { model } = this;
    const { signal } = this.#disposal;
    if (model === null || signal.aborted) {
      return;
    }
    const minibatch = this.#recorder?.take();
    const options: MeasureOptions = limits
      ? {
          ...this.#measureOptions,
          onProgress: limits.onProgress,
          signal: AbortSignal.any([limits.signal, this.#measureOptions.signal as AbortSignal]),
        }
      : this.#measureOptions;
    try {
      let reading: SharpnessReading;
      if (this.#data !== undefined) {
        reading = await this.#measuring.whole(model, this.#data, options);
      } else if (minibatch !== undefined) {
        reading = await this.#measuring.minibatch(model, minibatch, options);
      } else {
        this.#skip('no minibatch was seen: pass { data } to minimumSharpness().');
        return;
      }
      if (signal.aborted) {
        return;
      }
      this.#latest = { ...reading, step: this.#step, epoch: this.#epoch };
      this.#carried = { model, reading: this.#latest };
      this.#readThisEpoch = true;
      this.#readings.next(this.#latest);
    } catch (error) {
      if (signal.aborted || limits?.signal.aborted) {
        return;
      }
      if (this.#measureOptions.signal?.aborted) {
        this.#skip('no reading, since the signal given in the options was aborted.');
      } else {
        this.#fail(undefined, error);
      }
      this.#failedThisEpoch = true;
    } finally {
      tf.dispose(minibatch ?? []);
    }
  }

  protected override complain(message: string): void {
    this.#skip(message);
  }

  #skip(message: string): void {
    this.#report({ kind: 'skipped', step: this.#step, epoch: this.#epoch, message });
  }

  /** For what is bound to happen again and again, and as it should. */
  #skipQuietly(message: string): void {
    this.#problems.next({ kind: 'skipped', step: this.#step, epoch: this.#epoch, message });
  }

  #fail(what: string | undefined, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = what === undefined ? reason : `${what}: ${reason}`;
    this.#report({ kind: 'failed', step: this.#step, epoch: this.#epoch, message, error });
  }

  #report(problem: Problem): void {
    this.#warn(problem.message);
    this.#problems.next(problem);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) {
      return;
    }
    this.#warned.add(message);
    console.warn(`tfjs-sharpness, ${this.#name}: ${message}`);
  }
}
