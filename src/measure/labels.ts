import * as tf from '@tensorflow/tfjs-core';
import type { OutputHessian } from '../network/output-hessian.js';
import type { TensorInputs } from './inputs.js';

/**
 * Labels in the order of the outputs: a tensor, several, or by name.
 *
 * @param names of the outputs.
 * @param why what needs them, for messages.
 * @throws Error with one line when some are missing or do not fit the number of samples.
 */
export function orderedLabels(
  labels: TensorInputs | undefined,
  names: readonly string[],
  samples: number,
  why: string,
): tf.Tensor[] {
  if (labels === undefined || labels === null) {
    throw new Error(`${why}: pass labels, or a dataset of { xs, ys }.`);
  }
  const byName = labels as { readonly [name: string]: tf.Tensor };
  const list =
    labels instanceof tf.Tensor ? [labels] : Array.isArray(labels) ? labels : names.map((name) => byName[name]);
  if (list.length !== names.length || !list.every((each) => each instanceof tf.Tensor)) {
    throw new Error(`labels: give one tensor for each output (${names.join(', ')}).`);
  }
  for (const [i, { shape, isDisposed }] of list.entries()) {
    if (isDisposed) {
      throw new Error(`labels of '${names[i]}' are a disposed tensor: keep it until the measurement is over.`);
    }
    if (shape[0] !== samples) {
      throw new Error(
        `labels of '${names[i]}' have ${shape[0] ?? 0} rows for ${samples} samples: give one row for each sample of the inputs.`,
      );
    }
  }
  return list;
}

/**
 * Labels of one output as `Head.labels` has them: in the shape of the output and float32, or for sparse labels classes in
 * int32, one axis less. Also taken: a last axis of length 1 for sparse labels, and its absence where K is 1.
 *
 * @param labels [N, ...positions, K], or classes [N, ...positions].
 * @param kind what the loss takes for labels.
 * @param output shape of the output, [any, ...positions, K].
 * @returns a tensor of its own, to be disposed by the caller.
 * @throws Error with one line for labels that have another shape or values that the loss cannot mean.
 */
export async function checkedLabels(
  labels: tf.Tensor,
  kind: OutputHessian['labels'],
  output: readonly (number | null)[],
  name: string,
): Promise<tf.Tensor> {
  const [samples] = labels.shape;
  const outputs = output[output.length - 1] as number;
  const sparse = kind === 'classes';
  const positions = output.slice(1, -1).map((size, i) => size ?? labels.shape[i + 1]);
  const shape = sparse ? [samples, ...positions] : [samples, ...positions, outputs];
  const other = sparse ? [...shape, 1] : outputs === 1 ? shape.slice(0, -1) : shape;
  if (labels.shape.join() !== shape.join() && labels.shape.join() !== other.join()) {
    const oneHot = labels.shape.join() === [...shape, outputs].join();
    const hint = sparse && oneHot ? ": one class each, or loss: 'categoricalCrossentropy' for one-hot rows." : '.';
    throw new Error(
      `labels of '${name}' have shape [${labels.shape.join(', ')}], but its loss takes [${shape.join(', ')}] here${hint}`,
    );
  }
  const values = await labels.data();
  const wrong = values.findIndex((value: number) => !isLabel(value, kind, outputs));
  if (wrong >= 0) {
    const meant = sparse
      ? `classes are whole numbers from 0 to ${outputs - 1}`
      : kind === 'numbers'
        ? 'targets are finite numbers'
        : 'labels are probabilities, from 0 to 1';
    const sample = Math.floor((wrong * samples) / values.length);
    throw new Error(`labels of '${name}': ${values[wrong]} at sample ${sample}: ${meant}.`);
  }
  return tf.tidy(() => tf.reshape(tf.cast(labels, sparse ? 'int32' : 'float32'), shape));
}

function isLabel(value: number, kind: OutputHessian['labels'], outputs: number): boolean {
  if (kind === 'classes') {
    return Number.isInteger(value) && value >= 0 && value < outputs;
  }
  return kind === 'numbers' ? Number.isFinite(value) : value >= 0 && value <= 1;
}
