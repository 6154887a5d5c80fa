import * as tfl from '@tensorflow/tfjs-layers';
import type { Subscription } from 'rxjs';
import type { SharpnessReading } from '../../measure/reading.js';
import { FitCallback } from '../../tfjs/fit-callback.js';
import { copyWeights, type WeightCopies } from '../../tfjs/saved-weights.js';
import { isBeingTrained } from '../../tfjs/trained-model.js';
import { warnOnce } from '../../warnings.js';
import { isNotRead, type Logs, loggedValue } from '../logged-values.js';
import type { SharpnessCallback } from '../minimum-sharpness.js';
import { BatchMeans } from './batch-means.js';
import { type Average, nextAverage } from './smoothing.js';
import { type Criterion, change } from './stopping-criterion.js';
import {
  checkStoppingOptions,
  type EarlyStoppingOptions,
  type ReadingField,
  type StoppingSettings,
} from './stopping-options.js';

/** What {@link earlyStopping} returns. Its findings describe the current fit, or the last. */
export interface EarlyStopping extends tfl.Callback {
  /** The best value of the monitored field, smoothed where that is asked for, if there was a number yet. */
  readonly best: number | undefined;
  /** Zero-based epoch of the best value, if there was a number yet. */
  readonly bestEpoch: number | undefined;
  /** Zero-based epoch in which training was stopped by this callback, if it was. */
  readonly stoppedEpoch: number | undefined;
  /**
   * Frees the copies of the best weights. Needed only after a fit that threw, if no other fit follows: a fit that ends frees
   * them, and so does the next one when it begins. During a fit it ends the watching: this fit is neither stopped nor are
   * weights put back.
   */
  dispose(): void;
}

/**
 * A callback that stops `fit` or `fitDataset` when a field of the epoch logs, or of a sharpness callback's readings, has
 * stopped improving.
 *
 * ```ts
 * callbacks: [minimumSharpness({ data: xTrain }), earlyStopping({ monitor: 'minimumSharpness', patience: 5 })]
 * ```
 *
 * `monitor`, `minDelta`, `patience`, `mode`, `baseline`, `startFromEpoch`, `restoreBestWeights` and `verbose` mean what they
 * mean in Keras 3's EarlyStopping (https://keras.io/api/callbacks/early_stopping): a value improves if it is better than the
 * best one by more than `minDelta`. Each fit starts anew.
 *
 * **When.** `'plateau'`: after `patience` epochs in a row without improvement. `'worsensAsLossFalls'`: the value got worse by
 * more than `minDelta` and the training loss fell, each against the epoch before, `patience` times in a row. For a training
 * that is done, and flat: `{ when: 'plateau', startFromAccuracy: 0.99 }`.
 *
 * **Best weights.** The copies are taken at every improvement: all weights, also those that are not trained, but not the
 * state of the optimizer. They are put back, bit for bit, when training ends: if this callback stopped it, if the epochs ran
 * out, or if someone else set `model.stopTraining`. MS can be lowest in the first epochs, before anything was learned:
 * `startFromEpoch` or `startFromAccuracy` keep those from being the best.
 *
 * **Logs.** The callback must stand after the one that sets the field. Patience counts epochs; of a sharpness callback's field those
 * with a reading of their own, neither those that carry one forward nor those whose reading failed. In a field of somebody
 * else's, NaN is never an improvement; before the first number it does not count against patience either. An epoch without the
 * field does not count, and one line says so.
 *
 * **Readings.** With `{ readings: sharpness }` patience counts readings: training ends right at one, also in the middle
 * of an epoch. `monitor` is then a field of the reading, such as `'minimumSharpness'` or `'trace'`. Loss and accuracy,
 * where they are needed, are fetched after every batch and averaged since the reading before. The place among the
 * callbacks does not matter. `smoothing` and `standardErrors` keep noise from being taken for a change; the errors of
 * two readings are taken as independent.
 *
 * @throws Error with one line for options that there are not, that contradict each other or are out of range. What can only be
 *   known with the model, such as a field that the logs do not have, is one console warning, and training goes on.
 */
export function earlyStopping(options: EarlyStoppingOptions): EarlyStopping {
  return new EarlyStoppingCallback(options);
}

/** What belongs to one fit. */
interface Fit {
  readonly model: tfl.LayersModel;
  readonly stops: Criterion;
  /** Key of the training accuracy in the logs, where it is needed. */
  readonly accuracy: string | undefined;
  readonly batches: BatchMeans;
  subscription?: Subscription;
  epoch: number;
  /** Whether a batch has begun whose end this callback has not been told of yet. */
  inBatch: boolean;
  /** A reading that came in such a batch. */
  pending?: SharpnessReading;
  readingSeen: boolean;
  /** Epoch logs that did not have the field when it was this callback's turn. */
  incomplete?: Logs;
  /** Whether the user was told why there is nothing to judge. */
  explained: boolean;
  average?: Average;
  best?: Average;
  bestWeights?: WeightCopies;
}

class EarlyStoppingCallback extends FitCallback implements EarlyStopping {
  best: number | undefined;
  bestEpoch: number | undefined;
  stoppedEpoch: number | undefined;

  readonly #settings: StoppingSettings;
  readonly #warn = warnOnce('tfjs-sharpness, earlyStopping');
  #fit: Fit | undefined;

  constructor(options: EarlyStoppingOptions) {
    super();
    this.#settings = checkStoppingOptions(options);
  }

  dispose(): void {
    this.#fit?.subscription?.unsubscribe();
    this.#fit?.bestWeights?.dispose();
    this.#fit = undefined;
  }

  override async onTrainBegin(): Promise<void> {
    const before = this.#fit?.model;
    this.dispose(); // a fit that threw has left its copies
    this.best = undefined;
    this.bestEpoch = undefined;
    this.stoppedEpoch = undefined;
    const model = this.beginFit();
    if (model === null) {
      return;
    }
    if (isBeingTrained(before) && before !== model) {
      this.complain('this callback serves two fits at the same time, which it cannot: make one for each.');
    }
    const fit: Fit = {
      model,
      stops: this.#settings.criterion(),
      accuracy: this.#accuracyField(),
      batches: new BatchMeans(),
      epoch: 0,
      inBatch: false,
      readingSeen: false,
      explained: false,
    };
    this.#fit = fit;
    if (this.#settings.readings) {
      this.#subscribe(fit, this.#settings.readings);
    } else {
      this.#checkValidation(fit);
    }
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    const fit = this.#fit;
    if (fit === undefined) {
      return;
    }
    this.#explainIncompleteLogs(fit);
    fit.epoch = epoch;
  }

  override async onBatchBegin(): Promise<void> {
    if (this.#fit) {
      this.#fit.inBatch = true;
    }
  }

  override async onBatchEnd(_batch: number, logs: Logs = {}): Promise<void> {
    const fit = this.#fit;
    if (fit === undefined) {
      return;
    }
    const { readings, needsLoss } = this.#settings;
    if (readings !== undefined && (needsLoss || fit.accuracy !== undefined)) {
      const size = (await loggedValue(logs, 'size')) ?? 0;
      const loss = (await loggedValue(logs, 'loss')) ?? Number.NaN;
      const accuracy = (await loggedValue(logs, fit.accuracy)) ?? Number.NaN;
      fit.batches.add(size, loss, accuracy);
    }
    fit.inBatch = false;
    const { pending } = fit;
    fit.pending = undefined;
    if (pending) {
      this.#takeReading(fit, pending);
    }
  }

  override async onEpochEnd(epoch: number, logs: Logs = {}): Promise<void> {
    const fit = this.#fit;
    const { monitor, readings } = this.#settings;
    if (fit === undefined || readings !== undefined || isNotRead(logs, monitor)) {
      return;
    }
    const value = await loggedValue(logs, monitor);
    if (value === undefined) {
      // Where training was stopped in the middle of an epoch, validation was left out.
      if (!fit.model.stopTraining) {
        fit.incomplete = logs;
      }
      return;
    }
    fit.epoch = epoch;
    const loss = (await loggedValue(logs, 'loss')) ?? Number.NaN;
    const accuracy = (await loggedValue(logs, fit.accuracy)) ?? Number.NaN;
    this.#judge(fit, { value, standardError: 0, loss, accuracy });
  }

  override async onTrainEnd(): Promise<void> {
    const fit = this.#fit;
    if (fit === undefined) {
      return;
    }
    this.#explainIncompleteLogs(fit);
    const { monitor, readings, verbose } = this.#settings;
    if (readings !== undefined && !fit.readingSeen) {
      this.#explain(
        fit,
        'no reading came, so there was nothing to judge: the sharpness callback must be in the same fit and measure in it.',
      );
    }
    if (verbose && this.stoppedEpoch !== undefined) {
      console.log(`Epoch ${this.stoppedEpoch + 1}: early stopping, ${monitor} was best at ${this.best}.`);
    }
    if (fit.bestWeights) {
      fit.bestWeights.restore();
      if (verbose) {
        console.log(`The model has its weights of epoch ${this.bestEpoch! + 1}, the best, again.`);
      }
    }
    this.dispose();
  }

  protected override complain(message: string): void {
    this.#warn(message);
  }

  /** Says why this fit is not stopped, once a fit. */
  #explain(fit: Fit, message: string): void {
    if (!fit.explained) {
      this.complain(message);
    }
    fit.explained = true;
  }

  #subscribe(fit: Fit, readings: Pick<SharpnessCallback, 'readings$'>): void {
    if (readings instanceof tfl.Callback && readings.model !== fit.model) {
      this.#explain(
        fit,
        'the sharpness callback given as readings is not in the callbacks of this fit: put it there too.',
      );
    }
    let replayed = true; // what comes while subscribing is from an earlier fit
    fit.subscription = readings.readings$.subscribe((reading) => {
      if (replayed) {
        return;
      }
      fit.readingSeen = true;
      // Right after a batch, of which this callback hears next: its loss belongs to the reading.
      if (fit.inBatch) {
        fit.pending = reading;
      } else {
        this.#takeReading(fit, reading);
      }
    });
    replayed = false;
  }

  #takeReading(fit: Fit, reading: SharpnessReading): void {
    const value = reading[this.#settings.monitor as ReadingField] ?? Number.NaN;
    const { standardError } = reading;
    this.#judge(fit, { value, standardError, ...fit.batches.take() });
  }

  #judge(fit: Fit, now: { value: number; standardError: number; loss: number; accuracy: number }): void {
    if (this.#fit !== fit) {
      return; // disposed meanwhile
    }
    const { comparison, startFromEpoch, startFromAccuracy, restoreBestWeights } = this.#settings;
    if (fit.epoch < startFromEpoch || (startFromAccuracy !== undefined && !(now.accuracy >= startFromAccuracy))) {
      return;
    }
    if (fit.best === undefined && Number.isNaN(now.value)) {
      return;
    }
    const current = nextAverage(fit.average, now.value, now.standardError, comparison.smoothing);
    if (Number.isFinite(now.value)) {
      fit.average = current;
    }
    const improved = fit.best === undefined || change(current, fit.best, comparison) === 'better';
    if (improved) {
      fit.best = current;
      this.best = current.value;
      this.bestEpoch = fit.epoch;
      fit.bestWeights?.dispose();
      if (restoreBestWeights) {
        fit.bestWeights = copyWeights(fit.model);
      }
    }
    if (fit.stops({ current, improved, loss: now.loss })) {
      this.stoppedEpoch = fit.epoch;
      fit.model.stopTraining = true;
    }
  }

  /** Key of the training accuracy in the logs, if it is needed; complains where there is none. */
  #accuracyField(): string | undefined {
    if (this.#settings.startFromAccuracy === undefined) {
      return undefined;
    }
    const fields = this.params.metrics as string[];
    const field = fields.find((each) => /(^|_)acc$|accuracy$/i.test(each)); // training comes before validation
    if (field === undefined) {
      this.complain(
        `startFromAccuracy needs an accuracy, but the logs will have only ${fields.join(', ')}: training is not stopped. ` +
          "Compile the model with metrics: ['accuracy'].",
      );
    }
    return field;
  }

  /** Other callbacks may add any field, but what begins with `val_` and goes on as a metric comes from validation. */
  #checkValidation(fit: Fit): void {
    const { monitor } = this.#settings;
    const fields = this.params.metrics as string[];
    if (monitor.startsWith('val_') && fields.includes(monitor.slice(4)) && !fields.includes(monitor)) {
      this.#explain(
        fit,
        `the epoch logs will have no "${monitor}", only ${fields.join(', ')}: training is not stopped. ` +
          'Pass validationData or validationSplit to fit.',
      );
    }
  }

  /** By now every callback has been told of the epoch: did a later one set the field, or nobody? */
  #explainIncompleteLogs(fit: Fit): void {
    const { monitor } = this.#settings;
    const { incomplete } = fit;
    fit.incomplete = undefined;
    if (incomplete === undefined) {
      return;
    }
    if (Object.hasOwn(incomplete, monitor)) {
      this.#explain(
        fit,
        `it stands before the callback that sets "${monitor}", and so does not see it: training is not stopped. ` +
          'Put earlyStopping after that callback.',
      );
    } else {
      this.#explain(
        fit,
        `the epoch logs have no "${monitor}", only ${Object.keys(incomplete).join(', ') || 'nothing'}: ` +
          'training is not stopped.',
      );
    }
  }
}
