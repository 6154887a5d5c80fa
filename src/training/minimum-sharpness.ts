import type * as tfl from '@tensorflow/tfjs-layers';
import type { Observable } from 'rxjs';
import { checkMeasurable } from '../measure/measurable.js';
import { estimateSharpness, measureSharpness } from '../measure/measure-sharpness.js';
import type { SharpnessReading } from '../measure/reading.js';
import { welcomePlainObjects } from '../tfjs/callback-list.js';
import { FitCallback } from '../tfjs/fit-callback.js';
import { informOnce } from '../warnings.js';
import { checkCallbackOptions, type MinimumSharpnessOptions } from './callback-options.js';
import type { Logs } from './logged-values.js';
import { monitorOf, type TrainingMonitor } from './monitor.js';
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
 * fits, plus `initialStep`. Where it hears of epochs alone, an epoch counts as one batch.
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
 * tf.js wants plain-object callbacks wrapped in `tf.CustomCallback` as soon as one callback is not a plain object. With
 * `minimumSharpness({ model })`, which tells this callback the model that tf.js does not announce to plain objects, they may stand as they
 * are, before it and after it.
 *
 * **Errors.** A measurement that fails, and a subscriber that throws or rejects, leave training alone: see `problems$`. What is wrong
 * with `data`, or with the model where there is `data`, is said when training begins; of a dataset, whose batches are not read before, at
 * the first reading.
 *
 * @throws Error with one line for options that there are not, that contradict each other or are out of range. What can only be
 *   known with the model, such as a loss that is not supported, goes to `problems$` and one console warning, with `data` when training begins, else at the first reading.
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
const inform = informOnce('tfjs-sharpness, minimumSharpness');
const SEVERAL_FITS =
  'this callback serves two fits at the same time, and tf.js does not say which of them a batch is of, so that nothing is read until ' +
  'one has ended: make one for each.';
const TELL = ' Or tell this callback: minimumSharpness({ model }).';
const HINT =
  'measuring on single minibatches, whose values are noisy once the network is sure of most samples. ' +
  'minimumSharpness({ data: xTrain }) measures on the training set.';

/** What tells the monitor of a fit, with the measuring functions passed in. */
export class MinimumSharpnessCallback extends FitCallback implements SharpnessCallback {
  readonly readings$: Observable<SharpnessReading>;
  readonly logs$: Observable<EpochLogs>;
  readonly problems$: Observable<Problem>;
  readonly #monitor: TrainingMonitor;
  readonly #hasData: boolean;
  readonly #given: tfl.LayersModel | undefined;
  /** Where `initialStep` is not given, batches before the first fit are counted by its epochs. */
  #countsBatchesBefore: boolean;
  #servesSeveral = false;

  constructor(options: MinimumSharpnessOptions, measuring: Measuring) {
    super();
    const settings = checkCallbackOptions(options);
    this.#monitor = monitorOf(settings, measuring);
    this.#hasData = settings.data !== undefined;
    this.#countsBatchesBefore = options.initialStep === undefined;
    this.#given = options.model;
    if (this.#given) {
      welcomePlainObjects(this);
    }
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

  override async onTrainBegin(): Promise<void> {
    const model = this.beginFit(this.#given, TELL);
    const { disposed, problems } = this.#monitor;
    if (disposed) {
      problems.warn('this callback was disposed and takes no more readings: make a new one with minimumSharpness().');
    }
    this.#attend();
    if (this.#servesSeveral) {
      return;
    }
    this.#monitor.begin();
    if (!disposed && model !== null && !this.#hasData) {
      hint(HINT);
    }
    await this.#monitor.check(this.params?.metrics as string[] | undefined);
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    this.#attend();
    if (this.#countsBatchesBefore) {
      this.#countBatchesBefore(epoch);
    }
    this.#monitor.epochBegin(epoch);
  }

  override async onBatchBegin(): Promise<void> {
    this.#attend();
    this.#monitor.batchBegin();
  }

  override async onBatchEnd(): Promise<void> {
    this.#attend();
    await this.#monitor.batchEnd();
  }

  override async onEpochEnd(epoch: number, logs?: Logs): Promise<void> {
    this.#attend();
    await this.#monitor.epochEnd(epoch, logs);
  }

  override async onTrainEnd(): Promise<void> {
    if (!this.#servesSeveral) {
      this.#monitor.end();
    }
  }

  protected override complain(message: string): void {
    this.#monitor.problems.skip(message);
  }

  /** Before every event: which model it is about. Nothing is read while that cannot be known. */
  #attend(): void {
    const fitted = this.fittedModel();
    const several = fitted === undefined;
    if (several && !this.#servesSeveral) {
      this.#monitor.end();
      this.complain(SEVERAL_FITS);
    }
    this.#monitor.setModel(several ? undefined : (this.#given ?? fitted));
    if (!several && this.#servesSeveral) {
      this.#monitor.begin();
    }
    this.#servesSeveral = several;
  }

  /** Goes on where a run was left, so that its charts do. */
  #countBatchesBefore(epoch: number): void {
    this.#countsBatchesBefore = false;
    if (epoch === 0) {
      return;
    }
    const { steps, samples, batchSize } = (this.params ?? {}) as {
      readonly [param: string]: number | null | undefined;
    };
    const each = steps ?? (samples && batchSize ? Math.ceil(samples / batchSize) : undefined);
    const begins = `this fit begins at epoch ${epoch} (counted from 0)`;
    if (each === undefined) {
      this.#monitor.problems.warn(`${begins}, and how many batches came before is not known: pass initialStep.`);
    } else {
      this.#monitor.countFrom(epoch * each);
      inform(`${begins}, so that batches are counted from ${epoch} x ${each} on. If that is not so, pass initialStep.`);
    }
  }
}
