import { checkBoolean, checkKnownOptions, checkNumber, checkOneOf, checkText, checkWhole } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import type { SharpnessCallback } from '../minimum-sharpness.js';
import { type Comparison, plateau, worsensAsLossFalls } from './stopping-criterion.js';

export interface EarlyStoppingOptions {
  /**
   * The field of the epoch logs to watch, for example `'minimumSharpness'` or `'val_loss'`. With `readings`, the field of
   * the reading; then the default is `'minimumSharpness'`.
   */
  readonly monitor?: string;
  /** What ends training: see `earlyStopping`. Default `'plateau'`. */
  readonly when?: 'plateau' | 'worsensAsLossFalls';
  /** A change counts if it is larger than this, in units of the monitored value. Default 0. */
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
  /** Whether the model gets back the weights that it had at the best value, whatever ended the training. Default false. */
  readonly restoreBestWeights?: boolean;
  /** 1 says on the console that it stopped training and that it put weights back. Default 0. */
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
  const { minDelta = 0, patience = 0, startFromEpoch = 0, smoothing = 0, standardErrors = 0 } = options ?? {};
  const { monitor = readings && 'minimumSharpness', restoreBestWeights = false, verbose = 0 } = options ?? {};
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
  checkNumber('minDelta', minDelta, { atLeast: 0 });
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
  const criterion = () =>
    when === 'plateau' ? plateau(patience, baseline, comparison) : worsensAsLossFalls(patience, comparison);
  const needsLoss = when === 'worsensAsLossFalls';
  return {
    monitor,
    readings,
    comparison,
    criterion,
    needsLoss,
    startFromEpoch,
    startFromAccuracy,
    restoreBestWeights,
    verbose: verbose > 0,
  };
}
