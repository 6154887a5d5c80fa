import type * as tf from '@tensorflow/tfjs-core';
import { checkBoolean, checkKnownOptions, checkNumber, checkOneOf, checkText, checkWhole } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import type { SharpnessCallback } from '../minimum-sharpness.js';
import { type Comparison, plateau, worsensAsLossFalls } from './stopping-criterion.js';
import type { RuleState } from './stopping-rule.js';
import { ruleOf, type StoppingState } from './stopping-state.js';

export interface EarlyStoppingOptions {
  /**
   * The field of the epoch logs to watch, for example `'minimumSharpness'` or `'val_loss'`. With `readings`, the field of
   * the reading; then the default is `'minimumSharpness'`.
   */
  readonly monitor?: string;
  /** What ends training: see `earlyStopping`. Default `'plateau'`. */
  readonly when?: 'plateau' | 'worsensAsLossFalls';
  /** A change counts if it is larger than this, in units of the monitored value; of a negative one the size counts. Default 0. */
  readonly minDelta?: number;
  /** Epochs, or readings, that it takes to stop; 0 is like 1. Default 0. */
  readonly patience?: number;
  /** Whether lower (`'min'`) or higher (`'max'`) is better. By default higher for names that contain `acc`, else lower. */
  readonly mode?: 'min' | 'max' | 'auto';
  /** A value to beat: an improvement ends the waiting only if it is better than this too. Default none. */
  readonly baseline?: number;
  /** First epoch (zero-based) that counts: earlier ones neither improve nor stop. Default 0. */
  readonly startFromEpoch?: number;
  /**
   * Least training accuracy that counts, from 0 to 1: where it is lower, nothing improves or stops. The model has to be
   * compiled with `metrics: ['accuracy']`. Default: any.
   */
  readonly startFromAccuracy?: number;
  /**
   * Whether the model gets back the weights that it had at the best value, however `fit` ended but for one that throws: see
   * `restore` for that. Default false.
   */
  readonly restoreBestWeights?: boolean;
  /**
   * Only epochs, or readings, of similar training loss are compared: within this times the loss of the first batch of the lowest. Any
   * other is not the best, or is so no longer. Default 0.05 for Minimum Sharpness, which is low before anything is learned and about 0 in
   * a network that has broken down; other fields are compared at similar loss only where this is given. `false` compares all.
   */
  readonly lossMargin?: number | false;
  /** Whether a training loss that is NaN or infinite ends training: weights do not come back from it. Default true. */
  readonly stopOnNaN?: boolean;
  /** The `state` of an earlier `earlyStopping` with the same options: the first fit goes on from there. Default: it starts anew. */
  readonly state?: StoppingState;
  /**
   * With `state` and `restoreBestWeights`: the weights of the best value, in the order of `model.getWeights()`. They stay yours to
   * dispose, and are read when the first fit begins.
   */
  readonly bestWeights?: readonly tf.Tensor[];
  /** 1 says on the console that it stopped training and that it put weights back, with epochs counted from 1. Default 0. */
  readonly verbose?: 0 | 1;
  /** A sharpness callback of the same fit: what counts are its readings, as they come, and not epochs. */
  readonly readings?: Pick<SharpnessCallback, 'readings$'>;
  /**
   * Factor of an exponential moving average that takes the place of the value, at least 0 and below 1, corrected for its
   * start. Default 0, no smoothing.
   */
  readonly smoothing?: number;
  /** With `readings`: a change within this many standard errors of the difference does not count. Default 0. */
  readonly standardErrors?: number;
}

/** The fields of a reading that can be monitored: those that are numbers. */
export type ReadingField = {
  [Field in keyof SharpnessReading]-?: NonNullable<SharpnessReading[Field]> extends number ? Field : never;
}[keyof SharpnessReading];

const readingFields = Object.keys({
  minimumSharpness: true,
  trace: true,
  standardError: true,
  samples: true,
  loss: true,
  pairs: true,
  durationMs: true,
  step: true,
  epoch: true,
} satisfies Record<ReadingField, true>);

/** Chosen by `benchmarks/results/stopping.md`. */
export const DEFAULT_LOSS_MARGIN = 0.05;

const knownOptions = {
  monitor: true,
  when: true,
  minDelta: true,
  patience: true,
  mode: true,
  baseline: true,
  startFromEpoch: true,
  startFromAccuracy: true,
  restoreBestWeights: true,
  lossMargin: true,
  stopOnNaN: true,
  state: true,
  bestWeights: true,
  verbose: true,
  readings: true,
  smoothing: true,
  standardErrors: true,
} satisfies Record<keyof EarlyStoppingOptions, true>;

/** Options with their defaults in place, and the criterion that they ask for. */
export type StoppingSettings = ReturnType<typeof checkStoppingOptions>;

/** @throws Error with one line for options that contradict each other or are out of range. */
export function checkStoppingOptions(options: EarlyStoppingOptions) {
  checkKnownOptions('earlyStopping', options, knownOptions);
  const { readings, when = 'plateau', mode = 'auto', baseline, startFromAccuracy } = options ?? {};
  const { patience = 0, startFromEpoch = 0, smoothing = 0, standardErrors = 0 } = options ?? {};
  const { monitor = readings && 'minimumSharpness', restoreBestWeights = false, verbose = 0 } = options ?? {};
  const { minDelta: givenDelta = 0, lossMargin, stopOnNaN = true, state, bestWeights } = options ?? {};
  if (readings !== undefined && typeof readings?.readings$?.subscribe !== 'function') {
    throw new Error(
      'readings must be a sharpness callback: const sharpness = minimumSharpness(), then { readings: sharpness }.',
    );
  }
  checkText('monitor', monitor, "name a field of the epoch logs, for example { monitor: 'minimumSharpness' }");
  if (readings !== undefined && !readingFields.includes(monitor)) {
    throw new Error(`with readings, monitor must be one of ${readingFields.join(', ')}, but it is '${monitor}'.`);
  }
  checkOneOf('when', when, ['plateau', 'worsensAsLossFalls']);
  checkNumber('minDelta', givenDelta);
  const minDelta = Math.abs(givenDelta); // as Keras takes it
  checkNumber('standardErrors', standardErrors, { atLeast: 0 });
  checkWhole('patience', patience, { atLeast: 0 });
  checkWhole('startFromEpoch', startFromEpoch, { atLeast: 0 });
  checkOneOf('mode', mode, ['min', 'max', 'auto']);
  if (baseline !== undefined) {
    checkNumber('baseline', baseline);
  }
  if (baseline !== undefined && when !== 'plateau') {
    throw new Error(`baseline goes with when: 'plateau' only, but when is '${when}': leave one of them out.`);
  }
  if (startFromAccuracy !== undefined) {
    checkNumber('startFromAccuracy', startFromAccuracy, { atLeast: 0, atMost: 1 });
  }
  checkBoolean('restoreBestWeights', restoreBestWeights);
  if (lossMargin !== undefined && lossMargin !== false) {
    checkNumber('lossMargin', lossMargin, { above: 0 }, 'false compares epochs of any loss');
  }
  checkBoolean('stopOnNaN', stopOnNaN);
  checkNumber('smoothing', smoothing, { atLeast: 0, below: 1 });
  if (standardErrors > 0 && readings === undefined) {
    throw new Error('standardErrors needs readings, since logs hold no standard error: pass { readings: sharpness }.');
  }
  if (standardErrors > 0 && monitor !== 'minimumSharpness') {
    throw new Error(
      `standardErrors needs monitor 'minimumSharpness': a reading has no standard error of '${monitor}'.`,
    );
  }
  const lowerIsBetter = mode === 'min' || (mode === 'auto' && !monitor.includes('acc'));
  const comparison: Comparison = { lowerIsBetter, minDelta, standardErrors, smoothing };
  const identity = { monitor, when, mode: lowerIsBetter ? ('min' as const) : ('max' as const), smoothing };
  const begin = state === undefined ? undefined : ruleOf(state, identity);
  checkBestWeights(bestWeights, begin, restoreBestWeights);
  return {
    monitor,
    readings,
    identity,
    comparison,
    criterion: when === 'plateau' ? plateau(patience, baseline, comparison) : worsensAsLossFalls(patience, comparison),
    needsLoss: when === 'worsensAsLossFalls',
    startFromEpoch,
    startFromAccuracy,
    restoreBestWeights,
    /** `undefined`: the default one, and only for Minimum Sharpness. */
    lossMargin: lossMargin === false ? Number.POSITIVE_INFINITY : lossMargin,
    stopOnNaN,
    /** Where the first fit begins. */
    begin,
    bestWeights,
    verbose: verbose > 0,
  };
}

function checkBestWeights(given: unknown, begin: RuleState | undefined, restores: boolean): void {
  if (given === undefined) {
    if (restores && begin?.best !== undefined) {
      throw new Error(
        `state has a best value, of epoch ${begin.best.epoch} counted from 0, whose weights are to be put back: pass them as bestWeights.`,
      );
    }
    return;
  }
  if (!Array.isArray(given) || given.some((each) => typeof each?.dataSync !== 'function')) {
    throw new Error('bestWeights must be tensors in the order of model.getWeights().');
  }
  if (begin?.best === undefined || !restores) {
    throw new Error('bestWeights go with restoreBestWeights and a state that has a best value: leave them out.');
  }
}
