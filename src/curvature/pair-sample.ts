import { errorOfTotal, estimateTotal, type TotalError } from '../sampling/horvitz-thompson.js';

/**
 * What was found in one part of the data: plain numbers, so that several machines can measure a part each (with a seed of
 * their own) and `SampledTraces` put them together.
 */
export interface PairSample {
  /** Samples that the part has, N. */
  readonly samples: number;
  /** Backward rows run. */
  readonly pairs: number;
  /** For each parameter, the sum of its trace over all N samples where the forward pass gives it; null where it is sampled. */
  readonly closedForm: readonly (number | null)[];
  /** pi of each pair drawn. */
  readonly inclusion: readonly number[];
  /** t_{b,i}: for each parameter, one number a pair drawn; empty where the forward pass gives it. */
  readonly traces: readonly (readonly number[])[];
}

/** Traces over the whole data, estimated from pairs drawn from all of its parts. */
export class SampledTraces {
  readonly samples: number;
  readonly pairs: number;
  /** T_b. */
  readonly traces: readonly number[];

  /** @param parts disjoint parts of the data, drawn independently: with different seeds. */
  constructor(readonly parts: readonly PairSample[]) {
    const samples = parts.reduce((sum, part) => sum + part.samples, 0);
    this.samples = samples;
    this.pairs = parts.reduce((sum, part) => sum + part.pairs, 0);
    this.traces = parts[0].closedForm.map((_, b) => {
      const totals = parts.map(
        ({ closedForm, traces, inclusion }) => closedForm[b] ?? estimateTotal({ values: traces[b], inclusion }),
      );
      return totals.reduce((sum, total) => sum + total, 0) / samples;
    });
  }

  /** Error of sum_b factors_b T_b, from its value in every pair: errors of blocks, which go together, are never added. */
  errorOf(factors: readonly number[]): TotalError {
    const error = errorOfTotal(
      this.parts.map((part) => ({ values: combined(part, factors), inclusion: part.inclusion })),
    );
    return { ...error, standardError: error.standardError / this.samples, margin: error.margin / this.samples };
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

  /** The part of sum_b factors_b T_b that pairs drawn at random account for, rather than certain ones or the forward pass. */
  uncertainPart(factors: readonly number[]): number {
    let total = 0;
    for (const part of this.parts) {
      const values = combined(part, factors);
      part.inclusion.forEach((pi, i) => {
        total += pi < 1 ? values[i] / pi : 0;
      });
    }
    return total / this.samples;
  }
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
