import type { SharpnessReading } from '../measure/reading.js';
import { type DrawnValues, errorOfDifference } from '../traces/sampling/paired.js';

/** A reading beside the one that it is compared with. */
export interface ComparedReading {
  readonly model: string;
  readonly reading: SharpnessReading;
  /** MS minus that of the other; undefined of the other itself. */
  readonly difference?: number;
  /** One standard error of `difference`, 0 where nothing was sampled. */
  readonly differenceError?: number;
  /**
   * Whether `differenceError` is that of the pairs which both have drawn; else it is the root of the sum of both squared, which of an exact
   * reading and a sampled one is the error of that.
   */
  readonly paired?: boolean;
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
/** How far above the lowest a loss is similar to it, as a share of it. MS falls about as the loss does. */
export const LOSS_MARGIN = 0.1;

/** What errors are made of, by the name of the reading. */
export type DrawnByName = ReadonlyMap<string, DrawnValues>;

/**
 * Puts readings beside one of them, by the difference of their MS with its error.
 *
 * Networks that are much alike draw the same pairs by the same seed, and the errors of both readings go together. Where both have drawn
 * pairs, the error is that of their difference (`errorOfDifference`); where they have not, where what was drawn is not known, and where too
 * few pairs make that error, it is sqrt(e_1^2 + e_2^2), too large rather than too small.
 *
 * @param readings with the name of each, distinct.
 * @param drawn of those that were measured on the same data with the same seed.
 * @param to the name of the one to compare with. Default the first.
 * @throws Error with one line where none has that name.
 */
export function compareReadings(
  readings: ReadonlyMap<string, SharpnessReading>,
  drawn: DrawnByName,
  to: string | undefined = [...readings.keys()][0],
): ComparedReading[] {
  const base = readings.get(to ?? '');
  if (base === undefined && readings.size > 0) {
    throw new Error(`there is no reading of '${to}' to compare with, only of ${[...readings.keys()].join(', ')}.`);
  }
  return [...readings].map(([model, reading]) =>
    base === undefined || model === to
      ? { model, reading }
      : { model, reading, ...differenceOf(reading, base, errorBetween(drawn.get(model), drawn.get(to ?? ''))) },
  );
}

/** Undefined where one has drawn nothing, as for an exact reading, where it is not known, and where the error cannot be trusted. */
function errorBetween(one: DrawnValues | undefined, other: DrawnValues | undefined): number | undefined {
  if (!one?.places.length || !other?.places.length) {
    return undefined;
  }
  const { standardError, reliable } = errorOfDifference(one, other);
  return reliable ? standardError : undefined;
}

function differenceOf(reading: SharpnessReading, base: SharpnessReading, pairedError: number | undefined) {
  const difference = reading.minimumSharpness - base.minimumSharpness;
  const differenceError = pairedError ?? Math.hypot(reading.standardError, base.standardError);
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
  return { difference, differenceError, paired: pairedError !== undefined, verdict } as const;
}

/** What is flattest, and what would be but for its loss. */
export interface Flattest {
  /** Names, the flattest first, then those that cannot be told from it; none where no reading counts. */
  readonly names: readonly string[];
  /** The lowest loss, where all readings that count have one. */
  readonly lowestLoss?: number;
  /** Flatter than these, at a loss that is not similar to the lowest. */
  readonly atHigherLoss: readonly { readonly name: string; readonly loss: number }[];
}

/**
 * The flattest of readings of similar loss: MS is low where little has been learned, and falls with the loss. Losses up to `LOSS_MARGIN`
 * of the lowest above it are similar; where not all are known, all readings count. A network that has collapsed is flat for
 * another reason, and a reading whose error cannot be trusted says nothing: neither counts.
 */
export function flattest(readings: ReadonlyMap<string, SharpnessReading>, drawn: DrawnByName): Flattest {
  const counting = [...readings]
    .filter(
      ([, { collapsed, reliable, minimumSharpness }]) => !collapsed && reliable && Number.isFinite(minimumSharpness),
    )
    .sort(([, a], [, b]) => a.minimumSharpness - b.minimumSharpness);
  const losses = counting.flatMap(([, { loss }]) => loss ?? []);
  const known = losses.length > 0 && losses.length === counting.length;
  const lowest = Math.min(...losses);
  const isSimilar = ({ loss }: SharpnessReading) => !known || loss! <= lowest + LOSS_MARGIN * Math.abs(lowest);
  const similar = counting.filter(([, reading]) => isSimilar(reading));
  const [best] = similar;
  if (best === undefined) {
    return { names: [], atHigherLoss: [] };
  }
  const [bestName, bestReading] = best;
  const isAlike = ([name, reading]: readonly [string, SharpnessReading]) =>
    name === bestName ||
    differenceOf(reading, bestReading, errorBetween(drawn.get(name), drawn.get(bestName))).verdict === 'same';
  return {
    names: similar.filter(isAlike).map(([name]) => name),
    ...(known && { lowestLoss: lowest }),
    atHigherLoss: counting
      .slice(0, counting.indexOf(best))
      .map(([name, { loss }]) => ({ name, loss: loss ?? Number.NaN })),
  };
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
