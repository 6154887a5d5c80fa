import type { SampleLosses, TraceChunk } from './exact.js';

/** Sums over samples: of their losses, and of about the traces of their output Hessians. */
export interface LossSums {
  readonly value: number;
  readonly curvature: number;
}

/** Adds the losses of some samples to sums. */
export function sumOfLosses(sums: LossSums | undefined, losses: SampleLosses | undefined): LossSums | undefined {
  const total = (of: Float32Array, before = 0) => of.reduce((sum, each) => sum + each, before);
  return (
    losses && {
      value: total(losses.values, sums?.value),
      curvature: total(losses.curvature, sums?.curvature),
    }
  );
}

/**
 * Traces summed over samples in float64, with the cross products that the spread of any linear combination of blocks needs:
 * memory does not grow with the number of samples.
 */
export class TraceSums {
  samples = 0;
  pairs = 0;
  /** Sums over the samples, where their losses were asked for. */
  loss: LossSums | undefined;
  readonly #mean: Float64Array;
  /** Sum over samples of the products of deviations from the mean, [blocks, blocks]. */
  readonly #products: Float64Array;

  constructor(readonly blocks: number) {
    this.#mean = new Float64Array(blocks);
    this.#products = new Float64Array(blocks * blocks);
  }

  /** The chunk's own mean and products, and then what the two means are apart (Chan, Golub, LeVeque). */
  add({ samples, norms, pairs, loss }: TraceChunk): void {
    this.pairs += pairs;
    this.loss = sumOfLosses(this.loss, loss);
    if (samples === 0) {
      return;
    }
    const all = this.samples + samples;
    const means = norms.map((ofBlock) => ofBlock.reduce((sum, norm) => sum + norm, 0) / samples);
    const deviations = norms.map((ofBlock, b) => ofBlock.map((norm) => norm - means[b]));
    const apart = means.map((mean, b) => mean - this.#mean[b]);
    const weight = (this.samples * samples) / all;
    for (let b = 0; b < this.blocks; b++) {
      for (let c = 0; c <= b; c++) {
        this.#products[b * this.blocks + c] += dot(deviations[b], deviations[c]) + weight * apart[b] * apart[c];
      }
      this.#mean[b] += (apart[b] * samples) / all;
    }
    this.samples = all;
  }

  /** Means over the samples. */
  get meanLoss(): LossSums | undefined {
    const { loss, samples } = this;
    return loss && { value: loss.value / samples, curvature: loss.curvature / samples };
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

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += a[i] * b[i];
  }
  return sum;
}
