import * as tf from '@tensorflow/tfjs-core';
import { bitsOfProducts } from '../tfjs/product-precision.js';
import {
  ROUNDING_PROBES,
  type RoundingProbes,
  relativeRoundingError,
  roundingProbes,
} from '../traces/rounding-probes.js';
import { roundedProducts } from './assumptions.js';
import type { Estimate, Method } from './methods.js';
import type { Task } from './task.js';

/** Samples that the effect of rounding is found on: it hardly differs between samples. */
const PROBED_SAMPLES = 64;

/**
 * The same way of measuring, which says what it costs where the backend rounds the factors of products, as GPUs do that multiply in
 * TF32: the error of that is added to `standardError`, and named. Where products are those of float32, nothing changes.
 */
export function withRoundingError(method: Method): Method {
  return async (task) => {
    const kept: tf.Tensor[] = [];
    try {
      const estimate = await method(keepingSamples(task, kept));
      const bits = await bitsOfProducts();
      if (bits === Number.POSITIVE_INFINITY) {
        return estimate;
      }
      const { graph, heads } = task.subject;
      const probes = await roundingProbes(graph, heads, task.budgetBytes, kept, 2 ** -(bits + 1));
      return withError(estimate, probes, bits);
    } finally {
      tf.dispose(kept);
    }
  };
}

/**
 * For what cannot carry the error of rounded products.
 *
 * @throws Error with one line where the backend rounds the factors of products.
 */
export async function checkProductsRoundNothing(what: string): Promise<void> {
  const bits = await bitsOfProducts();
  if (bits < Number.POSITIVE_INFINITY) {
    throw new Error(
      `${what}: this backend rounds the factors of products to ${bits} bits, which is too few for it. On NVIDIA GPUs set ` +
        'NVIDIA_TF32_OVERRIDE=0 before CUDA starts, or measure on another backend.',
    );
  }
}

/** The task, of whose first batch some samples are kept where products round. Nothing is computed before the data has been looked at. */
function keepingSamples(task: Task, kept: tf.Tensor[]): Task {
  return {
    ...task,
    data: {
      ...task.data,
      eachBatch: (run) =>
        task.data.eachBatch(async (batch) => {
          if (kept.length === 0 && (await bitsOfProducts()) < Number.POSITIVE_INFINITY) {
            kept.push(...batch.map((x) => tf.slice(x, 0, Math.min(PROBED_SAMPLES, x.shape[0]))));
          }
          await run(batch);
        }),
    },
  };
}

function withError(estimate: Estimate, probes: RoundingProbes, bits: number): Estimate {
  const { drawn: _, ...others } = estimate;
  return {
    ...others,
    errorOf(factors) {
      const { standardError, reliable } = estimate.errorOf(factors);
      const value = estimate.traces.reduce((sum, trace, b) => sum + factors[b] * trace, 0);
      // No product is better than one rounding, where the effects of several happen to cancel.
      const relative = Math.hypot(relativeRoundingError(probes, factors), 2 ** -(bits + 1));
      return { standardError: Math.hypot(standardError, relative * value), reliable };
    },
    assumptions: [...estimate.assumptions, roundedProducts(bits, ROUNDING_PROBES)],
  };
}
