import { DEFAULT_LOSS_MARGIN } from '../src/training/stopping/stopping-options.js';
import { bootstrap, kendall } from './experiments/correlation.js';
import { table, withEnds } from './report.js';
import { mean } from './statistics.js';
import type { Training } from './stopping-trainings.js';

/** An epoch of a training, of which everything was noted. */
interface Checkpoint {
  readonly epoch: number;
  readonly sharpness: number;
  readonly loss: number;
  readonly validationLoss: number;
  readonly accuracy: number;
  readonly testAccuracy: number;
}

const names = ['sharpness', 'loss', 'validationLoss', 'accuracy', 'testAccuracy'] as const;

export function checkpoints(training: Training): Checkpoint[] {
  return training.loss.flatMap((_, epoch) => {
    const noted = names.map((name) => [name, training[name][epoch]] as const);
    return noted.every(([, value]) => value !== null) ? [{ epoch, ...Object.fromEntries(noted) } as Checkpoint] : [];
  });
}

/** Those whose training loss lies above the lowest by no more than `earlyStopping` allows. */
export function ofSimilarLoss(training: Training): Checkpoint[] {
  const all = checkpoints(training);
  const lowest = Math.min(...all.map(({ loss }) => loss));
  return all.filter(({ loss }) => loss <= lowest + DEFAULT_LOSS_MARGIN * training.firstLoss[0]!);
}

/** Fewer checkpoints have no order worth the name. */
const FEWEST = 5;

/** Of the trainings of one seed. */
interface Sum {
  readonly sum: number;
  readonly count: number;
}

/** A mean over trainings with the 95% interval of drawing seeds anew, each with all of its trainings; what is no number does not count. */
export function overSeeds<T extends { readonly seed: number }>(
  trainings: readonly T[],
  of: (training: T) => number,
): { readonly value: number; readonly interval: readonly [low: number, high: number]; readonly count: number } {
  const seeds: Sum[] = [...new Set(trainings.map(({ seed }) => seed))].map((seed) => {
    const values = trainings
      .filter((training) => training.seed === seed)
      .map(of)
      .filter((value) => !Number.isNaN(value));
    return { sum: values.reduce((a, b) => a + b, 0), count: values.length };
  });
  const total = (drawn: readonly Sum[], name: 'sum' | 'count') => drawn.reduce((sum, each) => sum + each[name], 0);
  const average = (drawn: readonly Sum[]) => total(drawn, 'sum') / total(drawn, 'count');
  return { value: average(seeds), interval: bootstrap(seeds, average), count: total(seeds, 'count') };
}

/** Kendall's tau of a number with the test error over checkpoints, NaN where there are too few or all are as good. */
function tauOf(all: readonly Checkpoint[], name: 'sharpness' | 'loss' | 'validationLoss'): number {
  return all.length < FEWEST
    ? Number.NaN
    : kendall(
        all.map((checkpoint) => checkpoint[name]),
        all.map(({ testAccuracy }) => 1 - testAccuracy),
      );
}

/** A mean with its 95% interval. */
export const withInterval = ({ value, interval: [low, high] }: ReturnType<typeof overSeeds>, places: number) =>
  Number.isNaN(value) ? '-' : withEnds(value, [low, high], places);

/** How the checkpoints of each training are ranked: mean of Kendall's tau with the test error. */
export function ranking(trainings: readonly Training[]): string[] {
  const rows = (
    [
      ['MS', 'sharpness'],
      ['training loss', 'loss'],
      ['validation loss', 'validationLoss'],
    ] as const
  ).map(([title, name]) => [
    title,
    ...[checkpoints, ofSimilarLoss].flatMap((chosen) => {
      const found = overSeeds(trainings, (training) => tauOf(chosen(training), name));
      return [withInterval(found, 2), `${found.count}`];
    }),
  ]);
  return table(['', 'tau, all epochs', 'trainings', 'tau, epochs of similar loss', 'trainings'], rows);
}

const lowest = (all: readonly Checkpoint[], name: 'sharpness' | 'loss' | 'validationLoss') =>
  all.reduce((best, each) => (each[name] < best[name] ? each : best), all[0]!);

/** Which checkpoint of a training is taken. */
const choices: Readonly<Record<string, (training: Training) => Checkpoint>> = {
  'the last': (training) => checkpoints(training).at(-1)!,
  'lowest training loss': (training) => lowest(checkpoints(training), 'loss'),
  'lowest MS of similar loss': (training) => lowest(ofSimilarLoss(training), 'sharpness'),
  'lowest MS from accuracy 0.5 on': (training) => {
    const learned = checkpoints(training).filter(({ accuracy }) => accuracy >= 0.5);
    return learned.length > 0 ? lowest(learned, 'sharpness') : checkpoints(training).at(-1)!;
  },
  'lowest validation loss': (training) => lowest(checkpoints(training), 'validationLoss'),
};

/** What the checkpoint that is taken has lost against the best of its training, in percentage points. */
export function chosen(trainings: readonly Training[]): string[] {
  const lost = (choose: (training: Training) => Checkpoint) => (training: Training) =>
    100 * (Math.max(...checkpoints(training).map(({ testAccuracy }) => testAccuracy)) - choose(training).testAccuracy);
  const byValidation = lost(choices['lowest validation loss']!);
  const atRandom = (training: Training) =>
    mean(ofSimilarLoss(training).map((checkpoint) => lost(() => checkpoint)(training)));
  const rows = [
    ...Object.entries(choices).map(([title, choose]) => [title, lost(choose)] as const),
    ['any of similar loss, on average', atRandom] as const,
  ].map(([title, of]) => [
    title,
    withInterval(overSeeds(trainings, of), 1),
    ...[byValidation, atRandom].map((other) => {
      const more = overSeeds(trainings, (training) => of(training) - other(training));
      return more.interval.every((end) => end === 0) ? '-' : withInterval(more, 1);
    }),
  ]);
  return table(['checkpoint taken', 'lost', 'more than lowest validation loss', 'more than any of similar loss'], rows);
}
