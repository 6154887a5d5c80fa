import * as tf from '@tensorflow/tfjs-core';
import type { Walk } from '../../network/walk.js';
import { gaugedTidy, type MemoryGauge } from '../../tfjs/memory-gauge.js';
import { sharingValues } from '../../tfjs/value-identity.js';
import type { Between } from '../chunks.js';
import { inTurns } from '../event-loop.js';
import { randomSigns } from '../sampling/signs.js';

/**
 * The random signs v of one probe and block. Probe and seed tell which: the same ones for every chunk of samples.
 *
 * @param sizes how many weights each block has.
 */
export function probeSigns(sizes: readonly number[], block: number, seed: number, probe: number): Float32Array {
  const sum = (some: readonly number[]) => some.reduce((total, size) => total + size, 0);
  return randomSigns(seed, probe * sum(sizes) + sum(sizes.slice(0, block)), sizes[block]);
}

/**
 * v^T (g(theta + h v) - g(theta - h v)) / (2 h), which is v^T H v + O(h^2) if g is the gradient by this variable and H its
 * derivative. When it is over, or throws, the variable has the very values that it had, also by `identityOfValues`. It has them
 * during every turn of the event loop, too.
 *
 * @param signs v, in the order of the variable's values.
 * @param gradient g at the present value of the variable, in its shape; disposed here.
 * @param between called where a turn of the event loop is due. What it throws ends the work, and leaves the variable as it then is.
 * @returns a scalar.
 */
export async function probeQuotient(
  variable: tf.Variable,
  signs: Float32Array,
  h: number,
  gradient: () => Walk<tf.Tensor>,
  gauge: MemoryGauge,
  between: Between = async () => {},
): Promise<tf.Tensor> {
  const v = tf.tensor(signs, variable.shape);
  const original = sharingValues(variable);
  let isMoved = false;
  const move = (step: number) => {
    const moved = tf.tidy(() => tf.add(original, tf.mul(v, step)));
    // The variable itself: `LayerVariable.write` would apply a constraint.
    variable.assign(moved as tf.Variable);
    isMoved = true;
    moved.dispose();
  };
  const moveBack = () => {
    if (isMoved) {
      variable.assign(original);
      isMoved = false;
    }
  };
  const gradientAt = (step: number) => {
    move(step);
    return inTurns({}, gradient(), async () => {
      moveBack();
      await between();
      move(step);
    });
  };
  const gradients: tf.Tensor[] = [];
  try {
    gradients.push(await gradientAt(h));
    gradients.push(await gradientAt(-h));
    return gaugedTidy(gauge, () => {
      const [up, down] = gradients;
      return tf.div(tf.sum(tf.mul(tf.sub(up, down), v)), 2 * h);
    });
  } finally {
    moveBack();
    tf.dispose([v, original, gradients]);
  }
}
