import { EMPTY } from 'rxjs';
import { withFirstBatch } from '../src/training/stopping/loss-guard.js';
import {
  checkStoppingOptions,
  DEFAULT_LOSS_MARGIN,
  type EarlyStoppingOptions,
} from '../src/training/stopping/stopping-options.js';
import { judge, lossSince, untold } from '../src/training/stopping/stopping-rule.js';
import { BATCH, type Training } from './stopping-trainings.js';

/** A way of ending a training. */
export interface Way {
  /** Without: the training runs to its last epoch. */
  readonly options?: EarlyStoppingOptions;
  /** A reading after every k-th epoch. */
  readonly every?: number;
}

/** How a training would have ended. Epochs count from 0. */
export interface Ending {
  /** The last epoch that was trained. */
  readonly last: number;
  readonly stopped: boolean;
  /** Undefined where no epoch was judged. */
  readonly best: number | undefined;
}

/** Options for Minimum Sharpness. */
export const bySharpness = (
  options: Omit<EarlyStoppingOptions, 'monitor' | 'readings'> = {},
): EarlyStoppingOptions => ({
  ...options,
  readings: { readings$: EMPTY },
});

/** Early stopping on what a training noted, by the rule that the callback goes by. */
export function replay(training: Training, { options, every = 1 }: Way): Ending {
  const epochs = training.loss.length;
  if (options === undefined) {
    return { last: epochs - 1, stopped: false, best: undefined };
  }
  const settings = checkStoppingOptions(options);
  const { monitor, readings, stopOnNaN } = settings;
  const values = readings ? training.sharpness : monitor === 'loss' ? training.loss : training.validationLoss;
  const margin = settings.lossMargin ?? (readings ? DEFAULT_LOSS_MARGIN : Number.POSITIVE_INFINITY);
  let rule = untold;
  const ending = (last: number, stopped: boolean): Ending => ({ last, stopped, best: rule.best?.epoch });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const at = (of: readonly (number | null)[]) => of[epoch] ?? Number.NaN;
    const loss = at(training.loss);
    rule = { ...rule, losses: withFirstBatch(rule.losses, at(training.firstLoss), BATCH) };
    rule = lossSince(rule, at(training.firstLoss), loss, margin).state;
    // As a failed reading, which is not judged.
    if ((epoch + 1) % every === 0 && !Number.isNaN(at(values))) {
      const { state, stops } = judge(
        rule,
        {
          epoch,
          value: at(values),
          standardError: readings ? at(training.error) : 0,
          loss,
          steadyLoss: loss,
          accuracy: at(training.accuracy),
          margin,
        },
        settings,
      );
      rule = state;
      if (stops) {
        return ending(epoch, true);
      }
    }
    if (stopOnNaN && Number.isNaN(loss)) {
      return ending(epoch, true);
    }
  }
  return ending(epochs - 1, false);
}
