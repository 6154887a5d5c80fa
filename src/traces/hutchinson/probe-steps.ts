import * as tf from '@tensorflow/tfjs-core';
import { valuesOf } from '../chunks.js';

/**
 * Change of a weight by a probe, relative to the root mean square of its tensor. Against float64, q was off by this much of the
 * Gauss-Newton trace at worst, in networks with tanh, sigmoid and softplus: 3e-3 at 0.01 and 7e-4 at 0.005 (falling with the
 * square, third derivatives), 1.3e-4 at 0.002, and from there on rounding.
 */
const RELATIVE_STEP = 0.003;

/**
 * h for each block: relative to the weights of a matrix. A bias, which may be 0, moves z as much as the matrices do, by their
 * Gauss-Newton traces.
 *
 * @param traces T_b^GN of each block.
 */
export async function probeSteps(variables: readonly tf.Variable[], traces: readonly number[]): Promise<number[]> {
  const sizes = tf.tidy(() => tf.stack(variables.map((x) => tf.sqrt(tf.mean(tf.square(x))))));
  const rms = await valuesOf(sizes);
  const isMatrix = (b: number) => variables[b].rank >= 2 && rms[b] > 0;
  const effects = variables.flatMap((_, b) => (isMatrix(b) && traces[b] > 0 ? [rms[b] * Math.sqrt(traces[b])] : []));
  const effect = Math.min(...effects);
  return variables.map((_, b) => {
    const scale = isMatrix(b) || effects.length === 0 || traces[b] <= 0 ? rms[b] || 1 : effect / Math.sqrt(traces[b]);
    return RELATIVE_STEP * scale;
  });
}
