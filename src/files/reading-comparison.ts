import type { SharpnessReading } from '../measure/reading.js';

/** A reading beside the one that it is compared with. */
export interface ComparedReading {
  readonly model: string;
  readonly reading: SharpnessReading;
  /** MS minus that of the other; undefined of the other itself. */
  readonly difference?: number;
  /** One standard error of `difference`: the root of the sum of both squared, 0 where nothing was sampled. */
  readonly differenceError?: number;
  /**
   * `'sharper'` or `'flatter'` where the difference is more than noise; `'same'` where it is not; `'unknown'` where an error cannot be
   * trusted.
   */
  readonly verdict?: 'sharper' | 'flatter' | 'same' | 'unknown';
}

/** What a standard error is multiplied by: about 95 of 100 differences of equal networks are within it. */
const ERRORS = 2;
/** As a share of MS, what float32 rounds otherwise in another process or on another backend. */
const ROUNDING = 1e-5;

/**
 * Puts readings beside one of them, by the difference of their MS, with its error sqrt(e_1^2 + e_2^2).
 *
 * Pairs that were drawn by one seed go together in both, so that networks which are much alike differ by less than this error: it is too
 * large rather than too small.
 *
 * @param readings with the name of each, distinct.
 * @param to the name of the one to compare with. Default the first.
 * @throws Error with one line where none has that name.
 */
export function compareReadings(
  readings: ReadonlyMap<string, SharpnessReading>,
  to: string | undefined = [...readings.keys()][0],
): ComparedReading[] {
  const base = readings.get(to ?? '');
  if (base === undefined && readings.size > 0) {
    throw new Error(`there is no reading of '${to}' to compare with, only of ${[...readings.keys()].join(', ')}.`);
  }
  return [...readings].map(([model, reading]) =>
    base === undefined || model === to ? { model, reading } : { model, reading, ...differenceOf(reading, base) },
  );
}

function differenceOf(reading: SharpnessReading, base: SharpnessReading) {
  const difference = reading.minimumSharpness - base.minimumSharpness;
  const differenceError = Math.hypot(reading.standardError, base.standardError);
  const rounding = ROUNDING * Math.max(Math.abs(reading.minimumSharpness), Math.abs(base.minimumSharpness));
  const isMore = Math.abs(difference) > ERRORS * differenceError + rounding;
  const verdict =
    !(reading.reliable && base.reliable) || !Number.isFinite(difference)
      ? 'unknown'
      : !isMore
        ? 'same'
        : difference > 0
          ? 'sharper'
          : 'flatter';
  return { difference, differenceError, verdict } as const;
}

/**
 * The flattest of readings, and those that cannot be told from it. A network that has collapsed is flat for another reason, and a reading
 * whose error cannot be trusted says nothing: neither counts.
 *
 * @returns names, the flattest first; none where no reading counts.
 */
export function flattest(readings: ReadonlyMap<string, SharpnessReading>): string[] {
  const counting = [...readings]
    .filter(
      ([, { collapsed, reliable, minimumSharpness }]) => !collapsed && reliable && Number.isFinite(minimumSharpness),
    )
    .sort(([, a], [, b]) => a.minimumSharpness - b.minimumSharpness);
  return counting.length === 0
    ? []
    : counting
        .filter(([, reading], i) => i === 0 || differenceOf(reading, counting[0]![1]).verdict === 'same')
        .map(([name]) => name);
}

/**
 * What readings should have in common to be compared, and have not.
 *
 * @returns one sentence each.
 */
export function unlikeReadings(readings: ReadonlyMap<string, SharpnessReading>): string[] {
  const values = (of: (reading: SharpnessReading) => unknown) => [
    ...new Set([...readings.values()].map((each) => String(of(each)))),
  ];
  const samples = values((reading) => reading.samples);
  const matrices = values((reading) => reading.exact);
  return [
    ...(samples.length > 1 ? [`Readings are of ${samples.join(', ')} samples: compare those of the same data.`] : []),
    ...(matrices.length > 1
      ? [
          'Some traces are those of the Hessian, others of its Gauss-Newton part: compare those measured by the same method.',
        ]
      : []),
    ...[...readings]
      .filter(([, { collapsed }]) => collapsed)
      .map(([name]) => `${name} has collapsed: that it is flat is no good sign.`),
  ];
}
