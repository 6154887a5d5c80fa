import * as tf from '@tensorflow/tfjs-core';
import type { LabelKind } from '../network/output-hessian.js';
import type { NamedTensors, TensorInputs } from './inputs.js';
import { forEachOutput } from './loss.js';

/**
 * Labels in the order of the outputs: a tensor, several, or by name.
 *
 * @param names of the outputs.
 * @param why what needs them, for messages.
 * @param without outputs whose labels nothing reads, by their places: they may be missing.
 * @throws Error with one line when some are missing or do not fit the number of samples.
 */
export function orderedLabels(
  labels: TensorInputs | undefined,
  names: readonly string[],
  samples: number,
  why: string,
  without: readonly number[] = [],
): (tf.Tensor | undefined)[] {
  const list = labelsAtHand(labels, names, samples);
  const needed = list.filter((_, place) => !without.includes(place));
  if (needed.every((each) => each === undefined)) {
    throw new Error(`${why}: pass labels, or a dataset of { xs, ys }.`);
  }
  if (!needed.every((each) => each !== undefined)) {
    throw new Error(`labels: give one tensor for each output (${names.join(', ')}).`);
  }
  return list;
}

/**
 * The same as far as there are labels: undefined for an output that has none.
 *
 * @throws Error with one line when they are none, or do not fit the outputs or the number of samples.
 */
export function labelsAtHand(
  labels: TensorInputs | undefined,
  names: readonly string[],
  samples: number,
): (tf.Tensor | undefined)[] {
  if (labels === undefined || labels === null) {
    return names.map(() => undefined);
  }
  const list: (tf.Tensor | undefined)[] =
    labels instanceof tf.Tensor
      ? [labels]
      : Array.isArray(labels)
        ? labels
        : forEachOutput<tf.Tensor>('labels', labels as NamedTensors, names);
  const given = list.filter((each) => each !== undefined);
  if (list.length !== names.length || given.length === 0 || !given.every((each) => each instanceof tf.Tensor)) {
    throw new Error(`labels: give one tensor for each output (${names.join(', ')}).`);
  }
  list.forEach((each, i) => {
    if (each?.isDisposed) {
      throw new Error(`labels of '${names[i]}' are a disposed tensor: keep it until the measurement is over.`);
    }
    if (each && !['float32', 'int32', 'bool'].includes(each.dtype)) {
      throw new Error(`labels of '${names[i]}' have dtype '${each.dtype}': pass numbers, 'float32' or 'int32'.`);
    }
    if (each && each.shape[0] !== samples) {
      throw new Error(
        `labels of '${names[i]}' have ${each.shape[0] ?? 0} rows for ${samples} samples: give one row for each sample of the inputs.`,
      );
    }
  });
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
  kind: LabelKind,
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
    throw otherShape(name, labels.shape, shape, sparse && labels.shape.join() === [...shape, outputs].join());
  }
  checkLabelValues(await labels.data(), kind, outputs, samples, name);
  return tf.tidy(() => tf.reshape(tf.cast(labels, sparse ? 'int32' : 'float32'), shape));
}

/** @param areRows whether these are one-hot rows where the loss takes classes. */
function otherShape(
  name: string,
  given: readonly number[],
  taken: readonly (number | string)[],
  areRows: boolean,
): Error {
  const hint = areRows ? ": one class each, or loss: 'categoricalCrossentropy' for one-hot rows." : '.';
  return new Error(
    `labels of '${name}' have shape [${given.join(', ')}], but its loss takes [${taken.join(', ')}] here${hint}`,
  );
}

/** @throws Error with one line that names a sample with a label that the loss cannot mean. */
export function checkLabelValues(
  values: Float32Array | Int32Array | Uint8Array,
  kind: LabelKind,
  outputs: number,
  samples: number,
  name: string,
): void {
  const wrong = values.findIndex((value: number) => !isLabel(value, kind, outputs));
  if (wrong >= 0) {
    const meant = kind === 'classes' ? `classes are whole numbers from 0 to ${outputs - 1}` : meantBy[kind];
    const sample = Math.floor((wrong * samples) / values.length);
    throw new Error(`labels of '${name}': ${values[wrong]} at sample ${sample}: ${meant}.`);
  }
}

const meantBy = {
  numbers: 'targets are finite numbers',
  amounts: 'targets are finite numbers of at least 0',
  probabilities: 'labels are probabilities, from 0 to 1',
  none: 'none are read',
} as const satisfies Record<Exclude<LabelKind, 'classes'>, string>;

function isLabel(value: number, kind: LabelKind, outputs: number): boolean {
  switch (kind) {
    case 'classes':
      return Number.isInteger(value) && value >= 0 && value < outputs;
    case 'probabilities':
      return value >= 0 && value <= 1;
    case 'amounts':
      return value >= 0 && Number.isFinite(value);
    case 'numbers':
      return Number.isFinite(value);
    default:
      return true;
  }
}

/**
 * Labels as `checkedLabels` gives them, whatever their values.
 *
 * @returns a tensor of its own, to be disposed by the caller; undefined for none, and for those of another form.
 */
export function labelsOfForm(
  labels: tf.Tensor | undefined,
  kind: LabelKind,
  output: readonly (number | null)[],
): tf.Tensor | undefined {
  const form = labels && formOfLabels(labels.shape, output);
  if (labels === undefined || form === undefined) {
    return undefined;
  }
  const rows = labels.shape.slice(0, output.length - 1);
  if (kind === 'classes') {
    return form === 'classes'
      ? tf.tidy(() => tf.reshape(tf.cast(tf.floor(tf.cast(labels, 'float32')), 'int32'), rows))
      : undefined;
  }
  const outputs = output[output.length - 1];
  return form === 'rows' || outputs === 1
    ? tf.tidy(() => tf.reshape(tf.cast(labels, 'float32'), [...rows, outputs as number]))
    : undefined;
}

/**
 * Which form labels have.
 *
 * @param labels their shape: rows [N, ...positions, K], or classes [N, ...positions], perhaps with a last axis of length 1.
 * @param output shape of the output, [any, ...positions, K].
 */
export function formOfLabels(
  [, ...labels]: readonly number[],
  [, ...output]: readonly (number | null)[],
): 'rows' | 'classes' | undefined {
  const positions = output.slice(0, -1);
  const isShape = (expected: readonly (number | null)[]) =>
    labels.length === expected.length && expected.every((size, axis) => size === null || size === labels[axis]);
  if (isShape(output)) {
    return 'rows';
  }
  return isShape(positions) || isShape([...positions, 1]) ? 'classes' : undefined;
}

/** rho = sum_k y_k of every row of labels. */
export interface RowSums {
  /** [N, ...positions], or [N] where all are 1; the caller disposes it. */
  readonly sums: tf.Tensor;
  /** Whether they come from labels, rather than being taken to be 1. */
  readonly areKnown: boolean;
}

/**
 * The sums of the rows of labels of one output. Of classes where a loss takes rows, as may be where it is another name for a loss of
 * the user's own, nothing is known.
 *
 * @param labels rows [N, ...positions, K], or classes [N, ...positions], perhaps with a last axis of length 1; undefined: none.
 * @param kind what the loss takes. A class that there is not counts nothing, as in tf.js, where its one-hot row is 0; one that is no
 *   number counts NaN.
 * @param output shape of the output, [any, ...positions, K].
 * @throws Error with one line for labels that have another shape.
 */
export function rowSumsOf(
  labels: tf.Tensor | undefined,
  samples: number,
  kind: LabelKind,
  output: readonly (number | null)[],
  name: string,
): RowSums {
  const form = labels && formOfLabels(labels.shape, output);
  const wanted = kind === 'classes' ? 'classes' : 'rows';
  if (labels === undefined || (form === 'classes' && wanted === 'rows')) {
    return { sums: tf.ones([samples]), areKnown: false };
  }
  const [, ...ofSample] = output;
  const positions = ofSample.slice(0, -1);
  if (form !== wanted) {
    const shape = [samples, ...(wanted === 'classes' ? positions : ofSample).map((size) => size ?? 'any')];
    throw otherShape(name, labels.shape, shape, form === 'rows');
  }
  const sums = tf.tidy(() => {
    const values = tf.cast(labels, 'float32');
    if (wanted === 'rows') {
      return tf.sum(values, -1);
    }
    const classes = tf.floor(tf.reshape(values, labels.shape.slice(0, output.length - 1)));
    const outputs = ofSample[ofSample.length - 1] as number;
    const counts = tf.cast(tf.logicalAnd(tf.greaterEqual(classes, 0), tf.less(classes, outputs)), 'float32');
    return tf.where(tf.isFinite(classes), counts, Number.NaN);
  });
  return { sums, areKnown: true };
}

/** @throws Error with one line that names a sample whose row adds up to less than 0, or to no number. */
export function checkRowSums(values: Float32Array, samples: number, name: string): void {
  const wrong = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (wrong >= 0) {
    throw new Error(
      `labels of '${name}': the row of sample ${Math.floor((wrong * samples) / values.length)} adds up to ${values[wrong]}: rows ` +
        'are finite, with a sum of at least 0.',
    );
  }
}
