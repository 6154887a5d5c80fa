import * as tf from '@tensorflow/tfjs-core';
import { meanOf, whereAboveZero } from '../../tfjs/mended-operations.js';

/** What runs an operation forward. */
interface Runs {
  forward(inputs: tf.Tensor[], recording?: boolean, mask?: tf.Tensor): { readonly output: tf.Tensor };
}

/** One call of an operation on N samples, as its sensitivity sees it. */
export interface SensedCall {
  readonly inputs: readonly tf.Tensor[];
  readonly output: tf.Tensor;
  /** What `forward` saved; empty unless `readsSaved`. */
  readonly saved: readonly tf.Tensor[];
  readonly mask?: tf.Tensor;
  /** What `weights` gave. */
  readonly weights?: readonly tf.Tensor[];
}

/**
 * How the sensitivity of the tensors to the weights below goes forward through an operation. The sensitivity of a tensor is
 *
 *     q_i = sum over weights theta below of  nu_b (d x_i / d theta)^2,
 *
 * with one factor nu_b for every block of weights, and as if paths through different elements never met: the squares of what a
 * delta is multiplied by stand in for the square of their sum, as they do on average over random signs. It has the axes of its
 * tensor, [N, ...]; where it is the same along an axis, that axis may be 1.
 */
export interface Sensitivity {
  /** Whether it needs what `forward` saves for the backward pass. */
  readonly readsSaved?: boolean;
  /**
   * What derivatives are taken in units of, a scalar above 0: squares of large or small kernels have no place in float32. Where there
   * is one, what goes through is in proportion to `weights`.
   */
  unit?(): tf.Tensor;
  /** What is made of the operation's weights alone, the same for all samples: it is made once for many calls. */
  weights?(): tf.Tensor[];
  /**
   * sum_j (d y_i / d x_j)^2 q_j over the elements of all inputs, in units of `unit` squared.
   *
   * @param q of each input; null where no trained weight is below.
   * @returns null where none of it goes through.
   */
  through(q: readonly (tf.Tensor | null)[], call: SensedCall): tf.Tensor | null;
  /**
   * What the operation's own weights add: sum over elements of a weight of (d y_i / d theta)^2, up to a factor, for each of its
   * parameters; null where that is the same for every sample. Absent: ||x||^2 of the inputs, for each.
   */
  ofParameters?(call: SensedCall): (tf.Tensor | null)[];
  /**
   * Whether kernels add one number a sample, ||x||^2 of the one input, and other weights the same for all samples: these come to their
   * scale for many layers at once. Default false: `ofParameters` is asked.
   */
  addsToSamples?(call: SensedCall): boolean;
  /** Whether `ofParameters` speaks of the input, as the kernel of a recurrence does, rather than of the output. */
  readonly entersAtInput?: boolean;
}

/** The numbers of a sensitivity, one for every element of its tensor. */
export function spread(q: tf.Tensor, [, ...shape]: readonly number[]): tf.Tensor {
  const [samples, ...own] = q.shape;
  if (own.every((size, axis) => size === shape[axis])) {
    return q;
  }
  const last = own.length - 1;
  if (own.slice(0, -1).every((size) => size === 1)) {
    // Few axes, since backends broadcast no more than some.
    const positions = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const tiled = tf.tile(tf.reshape(q, [samples, 1, own[last]]), [1, positions, own[last] === 1 ? shape[last] : 1]);
    return tf.reshape(tiled, [samples, ...shape]);
  }
  return tf.tile(q, [1, ...own.map((size, axis) => (size === shape[axis] ? 1 : shape[axis]))]);
}

/** Its mean over all axes between the samples and the channels, which are last: [N, 1, ..., C]. */
export function ofChannels(q: tf.Tensor): tf.Tensor {
  const axes = q.shape.flatMap((size, axis) => (axis > 0 && axis < q.rank - 1 && size > 1 ? [axis] : []));
  return axes.length > 0 ? meanOf(q, axes, true) : q;
}

/** The same without the axes between: [N, C]. */
export function meansOfChannels(q: tf.Tensor): tf.Tensor2D {
  const inner = [...q.shape.keys()].slice(1, -1);
  const isOne = inner.every((axis) => q.shape[axis] === 1);
  return (isOne ? tf.reshape(q, [q.shape[0], -1]) : meanOf(q, inner)) as tf.Tensor2D;
}

/** Whether it is the same at all positions: nothing but the channels tells its numbers apart. */
export const isOfChannels = (q: tf.Tensor) => q.shape.slice(1, -1).every((size) => size === 1);

/** ||x||^2 of every sample, [N, 1, ...] with the axes of a tensor of this rank; 0 for whole numbers, which measure nothing. */
export function squaredNormOfSamples(x: tf.Tensor, rank: number): tf.Tensor {
  const [samples] = x.shape;
  const shape = [samples, ...Array<number>(rank - 1).fill(1)];
  if (x.dtype !== 'float32') {
    return tf.zeros(shape);
  }
  const norms = tf.sum(tf.square(x.rank === 2 ? x : tf.reshape(x, [samples, -1])), 1, true);
  return rank === 2 ? norms : tf.reshape(norms, shape);
}

/** y = slope x, element by element. */
export const bySlope: Sensitivity = {
  readsSaved: true,
  through: ([q], { saved: [slope] }) => q && tf.mul(q, tf.square(slope)),
};

/** y = x where y > 0, and 0 elsewhere: nothing has to be kept for that. */
export const bySwitch: Sensitivity = {
  through: ([q], { output }) => q && whereAboveZero(q, output),
};

/** Elements that move to other places, or come several times. */
export function byPlace(operation: Runs): Sensitivity {
  return { through: ([q], { inputs: [x] }) => q && operation.forward([spread(q, x.shape)], false).output };
}

/** The same where positions move, but channels stay what they are. */
export function byPosition(operation: Runs): Sensitivity {
  return {
    through: ([q], { inputs: [x] }) =>
      q && (isOfChannels(q) ? q : operation.forward([spread(q, x.shape)], false).output),
  };
}

/** Nothing goes through: what comes out names something, and has no derivative. */
export const nothingPasses: Sensitivity = { through: () => null };

/** Steps of so much of the size of the input. */
const STEP = 0.01;
/** Directions tried. */
const DIRECTIONS = 4;

/**
 * Any function: with v = sqrt(q) times random signs, the mean of ((f(x + h v) - f(x)) / h)^2 over a few directions is
 * sum_j (d y_i / d x_j)^2 q_j on average.
 */
export function byRandomSigns(operation: Runs): Sensitivity {
  return {
    through(q, { inputs, output, mask }) {
      const roots = inputs.map((x, i) => {
        const given = q[i];
        return given && x.dtype === 'float32' ? tf.sqrt(spread(given, x.shape)) : null;
      });
      const sizeOf = (xs: readonly (tf.Tensor | null)[]) =>
        tf.sqrt(
          xs.flatMap((x, i) => (x && roots[i] ? [squaredNormOfSamples(x, 1)] : [])).reduce((sum, x) => tf.add(sum, x)),
        );
      if (roots.every((root) => root === null)) {
        return null;
      }
      const steps = tf.div(tf.mul(tf.add(sizeOf(inputs), STEP), STEP), tf.add(sizeOf(roots), 1e-30));
      const along = (x: tf.Tensor) => tf.reshape(steps, [x.shape[0], ...x.shape.slice(1).map(() => 1)]);
      const squares = Array.from({ length: DIRECTIONS }, (_, direction) => {
        const moved = inputs.map((x, i) => {
          const root = roots[i];
          return root ? tf.add(x, tf.mul(tf.mul(root, signs(x.shape, direction * inputs.length + i)), along(x))) : x;
        });
        const change = tf.sub(operation.forward(moved, false, mask).output, output);
        return tf.square(tf.div(change, along(change)));
      });
      return tf.div(tf.addN(squares), DIRECTIONS);
    },
  };
}

/** The same signs for every sample, so that what is drawn does not depend on how samples are put into batches. */
function signs([, ...shape]: readonly number[], seed: number): tf.Tensor {
  const uniform = tf.randomUniform([1, ...shape], -1, 1, 'float32', 1 + seed);
  return tf.sub(tf.mul(tf.cast(tf.greater(uniform, 0), 'float32'), 2), 1);
}
