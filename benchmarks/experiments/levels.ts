import { atEqualLoss } from 'tfjs-sharpness';
import type { Look } from './lines.js';

/** What a number of a network is called, and where it comes from. */
export interface Column {
  readonly title: string;
  readonly of: (look: Look) => number | undefined;
}

/** The gap of the paper: accuracy on the training images, with their labels as they were shuffled, less that on test images. */
export const gapOf = ({ accuracy, testAccuracy }: Look) => accuracy - testAccuracy;

/** A network that was looked at on its way. */
export interface Looked {
  readonly snapshots: readonly Look[];
}

/** A positive measure, and what it is to tell, of a run at the moment when it first had a level. */
export interface AtLevel<Run> {
  readonly run: Run;
  readonly measure: number;
  readonly target: number;
}

/** The snapshots between which a run's loss first fell to a level, and how much of the way in its logarithm lies before that. */
function fallTo({ snapshots }: Looked, loss: number) {
  const place = snapshots.findIndex((look) => look.loss <= loss);
  const [from, to] = [snapshots[place - 1], snapshots[place]];
  return from && to && { from, to, share: Math.log(from.loss / loss) / Math.log(from.loss / to.loss) };
}

/**
 * Where training losses have fallen to a level: the measure by `atEqualLoss`, the target in a straight line in the log of the loss. The
 * snapshots on both sides of it must have the measure: none is passed over.
 */
export function atLoss<Run extends Looked>(
  runs: readonly Run[],
  loss: number,
  { of }: Column,
  target = gapOf,
): AtLevel<Run>[] {
  return runs.flatMap((run) => {
    const fall = fallTo(run, loss);
    if (!fall) {
      return [];
    }
    const { from, to, share } = fall;
    const readings = [from, to].map((look) => ({ loss: look.loss, minimumSharpness: of(look) ?? Number.NaN }));
    const [found] = atEqualLoss([readings], loss);
    return found ? [{ run, measure: found.minimumSharpness, target: between(target(from), target(to), share) }] : [];
  });
}

/** How many epochs a run took until its training loss first had a level, in a straight line in the log of the loss; NaN where it did not. */
export function epochsToLoss(run: Looked, loss: number): number {
  const fall = fallTo(run, loss);
  return fall ? between(fall.from.epoch, fall.to.epoch, fall.share) : Number.NaN;
}

/** Where training accuracies have first risen to a level: the log of the measure and the target in straight lines in the accuracy. */
export function atAccuracy<Run extends Looked>(
  runs: readonly Run[],
  accuracy: number,
  { of }: Column,
  target = gapOf,
): AtLevel<Run>[] {
  return runs.flatMap((run) => {
    const place = run.snapshots.findIndex((look) => look.accuracy >= accuracy);
    const [from, to] = [run.snapshots[place - 1], run.snapshots[place]];
    const values = [from, to].map((look) => (look && of(look)) ?? Number.NaN) as [number, number];
    if (!from || !to || !values.every((value) => value > 0)) {
      return [];
    }
    const share = (accuracy - from.accuracy) / (to.accuracy - from.accuracy);
    const measure = Math.exp(between(Math.log(values[0]), Math.log(values[1]), share));
    return [{ run, measure, target: between(target(from), target(to), share) }];
  });
}

const between = (from: number, to: number, share: number) => (1 - share) * from + share * to;
