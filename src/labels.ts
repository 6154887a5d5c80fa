import * as tf from '@tensorflow/tfjs-core';
import type { LossName } from './curvature/output-hessian.js';

/**
 * Labels as `OutputHessian.gradient` takes them: [N, K] in float32, or classes [N] in int32 for sparse labels. Also taken: [N, 1]
 * for sparse labels, [N] where there is one output.
 *
 * @param outputs K.
 * @returns a tensor of its own, to be disposed by the caller.
 * @throws Error with one line for labels that are missing, have another shape or values that the loss cannot mean.
 */
export async function checkedLabels(
  labels: unknown,
  loss: LossName,
  samples: number,
  outputs: number,
): Promise<tf.Tensor> {
  const sparse = loss === 'sparseCategoricalCrossentropy';
  const shape = sparse ? [samples] : [samples, outputs];
  if (!(labels instanceof tf.Tensor)) {
    throw new Error(
      `labels must be a tensor of shape [${shape.join(', ')}]: traces of the Hessian, unlike those of the Gauss-Newton matrix, ` +
        'depend on them.',
    );
  }
  if (labels.isDisposed) {
    throw new Error('labels are a disposed tensor: keep it until the measurement is over.');
  }
  const fits =
    labels.shape.join() === shape.join() ||
    (labels.size === samples && labels.shape[0] === samples && labels.rank <= 2 && (sparse || outputs === 1));
  if (!fits) {
    const hint =
      sparse && labels.size === samples * outputs
        ? `: one class a sample, or loss: 'categoricalCrossentropy' for one-hot rows.`
        : ': one row for each sample of the inputs.';
    throw new Error(
      `labels have shape [${labels.shape.join(', ')}], but loss '${loss}' takes [${shape.join(', ')}] here${hint}`,
    );
  }
  const values = await labels.data();
  const wrong = values.findIndex((value: number) => !isLabel(value, loss, outputs));
  if (wrong >= 0) {
    const meant = sparse
      ? `classes are whole numbers from 0 to ${outputs - 1}`
      : loss === 'meanSquaredError'
        ? 'targets are finite numbers'
        : 'labels are probabilities, from 0 to 1';
    throw new Error(`labels: ${values[wrong]} at sample ${Math.floor((wrong * samples) / values.length)}: ${meant}.`);
  }
  return tf.tidy(() => tf.reshape(tf.cast(labels, sparse ? 'int32' : 'float32'), shape));
}

function isLabel(value: number, loss: LossName, outputs: number): boolean {
  switch (loss) {
    case 'meanSquaredError':
      return Number.isFinite(value);
    case 'sparseCategoricalCrossentropy':
      return Number.isInteger(value) && value >= 0 && value < outputs;
    default:
      return value >= 0 && value <= 1;
  }
}
