import type { TraceChunk } from './exact.js';

/**
 * Traces summed over samples in float64, with the cross products that the spread of any linear combination of blocks needs:
 * memory does not grow with the number of samples.
 */
export class TraceSums {
  samples = 0;
  pairs = 0;
  readonly #mean: Float64Array;
  /** Sum over samples of the products of deviations from the mean, [blocks, blocks] (Welford's update). */
  readonly #products: Float64Array;

  constructor(readonly blocks: number) {
    this.#mean = new Float64Array(blocks);
    this.#products = new Float64Array(blocks * blocks);
  }

  add(chunk: TraceChunk): void {
    const { blocks } = this;
    const deviation = new Float64Array(blocks);
    for (let n = 0; n < chunk.samples; n++) {
      this.samples++;
      for (let b = 0; b < blocks; b++) {
        deviation[b] = chunk.norms[b][n] - this.#mean[b];
        this.#mean[b] += deviation[b] / this.samples;
      }
      const factor = (this.samples - 1) / this.samples;
      for (let b = 0; b < blocks; b++) {
        const row = b * blocks;
        const scaled = factor * deviation[b];
        for (let c = 0; c <= b; c++) {
          this.#products[row + c] += scaled * deviation[c];
        }
      }
    }
    this.pairs += chunk.pairs;
  }

  /** T_b: mean over samples of the trace of each block. */
  get traces(): readonly number[] {
    return [...this.#mean];
  }

  /**
   * Standard error of sum_b factors_b T_b as an estimate for the set that the samples were drawn from at random; Infinity
   * for a single sample, which says nothing of the spread.
   */
  standardError(factors: readonly number[]): number {
    if (this.samples < 2) {
      return Number.POSITIVE_INFINITY;
    }
    let squares = 0;
    for (let b = 0; b < this.blocks; b++) {
      for (let c = 0; c <= b; c++) {
        const product = factors[b] * factors[c] * this.#products[b * this.blocks + c];
        squares += b === c ? product : 2 * product;
      }
    }
    return Math.sqrt(Math.max(0, squares) / (this.samples - 1) / this.samples);
  }
}
