import { checkNumber, checkWhole } from '../../../checks.js';
import type { SharpnessReading } from '../../../measure/reading.js';
import { studentTQuantile } from '../../../traces/sampling/student-t.js';
import { slopeOf } from '../../streams/slope.js';

/** When sharpness counts as rising. */
export interface RisingOptions {
  /** Number of readings that the trend is taken from, at least 3. Default 6. */
  readonly window?: number;
  /** How sure the rise must be, from 0.5 to less than 1. Default 0.99. */
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

/**
 * Whether Minimum Sharpness rises over the points: the one-sided t-test slope > t(confidence, n - 2) × standard error of the
 * slope, with the least-squares slope over the step. False until there are `window` points.
 */
export function isRising(points: Points, { window, confidence }: Required<RisingOptions>): boolean {
  if (points.length < window) {
    return false;
  }
  const { slope, standardError, degreesOfFreedom } = slopeOf(points);
  return slope > studentTQuantile(confidence, degreesOfFreedom) * standardError;
}

/** The options with their defaults. @throws Error with one line, in the name of `controller`, where they are out of range. */
export function checkRising(controller: string, options: RisingOptions): Required<RisingOptions> {
  const { window = 6, confidence = 0.99 } = options;
  checkWhole(`${controller}: window`, window, { atLeast: 3 });
  checkNumber(`${controller}: confidence`, confidence, { atLeast: 0.5, below: 1 });
  return { window, confidence };
}
