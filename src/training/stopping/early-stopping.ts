import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Subscription } from 'rxjs';
import type { SharpnessReading } from '../../measure/reading.js';
import { FitCallback } from '../../tfjs/fit-callback.js';
import { copyAsWeights, copyWeights, type WeightCopies } from '../../tfjs/saved-weights.js';
import { isBeingTrained } from '../../tfjs/trained-model.js';
import { reasonOf, warnOnce } from '../../warnings.js';
import { isNotRead, type Logs, loggedValue, readingIn } from '../logged-values.js';
import type { SharpnessCallback } from '../minimum-sharpness.js';
import { BatchMeans, RecentLoss } from './batch-means.js';
import { BROKEN, standingOf, wantsFirst, withFirstBatch } from './loss-guard.js';
import {
  checkStoppingOptions,
  DEFAULT_LOSS_MARGIN,
  type EarlyStoppingOptions,
  type ReadingField,
  type StoppingSettings,
} from './stopping-options.js';
import { judge, lossSince, type Observation, type RuleState, untold } from './stopping-rule.js';
import { type StoppingState, savedState } from './stopping-state.js';

/** What {@link earlyStopping} returns. Its findings describe the current fit, or the last. */
export interface EarlyStopping extends tfl.Callback {
  /** The best value of the monitored field, smoothed where that is asked for, if there was a number yet. */
  readonly best: number | undefined;
  /** Zero-based epoch of the best value, if there was a number yet. */
  readonly bestEpoch: number | undefined;
  /** Zero-based epoch in which training was stopped by this callback, if it was. */
  readonly stoppedEpoch: number | undefined;
  /**
   * All that it remembers of the current fit, or the last, but the best weights: plain data for `JSON.stringify`. In `onEpochEnd` of
   * a callback that stands after this one, it includes that epoch. `earlyStopping({ ..., state })` goes on from there.
   */
  readonly state: StoppingState;
  /**
   * With `restoreBestWeights`, while a fit runs: the weights of the best value, in the order of `model.getWeights()`. They are this
   * callback's, which disposes them; to be saved beside `state`.
   */
  readonly bestWeights: readonly tf.Tensor[] | undefined;
  /**
   * Puts the best weights back now, as the end of a fit does. For after a fit that threw, with `restoreBestWeights`: tf.js does not
   * tell callbacks of that. During a fit it ends the watching, as `dispose` does.
   *
   * @returns whether there were any.
   */
  restore(): boolean;
  /**
   * Frees the copies of the best weights. Needed only after a fit that threw, if neither `restore` nor another fit follows: a fit that
   * ends frees them, and so does the next one when it begins. During a fit it ends the watching: this fit is neither stopped nor are
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
 * best one by more than `minDelta`. Each fit starts anew; with `state`, the first one goes on where an earlier one was.
 *
 * **When.** `'plateau'`: after `patience` epochs in a row without improvement. `'worsensAsLossFalls'`: the value got worse by
 * more than `minDelta` and the training loss fell, each against the epoch before, `patience` times in a row. For a training
 * that is done, and flat: `{ when: 'plateau', startFromAccuracy: 0.99 }`.
 *
 * **Best weights.** The copies are taken at every improvement: all weights, also those that are not trained, but not the
 * state of the optimizer. They are put back, bit for bit, when training ends: if this callback stopped it, if the epochs ran
 * out, or if someone else set `model.stopTraining`. After a fit that threw, `restore()` does it. `startFromEpoch` and `startFromAccuracy`
 * keep the first epochs from being the best.
 *
 * **At similar loss.** Minimum Sharpness is low before anything is learned, and about 0 in a network that has broken down. So it is only
 * compared at similar loss. With f the loss of the first batch (of as many as hold 8 samples) and m the lowest mean training loss of an
 * epoch so far, an epoch whose loss is above
 *
 *     m + lossMargin × max(|f|, |m|)
 *
 * is no improvement, however flat, and counts against patience; and a best epoch whose loss is above that by now gives way to the
 * present one, with which waiting begins anew. The loss of an epoch is the mean over its batches, MS is that of the weights at its
 * end: where the first batch after it and the next epoch are both above m + max(0.5, lossMargin) × max(|f|, |m|), an improvement is taken
 * back. A reading that knows labels and says that the network has collapsed is not the best either. As long as no epoch had less than twice
 * f, nothing is judged, unless a reading says that nothing has collapsed. Where a network has broken down or learns nothing, one line says
 * so. A loss that is not finite ends training: with `readings` at once, else at the latest at the end of its epoch.
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
  /** Key of the training accuracy in the logs, where it is needed. */
  readonly accuracy: string | undefined;
  readonly batches: BatchMeans;
  readonly recent: RecentLoss;
  subscription?: Subscription;
  epoch: number;
  /** Whether a batch has begun whose end this callback has not been told of yet. */
  inBatch: boolean;
  /** Loss of the first batch since the last judgement. */
  firstLoss?: number;
  /** A reading that came in such a batch. */
  pending?: SharpnessReading;
  readingSeen: boolean;
  /** Epoch logs that did not have the field when it was this callback's turn. */
  incomplete?: Logs;
  /** Whether the user was told why there is nothing to judge. */
  explained: boolean;
  /** Whether the user was told what the guard did. */
  guarded: boolean;
  bestWeights?: WeightCopies;
  /** Those of the best before, as long as the best is in doubt. */
  weightsBefore?: WeightCopies;
}

class EarlyStoppingCallback extends FitCallback implements EarlyStopping {
  best: number | undefined;
  bestEpoch: number | undefined;
  stoppedEpoch: number | undefined;

  readonly #settings: StoppingSettings;
  readonly #warn = warnOnce('tfjs-sharpness, earlyStopping');
  #rule: RuleState;
  #begun = false;
  #fit: Fit | undefined;

  constructor(options: EarlyStoppingOptions) {
    super();
    this.#settings = checkStoppingOptions(options);
    this.#rule = this.#settings.begin ?? untold;
    this.#showBest();
  }

  get state(): StoppingState {
    return savedState(this.#rule, this.#settings.identity, this.stoppedEpoch);
  }

  get bestWeights(): readonly tf.Tensor[] | undefined {
    return this.#fit?.bestWeights?.tensors;
  }

  restore(): boolean {
    const weights = this.#fit?.bestWeights;
    weights?.restore();
    this.dispose();
    return weights !== undefined;
  }

  dispose(): void {
    this.#fit?.subscription?.unsubscribe();
    this.#fit?.bestWeights?.dispose();
    this.#fit?.weightsBefore?.dispose();
    this.#fit = undefined;
  }

  override async onTrainBegin(): Promise<void> {
    const before = this.#fit?.model;
    this.dispose(); // a fit that threw has left its copies
    const { begin, bestWeights, readings } = this.#settings;
    const isFirst = !this.#begun;
    this.#rule = (isFirst ? begin : undefined) ?? untold;
    this.#showBest();
    this.stoppedEpoch = undefined;
    const model = this.beginFit();
    if (model === null) {
      return;
    }
    this.#begun = true;
    if (isBeingTrained(before) && before !== model) {
      this.complain('this callback serves two fits at the same time, which it cannot: make one for each.');
    }
    const fit: Fit = {
      model,
      accuracy: this.#accuracyField(),
      batches: new BatchMeans(),
      recent: new RecentLoss(),
      epoch: 0,
      inBatch: false,
      readingSeen: false,
      explained: false,
      guarded: false,
    };
    this.#fit = fit;
    if (isFirst && bestWeights !== undefined) {
      this.#takeOver(fit, bestWeights);
    }
    if (readings) {
      this.#subscribe(fit, readings);
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
    if (this.#settings.readings === undefined) {
      fit.firstLoss = undefined;
    }
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
    const { readings, needsLoss, lossMargin, stopOnNaN } = this.#settings;
    const usesLoss = needsLoss || stopOnNaN || lossMargin !== Number.POSITIVE_INFINITY;
    // In the logs of an epoch stands the mean of its losses.
    const isFirst = fit.firstLoss === undefined || wantsFirst(this.#rule.losses);
    if (readings === undefined ? usesLoss && isFirst : usesLoss || fit.accuracy !== undefined) {
      const loss = await loggedValue(logs, 'loss');
      const size = (await loggedValue(logs, 'size')) ?? 0;
      fit.firstLoss ??= loss;
      if (loss !== undefined && this.#fit === fit) {
        this.#rule = { ...this.#rule, losses: withFirstBatch(this.#rule.losses, loss, size) };
      }
      if (readings !== undefined) {
        fit.batches.add(size, loss ?? Number.NaN, (await loggedValue(logs, fit.accuracy)) ?? Number.NaN);
        if (loss !== undefined) {
          fit.recent.add(loss);
        }
      }
      this.#stopOnNaN(fit, loss);
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
    const { monitor, readings, lossMargin } = this.#settings;
    if (fit === undefined) {
      return;
    }
    fit.recent.endEpoch();
    if (readings !== undefined) {
      return;
    }
    const loss = await loggedValue(logs, 'loss');
    const reading = readingIn(logs, monitor);
    const margin = lossMargin ?? DEFAULT_LOSS_MARGIN;
    this.#hear(fit, loss, margin);
    const value = isNotRead(logs, monitor) ? undefined : await loggedValue(logs, monitor);
    if (value !== undefined) {
      fit.epoch = epoch;
      const accuracy = await loggedValue(logs, fit.accuracy);
      const seen = { epoch, value, standardError: 0, loss, steadyLoss: loss, accuracy, collapsed: reading?.collapsed };
      // What is not known to be sharpness is guarded where that is asked for.
      this.#judge(fit, { ...seen, margin: reading ? margin : (lossMargin ?? Number.POSITIVE_INFINITY) });
    } else if (!isNotRead(logs, monitor) && !fit.model.stopTraining) {
      // Where training was stopped in the middle of an epoch, validation was left out.
      fit.incomplete = logs;
    }
    this.#stopOnNaN(fit, loss);
  }

  override async onTrainEnd(): Promise<void> {
    const fit = this.#fit;
    if (fit === undefined) {
      return;
    }
    this.#explainIncompleteLogs(fit);
    const { monitor, readings, verbose, restoreBestWeights } = this.#settings;
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
    } else if (restoreBestWeights && this.bestEpoch !== undefined) {
      this.complain(
        `the best epoch, ${this.bestEpoch + 1}, was before the state that was given, and its weights are not known: the model keeps its last ones.`,
      );
    }
    this.dispose();
  }

  protected override complain(message: string): void {
    this.#warn(message);
  }

  #showBest(): void {
    this.best = this.#rule.best?.value;
    this.bestEpoch = this.#rule.best?.epoch;
  }

  /** Copies the best weights of an earlier run, as far as they are this model's. */
  #takeOver(fit: Fit, tensors: readonly tf.Tensor[]): void {
    try {
      fit.bestWeights = copyAsWeights(fit.model, tensors);
    } catch (error) {
      this.complain(`bestWeights: ${reasonOf(error)}`);
    }
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
    const { monitor, lossMargin } = this.#settings;
    const isSharpness = monitor === 'minimumSharpness' || monitor === 'trace';
    const margin = lossMargin ?? (isSharpness ? DEFAULT_LOSS_MARGIN : Number.POSITIVE_INFINITY);
    const steadyLoss = fit.recent.mean;
    this.#hear(fit, steadyLoss, margin);
    fit.firstLoss = undefined;
    const seen = { epoch: fit.epoch, value, standardError, steadyLoss, collapsed: reading.collapsed, margin };
    this.#judge(fit, { ...seen, ...fit.batches.take() });
  }

  /** Hears the loss since the last judgement, which may show that the last improvement was none. */
  #hear(fit: Fit, mean: number | undefined, margin: number): void {
    if (this.#fit !== fit) {
      return; // disposed meanwhile
    }
    const { state, takenBack } = lossSince(this.#rule, fit.firstLoss, mean, margin);
    if (takenBack) {
      this.#sayBroken(
        fit,
        mean,
        `the loss right after epoch ${this.bestEpoch! + 1} was ${fit.firstLoss!.toPrecision(3)}, and ${mean!.toPrecision(3)} from there on, ` +
          'far above what it had been: the network had broken down, and that epoch is not the best.',
      );
      fit.bestWeights?.dispose();
      fit.bestWeights = fit.weightsBefore;
      fit.weightsBefore = undefined;
    } else if (state.doubted === undefined) {
      fit.weightsBefore?.dispose();
      fit.weightsBefore = undefined;
    }
    this.#rule = state;
    this.#showBest();
  }

  #judge(fit: Fit, seen: Observation): void {
    if (this.#fit !== fit) {
      return; // disposed meanwhile
    }
    const { losses } = this.#rule;
    const { state, improved, stops, refused } = judge(this.#rule, seen, this.#settings);
    this.#rule = state;
    this.#showBest();
    if (improved) {
      fit.weightsBefore?.dispose();
      fit.weightsBefore = fit.bestWeights;
      if (state.doubted === undefined) {
        fit.weightsBefore?.dispose();
        fit.weightsBefore = undefined;
      }
      fit.bestWeights = this.#settings.restoreBestWeights ? copyWeights(fit.model) : undefined;
    }
    if (refused === 'high') {
      this.#sayBroken(
        fit,
        seen.steadyLoss,
        `the loss of epoch ${seen.epoch + 1} is far above what it had been, ${losses.lowest?.toPrecision(3)}: the network has broken ` +
          'down, and such an epoch is not the best, however flat.',
      );
    } else if (refused === 'unlearned') {
      this.#sayGuarded(
        fit,
        `the loss of epoch ${seen.epoch + 1} is far above that of the first batch, ${losses.first?.toPrecision(3)}: as long as nothing ` +
          'is learned, nothing is judged. A lower learning rate may help; if the model was trained before, and the first batch was an easy ' +
          'one, lossMargin: false judges all.',
      );
    } else if (refused === 'collapsed') {
      this.#sayGuarded(
        fit,
        `the network has collapsed in epoch ${seen.epoch + 1}, as its reading says: such an epoch is not the best, however flat.`,
      );
    }
    if (stops) {
      this.#stop(fit);
    }
  }

  #stop(fit: Fit): void {
    this.stoppedEpoch = fit.epoch;
    fit.model.stopTraining = true;
  }

  #stopOnNaN(fit: Fit, loss: number | undefined): void {
    if (loss === undefined || Number.isFinite(loss) || !this.#settings.stopOnNaN || this.#fit !== fit) {
      return;
    }
    if (this.stoppedEpoch === undefined) {
      this.complain(
        `epoch ${fit.epoch + 1}: the training loss is ${loss}, from which weights do not come back: training was stopped. ` +
          'stopOnNaN: false goes on.',
      );
    }
    this.#stop(fit);
  }

  /** The same where the loss is not only higher than those that are compared, but as if little had been learned. */
  #sayBroken(fit: Fit, loss: number | undefined, message: string): void {
    if (standingOf(loss, this.#rule.losses, BROKEN) === 'high') {
      this.#sayGuarded(fit, message);
    }
  }

  /** Says what the guard did, once a fit. */
  #sayGuarded(fit: Fit, message: string): void {
    if (!fit.guarded) {
      this.complain(message);
    }
    fit.guarded = true;
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
