import type * as tfl from '@tensorflow/tfjs-layers';
import type { Observable } from 'rxjs';
import { checkMeasurable } from '../measure/measurable.js';
import { estimateSharpness, measureSharpness } from '../measure/measure-sharpness.js';
import type { SharpnessReading } from '../measure/reading.js';
import { FitCallback } from '../tfjs/fit-callback.js';
import { isBeingTrained } from '../tfjs/trained-model.js';
import { informOnce } from '../warnings.js';
import { checkCallbackOptions, type MinimumSharpnessOptions } from './callback-options.js';
import type { Logs } from './logged-values.js';
import { type Monitor, monitorOf } from './monitor.js';
import type { Problem } from './problems.js';
import type { Measuring } from './sharpness-reader.js';
import type { EpochLogs } from './streams/epoch-logs.js';

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
 * its own, because none was due or there was no time for it, carries the latest one forward. An epoch whose last reading
 * failed has `NaN`, and so has one before a model's first reading. So all histories have one entry an epoch. `earlyStopping`
 * knows which of them are readings; `tf.callbacks.earlyStopping` sees numbers alone, and its patience counts every epoch.
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
 * **Errors.** A measurement that fails, and a subscriber that throws or rejects, leave training alone: see `problems$`. What is wrong
 * with `data` or the model is there when training begins; of a dataset, whose batches are not read before, after the first of them.
 *
 * @throws Error with one line for options that there are not, that contradict each other or are out of range. What can only be
 *   known with the model, such as a loss that is not supported, goes to `problems$` and one console warning when training begins.
 */
export function minimumSharpness(options: MinimumSharpnessOptions = {}): SharpnessCallback {
  return new MinimumSharpnessCallback(options, {
    whole: measureSharpness,
    minibatch: estimateSharpness,
    check: checkMeasurable,
  });
}

// One hint a process is enough, however many callbacks a hyperparameter search makes.
const hint = informOnce('tfjs-sharpness');
const HINT =
  'measuring on single minibatches, whose values are noisy once the network is sure of most samples. ' +
  'minimumSharpness({ data: xTrain }) measures on the training set.';

/** What tells the monitor of a fit, with the measuring functions passed in. */
export class MinimumSharpnessCallback extends FitCallback implements SharpnessCallback {
  readonly readings$: Observable<SharpnessReading>;
  readonly logs$: Observable<EpochLogs>;
  readonly problems$: Observable<Problem>;
  readonly #monitor: Monitor;
  readonly #hasData: boolean;

  constructor(options: MinimumSharpnessOptions, measuring: Measuring) {
    super();
    const settings = checkCallbackOptions(options);
    this.#monitor = monitorOf(settings, measuring);
    this.#hasData = settings.data !== undefined;
    this.readings$ = this.#monitor.readings$;
    this.logs$ = this.#monitor.logs$;
    this.problems$ = this.#monitor.problems.problems$;
  }

  get latest(): SharpnessReading | undefined {
    return this.#monitor.latest;
  }

  dispose(): void {
    this.#monitor.dispose();
  }

  override setModel(model: Parameters<tfl.Callback['setModel']>[0]): void {
    // `fit` refuses to train a model twice at once, but two models may train at the same time.
    if (this.model !== model && isBeingTrained(this.model)) {
      this.complain(
        'this callback serves two fits at the same time, which mixes their batch counts: make one for each.',
      );
    }
    super.setModel(model);
    this.#monitor.setModel(this.model);
  }

  override async onTrainBegin(): Promise<void> {
    const model = this.beginFit();
    const { disposed, problems } = this.#monitor;
    if (disposed) {
      problems.warn('this callback was disposed and takes no more readings: make a new one with minimumSharpness().');
    }
    this.#monitor.setModel(model);
    this.#monitor.begin();
    if (!disposed && model !== null && !this.#hasData) {
      hint(HINT);
    }
    await this.#monitor.check(this.params?.metrics as string[] | undefined);
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    this.#monitor.epochBegin(epoch);
  }

  override async onBatchBegin(): Promise<void> {
    this.#monitor.batchBegin();
  }

  override onBatchEnd(): Promise<void> {
    return this.#monitor.batchEnd();
  }

  override onEpochEnd(epoch: number, logs?: Logs): Promise<void> {
    return this.#monitor.epochEnd(epoch, logs);
  }

  override async onTrainEnd(): Promise<void> {
    this.#monitor.end();
  }

  protected override complain(message: string): void {
    this.#monitor.problems.skip(message);
  }
}
