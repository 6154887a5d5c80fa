import type { SharpnessReading } from '../../../src/measure/reading.js';

/** A reading with the given Minimum Sharpness; the rest is alike in all of them. */
export function readingOf(minimumSharpness: number, rest: Partial<SharpnessReading> = {}): SharpnessReading {
  return {
    minimumSharpness,
    standardError: 0,
    reliable: true,
    trace: 2 * minimumSharpness,
    parameters: [],
    scales: [],
    samples: 10,
    method: 'exact',
    pairs: 20,
    exact: true,
    assumptions: [],
    durationMs: 1,
    ...rest,
  };
}

/** Readings with the given values, one every `interval` training steps. */
export function readingsOf(values: readonly number[], interval = 10): SharpnessReading[] {
  return values.map((value, i) => readingOf(value, { step: (i + 1) * interval, epoch: i }));
}
