import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from './graph.js';
import { columnsOf, type Head, squaredNormsOf } from './heads.js';
import { maximaFirst } from './maxima-first.js';
import { fitting, gaugedTidy, memoryGauge } from './memory-gauge.js';
import type { Operation } from './operation.js';
import { planSteps, record, withoutBackward } from './tape.js';

/** What a forward pass says of the curvature of consecutive samples. */
export interface PairWeights {
  readonly samples: number;
  /** Columns of the output Hessian's factor that a sample has in each head; R in all. */
  readonly columnsOfHeads: readonly number[];
  /** w = ||c_{n,r}||^2 of every pair, sample by sample: [samples * R]. */
  readonly weights: Float32Array;
  /** ||a_n||^2 of the input of every call that has trained weights: one array of [samples] a call. */
  readonly inputNorms: readonly Float32Array[];
}

/** The forward pass that says where the curvature lies. */
export interface PairWeighing {
  /** Operations with trained weights, one entry a call, in the order of the graph: those of `inputNorms`. */
  readonly calls: readonly Operation[];
  /** @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's. */
  weights(inputs: readonly tf.Tensor[]): AsyncGenerator<PairWeights, void, void>;
}

/** Larger batches gain nothing, and the event loop gets its turn between two of them. */
const LARGEST_CHUNK = 2048;

/** Sets up the forward pass, in chunks of samples that stay under a memory budget. */
export function pairWeighing(graph: Graph, heads: readonly Head[], budgetBytes: number): PairWeighing {
  const plan = planSteps(maximaFirst(graph));
  const forwardPlan = withoutBackward(plan);
  const weighted = plan.flatMap(({ leavesNorms }, i) => (leavesNorms ? [i] : []));
  let chunk = 1;

  /** [samples, R + calls]: the weights, then the norms. */
  function weigh(inputs: readonly tf.Tensor[], begin: number, samples: number): [tf.Tensor2D, number[]] {
    const gauge = memoryGauge();
    const slices = inputs.map((x) => tf.slice(x, begin, samples));
    const norms: tf.Tensor[] = [];
    try {
      const tape = record(graph, forwardPlan, slices, gauge, (step, stepInputs) => {
        if (weighted.includes(step)) {
          norms.push(gaugedTidy(gauge, () => tf.addN(stepInputs.map((x) => squaredNormOfEach(x, samples)))));
        }
      });
      try {
        const weights = gaugedTidy(gauge, () => squaredNormsOf(heads, tape.outputs));
        norms.unshift(weights);
        chunk = Math.min(LARGEST_CHUNK, fitting(budgetBytes, samples, gauge.peak, samples === 1));
        const columnsOfHeads = tf.tidy(() => heads.map((head) => columnsOf(head, tape.outputs)));
        return [tf.concat(norms, 1) as tf.Tensor2D, columnsOfHeads];
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose([slices, norms]);
    }
  }

  return {
    calls: weighted.map((step) => plan[step].step.operation),
    async *weights(inputs) {
      const samples = inputs[0].shape[0];
      for (let begin = 0; begin < samples; ) {
        const count = Math.min(chunk, samples - begin);
        const [found, columnsOfHeads] = weigh(inputs, begin, count);
        const [, width] = found.shape;
        const columns = width - weighted.length;
        const values = (await found.data()) as Float32Array;
        found.dispose();
        const column = (i: number) => Float32Array.from({ length: count }, (_, n) => values[n * width + i]);
        const weights = new Float32Array(count * columns);
        for (let n = 0; n < count; n++) {
          weights.set(values.subarray(n * width, n * width + columns), n * columns);
        }
        const inputNorms = weighted.map((_, call) => column(columns + call));
        yield { samples: count, columnsOfHeads, weights, inputNorms };
        begin += count;
      }
    },
  };
}

/** ||x_n||^2, [N, 1]; 0 for whole numbers, such as the tokens of an embedding, which name something and measure nothing. */
function squaredNormOfEach(x: tf.Tensor, samples: number): tf.Tensor {
  return x.dtype === 'float32'
    ? tf.sum(tf.square(tf.reshape(x, [samples, -1])), 1, true)
    : tf.zeros([samples, 1], 'float32');
}

/**
 * How active the inputs of the layers are for a sample, against the mean of the data so far:
 *
 *     mean over calls l of (||a_{l,n}||^2 + 1) / abar_l,     abar_l = sum_n w_n (||a_{l,n}||^2 + 1) / sum_n w_n.
 *
 * A pair's size is its weight times this, an approximation of its trace. Never 0.
 */
export class InputActivity {
  readonly #sums: Float64Array;
  #weight = 0;

  /** @param calls the entries of `inputNorms` that count. */
  constructor(readonly calls: readonly number[]) {
    this.#sums = new Float64Array(calls.length);
  }

  /** @param weights w_n, summed over the columns of each sample. */
  add(inputNorms: readonly ArrayLike<number>[], weights: ArrayLike<number>): void {
    for (let n = 0; n < weights.length; n++) {
      this.#weight += weights[n];
      this.calls.forEach((call, l) => {
        this.#sums[l] += weights[n] * (inputNorms[call][n] + 1);
      });
    }
  }

  /** Activity of sample n. */
  of(inputNorms: readonly ArrayLike<number>[], n: number): number {
    if (this.calls.length === 0 || !(this.#weight > 0)) {
      return 1;
    }
    let sum = 0;
    this.calls.forEach((call, l) => {
      sum += ((inputNorms[call][n] + 1) * this.#weight) / this.#sums[l];
    });
    return sum / this.calls.length;
  }
}
