/** What the guard remembers of the training loss. */
export interface Losses {
  /** Mean of the first batches, of 8 samples or more together: before anything was learned. */
  readonly first?: number;
  /** Samples in `first`. */
  readonly firstSamples?: number;
  /** Lowest mean of an epoch, or between two readings. */
  readonly lowest?: number;
}

/**
 * How the loss stands. `'high'`: training had it much lower, so that sharpness cannot be compared. `'unlearned'`: it is far above that of the
 * first batches, and was never lower. `'fine'` also where nothing is known.
 */
export type Standing = 'fine' | 'high' | 'unlearned';

/** A loss that was never below this many times that of the first batches: nothing was learned. They are a rough measure. */
const UNLEARNED = 2;
/** Margin beyond which a network is called broken: half of what there was to learn is lost. */
export const BROKEN = 0.5;
/** A batch of one sample says nothing of the others. */
const FIRST_SAMPLES = 8;

/** Whether more batches are wanted in `first`. */
export const wantsFirst = ({ firstSamples = 0 }: Losses) => firstSamples < FIRST_SAMPLES;

/** The losses with one of the first batches more. */
export function withFirstBatch(losses: Losses, loss: number, samples: number): Losses {
  const { first = 0, firstSamples = 0 } = losses;
  if (!wantsFirst(losses) || !Number.isFinite(loss) || !(samples > 0)) {
    return losses;
  }
  const all = firstSamples + samples;
  return { ...losses, first: first + (samples * (loss - first)) / all, firstSamples: all };
}

/** The losses with one mean more, of an epoch or since the reading before. */
export function withLoss(losses: Losses, mean: number | undefined): Losses {
  return mean === undefined || Number.isNaN(mean) ? losses : { ...losses, lowest: lower(losses.lowest, mean) };
}

/**
 * Minimum Sharpness is low before anything is learned, and lowest of all in a network that has broken down. It can be compared where the
 * loss lies above the lowest by no more than
 *
 *     margin × max(|first|, |lowest|).
 *
 * The scale is the loss of the first batches, which says how much there was to learn, so that the scatter of a
 * loss that is small by now does not matter.
 *
 * @param margin of what training had to learn; Infinity leaves every loss fine.
 * @param hasLearned whether it is known from elsewhere that something was learned: before this training, too.
 */
export function standingOf(loss: number | undefined, losses: Losses, margin: number, hasLearned = false): Standing {
  const { first, lowest } = losses;
  if (loss === undefined || margin === Number.POSITIVE_INFINITY) {
    return 'fine';
  }
  if (Number.isNaN(loss)) {
    return 'high';
  }
  if (lowest === undefined) {
    return 'fine';
  }
  if (!hasLearned && first !== undefined && lowest > UNLEARNED * first && first > 0) {
    return 'unlearned';
  }
  return loss > limitOf(lowest, first, margin) ? 'high' : 'fine';
}

/** The highest loss that is fine. */
export function limitOf(lowest: number, first: number | undefined, margin: number): number {
  return lowest + margin * Math.max(Math.abs(first ?? 0), Math.abs(lowest));
}

const lower = (before: number | undefined, now: number) => Math.min(before ?? now, now);
