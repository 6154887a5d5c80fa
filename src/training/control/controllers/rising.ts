import { checkNumber, checkWhole } from '../../../checks.js';
import type { SharpnessReading } from '../../../measure/reading.js';
import { studentT } from '../../../traces/sampling/student-t.js';
import { slopeOf } from '../../streams/slope.js';

/** When sharpness counts as rising. */
export interface RisingOptions {
  /** Number of readings that the trend is taken from, at least 3. Default 6. */
  readonly window?: number;
  /**
   * How sure all rises of a run must be, from 0.5 to less than 1: where MS only scatters about one value, independently from reading to
   * reading, no change is made in a run of any length, in at least this share of runs. Default 0.99.
   */
  readonly confidence?: number;
}

/** What controllers with these options know besides their own. */
export const risingOptions = { window: true, confidence: true } satisfies Record<keyof RisingOptions, true>;

/** `[step, minimumSharpness]` of the latest readings, oldest first. */
export type Points = readonly (readonly [step: number, value: number])[];

/**
 * The points with one more reading, at most `window` of them. A reading without a step counts as one step after the last; one that
 * is not finite is left out, since no line goes through it.
 */
export function withReading(points: Points, reading: SharpnessReading, window: number): Points {
  if (!Number.isFinite(reading.minimumSharpness)) {
    return points;
  }
  const step = reading.step ?? (points.at(-1)?.[0] ?? -1) + 1;
  return [...points, [step, reading.minimumSharpness] as const].slice(-window);
}

/** What is remembered of the readings, to tell a rise from chance. */
export interface Rise {
  /** Readings since the last change. */
  readonly points: Points;
  /** How often was asked whether they rise. */
  readonly looks: number;
  /** Sums of squares about the lines of the latest windows, oldest first. */
  readonly scatter: readonly number[];
}

/** Nothing was read yet. */
export const unread: Rise = { points: [], looks: 0, scatter: [] };

/** Earlier windows whose scatter counts. */
const EARLIER = 4;

/**
 * Whether Minimum Sharpness rises, after one reading more. The n-th time that `window` points are there, a one-sided t-test,
 *
 *     slope > t(1 - (1 - confidence) / (n (n + 1)), degrees) × sqrt(scatter / degrees / Sxx),
 *
 * with the least-squares slope over the step. Over a run of any length the levels add up to at most 1 - confidence, so that this bounds
 * the chance of any false alarm in it (Bonferroni's inequality; the levels are spent as in Lan and DeMets, Biometrika 70, 1983).
 * `scatter` adds up the squares about the line of this window and of up to four earlier ones that do not overlap, each with
 * window - 2 degrees of freedom: one window alone knows its noise too badly for such levels.
 */
export function afterReading(
  { points: before, looks: looksBefore, scatter }: Rise,
  reading: SharpnessReading,
  { window, confidence }: Required<RisingOptions>,
): { readonly rise: Rise; readonly isRising: boolean } {
  const points = withReading(before, reading, window);
  if (points === before || points.length < window) {
    return { rise: { points, looks: looksBefore, scatter }, isRising: false };
  }
  const looks = looksBefore + 1;
  const { slope, standardError, degreesOfFreedom } = slopeOf(points);
  const mean = points.reduce((sum, [step]) => sum + step, 0) / window;
  const sxx = points.reduce((sum, [step]) => sum + (step - mean) ** 2, 0);
  const own = standardError ** 2 * degreesOfFreedom * sxx;
  const earlier = Array.from({ length: EARLIER }, (_, i) => scatter.at(-window * (i + 1))).filter(
    (each) => each !== undefined,
  );
  const degrees = degreesOfFreedom * (1 + earlier.length);
  const error = Math.sqrt(earlier.reduce((sum, each) => sum + each, own) / degrees / sxx);
  const level = (1 - confidence) / (looks * (looks + 1));
  return {
    rise: { points, looks, scatter: Number.isFinite(own) ? [...scatter, own].slice(-window * EARLIER) : scatter },
    // Above the quantile, without looking for it; on a line without scatter t is infinite.
    isRising: slope > 0 && studentT(slope / error, degrees) > 1 - level,
  };
}

/** The same, as a change was made: the next window holds readings after it only. What is known of chance stays. */
export function afterChange({ looks, scatter }: Rise): Rise {
  return { points: [], looks, scatter };
}

/** The options with their defaults. @throws Error with one line, in the name of `controller`, where they are out of range. */
export function checkRising(controller: string, options: RisingOptions): Required<RisingOptions> {
  const { window = 6, confidence = 0.99 } = options;
  checkWhole(`${controller}: window`, window, { atLeast: 3 });
  checkNumber(`${controller}: confidence`, confidence, { atLeast: 0.5, below: 1 });
  return { window, confidence };
}
