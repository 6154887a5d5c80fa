/** Sums over samples of q = v^T H v, one for each probe and block. */
export interface ProbeSums {
  add(probe: number, block: number, q: number): void;
  /** tr H_b of each block, as the mean over the probes says. @param samples that the sums are over. */
  traces(samples: number): number[];
  /** Standard error of sum_b factors_b tr H_b over the choice of the probes; 0 without blocks, Infinity for a single probe. */
  standardError(factors: readonly number[], samples: number): number;
}

export function probeSums(probes: number, blocks: number): ProbeSums {
  /** One row a probe and one column a block. */
  const rows = Array.from({ length: probes }, () => new Float64Array(blocks));
  return {
    add(probe, block, q) {
      rows[probe][block] += q;
    },
    traces: (samples) =>
      Array.from({ length: blocks }, (_, block) => rows.reduce((sum, row) => sum + row[block], 0) / probes / samples),
    standardError(factors, samples) {
      if (blocks === 0) {
        return 0;
      }
      if (probes < 2) {
        return Number.POSITIVE_INFINITY;
      }
      const values = rows.map((row) => row.reduce((sum, q, block) => sum + factors[block] * q, 0) / samples);
      const mean = values.reduce((sum, value) => sum + value, 0) / probes;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return Math.sqrt(squares / (probes - 1) / probes);
    },
  };
}
