import * as tf from '@tensorflow/tfjs-core';
import type { OutputHessian } from '../network/output-hessian.js';
import { uniforms } from '../traces/sampling/uniform.js';

/** Outputs at which two losses are compared. */
const PLACES = 8;
/** Largest difference that backends make, relative to the largest value. */
const ROUNDING = 1e-4;

/**
 * What tells losses of the user's own apart: v^T A(z) v, with A = C C^T the output Hessian, for some z and v that are always the
 * same. Factors C that differ by a rotation of their columns give the same A, and all else that is measured is the same too.
 *
 * @param outputs K.
 * @returns 8 numbers of at least 0; -1 where one is not finite.
 */
export async function curvatureOf(hessian: OutputHessian, outputs: number): Promise<number[]> {
  const uniform = uniforms(0);
  const rows = (first: number, size: number) =>
    tf.tensor2d(
      Float32Array.from({ length: PLACES * outputs }, (_, i) => size * (2 * uniform(first + i) - 1)),
      [PLACES, outputs],
    );
  const found = tf.tidy(() => {
    const [z, v] = [rows(0, 3), rows(PLACES * outputs, 1)];
    // Between 0 and 1: losses of amounts and of probabilities know no others.
    const labels = hessian.needsLabels ? tf.div<tf.Tensor2D>(tf.add(rows(2 * PLACES * outputs, 1), 1), 2) : undefined;
    const columns = hessian.factor(z, 0, hessian.columns(outputs), undefined, labels);
    return tf.sum(tf.square(tf.sum(tf.mul(columns, v), 2)), 0);
  });
  const values = await found.data();
  found.dispose();
  return Array.from(values, (value) => (Number.isFinite(value) ? value : -1));
}

/** Whether they are of one loss, as far as they tell. */
export function isSameCurvature(one: readonly number[], other: readonly number[]): boolean {
  const largest = Math.max(0, ...one, ...other);
  return one.length === other.length && one.every((value, i) => Math.abs(value - other[i]) <= ROUNDING * largest);
}
