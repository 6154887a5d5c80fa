import {
  errorOfSum,
  estimateTotal,
  type TotalError,
  type Variance,
  varianceOfTotal,
} from '../sampling/horvitz-thompson.js';
import type { DrawnValues } from '../sampling/paired.js';
import { varianceOfPart } from '../sampling/two-phase.js';
import type { LossSums } from '../trace-sums.js';

/** What is known sample by sample of a random part of the data. */
export interface PartOfSamples {
  /** Samples of the data that the part was drawn from, N. */
  readonly population: number;
  /** t_{b,n}: for each parameter, one number a sample of the part; empty where it is sampled. */
  readonly closedForm: readonly (readonly number[])[];
  /** The sample of each pair drawn, by its place in the part. */
  readonly sampleOf: readonly number[];
}

/**
 * What was found in one share of the data: plain numbers, so that several machines can measure a share each (with a seed of
 * their own) and `SampledTraces` put them together.
 */
export interface PairSample {
  /** Samples run, n. */
  readonly samples: number;
  /** Backward rows run. */
  readonly pairs: number;
  /** For each parameter, the sum of its trace over the samples where it is known in full; null where it is sampled. */
  readonly closedForm: readonly (number | null)[];
  /** pi of each pair drawn. */
  readonly inclusion: readonly number[];
  /**
   * Each pair drawn, by its place among all of the data, where one seed gives a pair the same random number in every network. A
   * `SharpnessSample` has none.
   */
  readonly places?: readonly number[];
  /** t_{b,i}: for each parameter, one number a pair drawn; empty where the sum is known. */
  readonly traces: readonly (readonly number[])[];
  /** Over the samples run, where their losses are known. */
  readonly loss?: LossSums;
  /** Where the samples run are a random part of those that the sample speaks for. */
  readonly part?: PartOfSamples;
}

/** Traces over the whole data, estimated from pairs drawn from all of its shares. */
export class SampledTraces {
  /** Samples that the traces speak for. */
  readonly samples: number;
  readonly pairs: number;
  /** T_b. */
  readonly traces: readonly number[];

  /** @param shares disjoint shares of the data, drawn independently: with different seeds. */
  constructor(readonly shares: readonly PairSample[]) {
    const samples = shares.reduce((sum, share) => sum + populationOf(share), 0);
    this.samples = samples;
    this.pairs = shares.reduce((sum, share) => sum + share.pairs, 0);
    this.traces = shares[0].closedForm.map((_, b) => {
      const totals = shares.map((share) => {
        const { closedForm, traces, inclusion } = share;
        return expansionOf(share) * (closedForm[b] ?? estimateTotal({ values: traces[b], inclusion }));
      });
      return totals.reduce((sum, total) => sum + total, 0) / samples;
    });
  }

  /** Means over the samples; undefined unless they are known in every share. */
  get loss(): LossSums | undefined {
    const sums = this.shares.map(({ loss }) => loss);
    if (!sums.every((each) => each !== undefined)) {
      return undefined;
    }
    const mean = (of: keyof LossSums) =>
      sums.reduce((total, each, i) => total + expansionOf(this.shares[i]) * each[of], 0) / this.samples;
    return { value: mean('value'), curvature: mean('curvature') };
  }

  /** Error of sum_b factors_b T_b, from its value in every pair: errors of blocks, which go together, are never added. */
  errorOf(factors: readonly number[]): TotalError {
    const error = errorOfSum(this.#variancesOfDraws(factors), this.#variancesOfParts(factors));
    return { ...error, standardError: error.standardError / this.samples, margin: error.margin / this.samples };
  }

  /**
   * The part of sum_b factors_b T_b that each pair drawn is, for the difference to another network; undefined where more than these
   * pairs was left to chance, or where another network would draw others.
   */
  drawn(factors: readonly number[]): DrawnValues | undefined {
    const [share] = this.shares;
    if (this.shares.length > 1 || share.part || (share.inclusion.length > 0 && !share.places)) {
      return undefined;
    }
    const { inclusion, places = [] } = share;
    return { places, inclusion, values: combined(share, factors).map((value) => value / this.samples) };
  }

  /**
   * Whether t / 1.96 times the standard error of sum_b factors_b T_b is within a bound. Where too few pairs were drawn at
   * random for an interval, only if what they add up to is within it too.
   */
  isWithin(bound: number, factors: readonly number[]): boolean {
    const { margin, standardError } = this.errorOf(factors);
    return Number.isFinite(margin)
      ? margin / 1.96 <= bound
      : standardError <= bound && this.uncertainPart(factors) <= bound;
  }

  /** Whether the choice of samples makes at least 9/10 of the variance of sum_b factors_b T_b: more pairs gain nothing then. */
  restsOnSamples(factors: readonly number[]): boolean {
    const sum = (terms: readonly Variance[]) => terms.reduce((total, { variance }) => total + variance, 0);
    const ofParts = sum(this.#variancesOfParts(factors));
    return ofParts > 0 && sum(this.#variancesOfDraws(factors)) <= ofParts / 9;
  }

  /** The part of sum_b factors_b T_b that pairs drawn at random account for, rather than certain ones or the forward pass. */
  uncertainPart(factors: readonly number[]): number {
    let total = 0;
    for (const share of this.shares) {
      const values = combined(share, factors);
      share.inclusion.forEach((pi, i) => {
        total += pi < 1 ? (expansionOf(share) * values[i]) / pi : 0;
      });
    }
    return total / this.samples;
  }

  #variancesOfDraws(factors: readonly number[]): Variance[] {
    return this.shares.map((share) => {
      const expansion = expansionOf(share);
      const values = combined(share, factors).map((value) => expansion * value);
      return varianceOfTotal({ values, inclusion: share.inclusion });
    });
  }

  #variancesOfParts(factors: readonly number[]): Variance[] {
    return this.shares.flatMap((share) => {
      const { part, samples, inclusion } = share;
      if (!part) {
        return [];
      }
      const drawn = { values: combined(share, factors), inclusion };
      const known = new Float64Array(samples);
      part.closedForm.forEach((ofSample, b) => {
        ofSample.forEach((trace, n) => {
          known[n] += factors[b] * trace;
        });
      });
      return [varianceOfPart({ population: part.population, known, drawn, elementOf: part.sampleOf })];
    });
  }
}

function populationOf({ samples, part }: PairSample): number {
  return part?.population ?? samples;
}

/** N / n. */
function expansionOf(share: PairSample): number {
  return populationOf(share) / share.samples;
}

/** sum_b factors_b t_{b,i} over the sampled parameters, for each pair i. */
function combined({ traces, inclusion }: PairSample, factors: readonly number[]): number[] {
  const values = inclusion.map(() => 0);
  traces.forEach((ofPair, b) => {
    if (factors[b] !== 0) {
      ofPair.forEach((trace, i) => {
        values[i] += factors[b] * trace;
      });
    }
  });
  return values;
}
