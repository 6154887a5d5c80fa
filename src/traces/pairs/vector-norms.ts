import * as tf from '@tensorflow/tfjs-core';

/** So many at once: what adds them up has a row for each, as long as all of them together. */
const AT_ONCE = 8;

/**
 * ||x||^2 of the rows of several matrices, in three operations for all of them.
 *
 * @param matrices [N, F] each.
 * @returns [matrices, N].
 */
export function squaredNormsOfRows(matrices: readonly tf.Tensor2D[]): tf.Tensor2D {
  const groups = Array.from({ length: Math.ceil(matrices.length / AT_ONCE) }, (_, i) =>
    matrices.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  const norms = groups.map((group) => {
    const widths = group.map(({ shape }) => shape[1]);
    const width = widths.reduce((a, b) => a + b, 0);
    const belongs = new Float32Array(group.length * width);
    let from = 0;
    widths.forEach((own, i) => {
      belongs.fill(1, i * width + from, i * width + from + own);
      from += own;
    });
    const squares = tf.square(group.length === 1 ? group[0] : tf.concat2d([...group], 1));
    return tf.matMul(tf.tensor2d(belongs, [group.length, width]), squares as tf.Tensor2D, false, true) as tf.Tensor2D;
  });
  return norms.length === 1 ? norms[0] : tf.concat2d(norms, 0);
}
