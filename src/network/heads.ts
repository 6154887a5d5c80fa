import * as tf from '@tensorflow/tfjs-core';
import type { Delta } from './backward.js';
import type { DrawSigns } from './column-factor.js';
import type { Graph } from './graph.js';
import type { OutputHessian } from './output-hessian.js';

/**
 * One output of the network with its loss. The whole loss is, over samples n and positions t = 1..P of the output,
 *
 *     sum over heads of  lossWeight * (1/N) sum_n (1/P) sum_t weight_{n,t} l(z_{n,t}, y_{n,t}),
 *
 * so that the output Hessian of a sample falls into one block a head and position, which counts weight_{n,t} rho_{n,t} times where the
 * Hessian of l is in proportion to the sum rho of a row of labels. Its columns are numbered head by head, position by position:
 * P R columns a sample for a head with R columns a position.
 */
export interface Head {
  /** Name of the model's output. */
  readonly name: string;
  /** Place of z among the tape's outputs: [N, K] or [N, ...positions, K]. */
  readonly output: number;
  /** Whether z has axes between the samples and the K outputs. */
  readonly hasPositions: boolean;
  /** Columns of a sample, P R, where the shape of z is known before it is seen. */
  readonly columns: number | undefined;
  /** Place of the weights of its samples, [N], or positions, [N, ...positions], among the tape's outputs; null: all 1. */
  readonly weights: number | null;
  /** Place of rho, the sums of the rows of labels, in the shapes that weights have, among the tape's outputs; null: all 1. */
  readonly rowSums: number | null;
  /**
   * Place of the labels among the tape's outputs: in the shape of z, or classes, int32, without its last axis; null: none. Where the
   * Hessian does not need them, they are for the loss itself, and may be a number a sample, [N], which says that they are not known.
   */
  readonly labels: number | null;
  readonly lossWeight: number;
  /** Of one position. */
  readonly hessian: OutputHessian;
}

type Outputs = readonly tf.Tensor[];

/** z as rows [N P, K], and what each of them counts. */
function rowsOf({ name, output, weights, rowSums, lossWeight, labels, hessian }: Head, outputs: Outputs) {
  const z = outputs[output];
  const [samples] = z.shape;
  const outputsOfRow = z.shape[z.rank - 1];
  const rows = (z.rank === 2 ? z : tf.reshape(z, [-1, outputsOfRow])) as tf.Tensor2D;
  const positions = rows.shape[0] / samples;
  const share = Math.sqrt(lossWeight / positions);
  return {
    rows,
    samples,
    positions,
    outputsOfRow,
    shape: z.shape.slice(1),
    /** Those that the Hessian needs, as rows like z. */
    labels: () => labelRows(hessian, labels, outputs, rows),
    /** The square root of what each row's Hessian counts in that of the mean loss per sample: [N, P], or a number. */
    scale: () => rootOf([weights, rowSums]),
    /** The same for its gradient, which the labels have entered. */
    gradientScale: () => rootOf([weights]),
  };

  /** sqrt(lossWeight / P) times the square roots of what stands at these places; a number where all rows count the same. */
  function rootOf(places: readonly (number | null)[]): tf.Tensor2D | number {
    const given = places.flatMap((place) => (place === null ? [] : [tf.sqrt(ofRows(outputs[place]))]));
    if (given.length === 0) {
      return share;
    }
    return tf.mul(
      given.reduce((a, b) => tf.mul(a, b)),
      share,
    ) as tf.Tensor2D;
  }

  /** One number a sample, or a position, as [N, P]. */
  function ofRows(given: tf.Tensor): tf.Tensor2D {
    checkWeightShape(given.shape, z.shape, name);
    const ofPosition = tf.reshape(given, [samples, given.size / samples]);
    return (given.size === samples ? tf.tile(ofPosition, [1, positions]) : ofPosition) as tf.Tensor2D;
  }
}

/**
 * @param weights shape of numbers that rows count with: [N], perhaps with more axes of length 1, or [N, ...positions].
 * @param output [any, ...positions, K], null: any.
 * @throws Error with one line where they are of another shape, as with the axes of positions swapped.
 */
export function checkWeightShape(
  [, ...weights]: readonly number[],
  [, ...output]: readonly (number | null)[],
  name: string,
): void {
  const positions = output.slice(0, -1);
  const ofPositions =
    weights.length === positions.length && positions.every((size, i) => size === null || size === weights[i]);
  if (!ofPositions && !weights.every((size) => size === 1)) {
    const shown = output.map((size) => size ?? 'any');
    throw new Error(
      `Weights of shape [${weights}] a sample do not fit output '${name}' of shape [${shown}] a sample: ` +
        'give one weight a sample, or one a position.',
    );
  }
}

/** Labels that a Hessian needs, as rows in the shape of z's. */
export function labelRows(
  { needsLabels }: OutputHessian,
  labels: number | null,
  outputs: Outputs,
  { shape }: tf.Tensor2D,
): tf.Tensor2D | undefined {
  return needsLabels && labels !== null ? (tf.reshape(outputs[labels], shape) as tf.Tensor2D) : undefined;
}

/** The heads whose losses have curvature: what there is to send backward. */
export function curvedHeads(heads: readonly Head[]): Head[] {
  return heads.filter(({ hessian }) => !hessian.isFlat);
}

/** Without labels that no Hessian needs: the last inputs of the graph, which are its last outputs too. */
export function withoutSpareLabels(graph: Graph, heads: readonly Head[]): { graph: Graph; heads: Head[] } {
  const isSpare = ({ labels, hessian }: Head) => labels !== null && !hessian.needsLabels;
  const spare = heads.filter(isSpare).length;
  const kept = (tensors: readonly number[]) => tensors.slice(0, tensors.length - spare);
  return {
    graph: { ...graph, inputs: kept(graph.inputs), outputs: kept(graph.outputs) },
    heads: heads.map((head) => (isSpare(head) ? { ...head, labels: null } : head)),
  };
}

/** Columns that one sample has in a head: P R. */
export function columnsOf(head: Head, outputs: Outputs): number {
  const { positions, outputsOfRow } = rowsOf(head, outputs);
  return positions * head.hessian.columns(outputsOfRow);
}

/**
 * Whether a head counts nothing in a whole batch, since of every row the weight or the sum of its labels is 0: then its curvature is 0,
 * and not too small to see.
 */
export async function countsNothing({ weights, rowSums }: Head, outputs: Outputs): Promise<boolean> {
  const places = [weights, rowSums].filter((place) => place !== null);
  if (places.length === 0) {
    return false;
  }
  const largest = tf.tidy(() => {
    const [samples] = outputs[places[0]].shape;
    const given = places.map((place) => tf.reshape(outputs[place], [samples, -1]));
    return tf.max(given.reduce((a, b) => tf.mul(a, b)));
  });
  try {
    const [value] = await largest.data();
    return value === 0;
  } finally {
    largest.dispose();
  }
}

/** e of each sample, 2^e being about the largest of its columns in a head, [N]: 0 where columns stay in float32's range. */
export function exponentsOf(head: Head, outputs: Outputs): tf.Tensor1D {
  const { rows, samples } = rowsOf(head, outputs);
  const ofRows = head.hessian.exponents?.(rows);
  return ofRows ? tf.max(tf.reshape(ofRows, [samples, -1]), 1) : tf.zeros([samples]);
}

/**
 * Columns `begin`, ..., `begin + count - 1` of a head for every sample, as deltas of z.
 *
 * @param exponents what `exponentsOf` gave: the deltas come divided by these powers of two.
 * @returns [count * N, ...shape of z], column by column.
 */
export function deltasOf(
  head: Head,
  outputs: Outputs,
  begin: number,
  count: number,
  exponents?: tf.Tensor1D,
): tf.Tensor {
  const { rows, samples, positions, shape, scale, labels } = rowsOf(head, outputs);
  if (positions === 1) {
    const ofRows = exponents && tf.reshape<tf.Rank.R2>(exponents, [samples, 1]);
    const columns = head.hessian.factor(rows, begin, count, ofRows, labels());
    return tf.reshape(scaled(columns, scale()), [count * samples, ...shape]);
  }
  const index = Array.from({ length: count * samples }, (_, i) => begin + Math.floor(i / samples));
  return deltasAt(head, outputs, index, exponents);
}

/** The same with an axis for the columns where the outputs are vectors, without positions: [count, N, K]. */
export function deltasByColumn(head: Head, outputs: Outputs, begin: number, count: number): Delta {
  if (outputs[head.output].rank > 2) {
    return deltasOf(head, outputs, begin, count);
  }
  const { rows, scale, labels } = rowsOf(head, outputs);
  const columns = head.hessian.factor(rows, begin, count, undefined, labels());
  return { byColumn: scaled(columns, scale()) as tf.Tensor3D };
}

/**
 * A combination of all columns of a head with random signs, as a delta of z: [N, ...shape of z]. The columns of different
 * positions have signs of their own.
 */
export function combinationOf(head: Head, outputs: Outputs, signs: DrawSigns): tf.Tensor {
  const { rows, samples, positions, shape, scale, labels } = rowsOf(head, outputs);
  const factor = scale();
  const ofRow = typeof factor === 'number' ? factor : tf.reshape(factor, [samples * positions, 1]);
  return tf.reshape(tf.mul(head.hessian.combination(rows, signs, labels()), ofRow), [samples, ...shape]);
}

/** One column for each row of a list, `columns[i]` of sample i modulo N, as deltas of z: [rows, ...shape of z]. */
function deltasAt(head: Head, outputs: Outputs, columns: readonly number[], exponents?: tf.Tensor1D): tf.Tensor {
  const { rows, samples, positions, outputsOfRow, shape, scale, labels } = rowsOf(head, outputs);
  const labelsOfRows = labels();
  // Without positions, the rows of z are those of the list.
  const pick = (x: tf.Tensor) => (positions === 1 ? x : tf.gather(x, rowIndex));
  const perPosition = head.hessian.columns(outputsOfRow);
  const places = columns.map((column) => Math.floor(column / perPosition));
  const rowIndex = tf.tensor1d(
    places.map((place, i) => (i % samples) * positions + place),
    'int32',
  );
  const found = head.hessian.columnOfEach(
    pick(rows) as tf.Tensor2D,
    tf.tensor1d(
      columns.map((column) => column % perPosition),
      'int32',
    ),
    exponents && exponentsOfRows(exponents),
    labelsOfRows && (pick(labelsOfRows) as tf.Tensor2D),
  );
  /** Of each row of the list, [rows, 1]. */
  function exponentsOfRows(ofSamples: tf.Tensor1D): tf.Tensor2D {
    const samplesOfRows = tf.tensor1d(
      columns.map((_, i) => i % samples),
      'int32',
    );
    return tf.reshape(tf.gather(ofSamples, samplesOfRows), [columns.length, 1]);
  }
  const factor = scale();
  const weighted =
    typeof factor === 'number'
      ? tf.mul(found, factor)
      : tf.mul(found, tf.reshape(pick(tf.reshape(factor, [-1])), [-1, 1]));
  if (positions === 1) {
    return tf.reshape(weighted, [columns.length, ...shape]);
  }
  const isPlace = tf.equal(
    tf.reshape(tf.tensor1d(places, 'int32'), [-1, 1, 1]),
    tf.reshape(tf.range(0, positions, 1, 'int32'), [1, -1, 1]),
  );
  const placed = tf.mul(tf.cast(isPlace, 'float32'), tf.reshape(weighted, [columns.length, 1, outputsOfRow]));
  return tf.reshape(placed, [columns.length, ...shape]);
}

/** [..., N, K] times one number a sample. */
function scaled(columns: tf.Tensor, scale: tf.Tensor2D | number): tf.Tensor {
  return scale === 1 ? columns : tf.mul(columns, scale);
}

/**
 * One column for each sample, counted over all heads, as deltas of the outputs.
 *
 * @param columns one a sample, [N].
 * @param exponents of each head, as for `deltasOf`.
 * @returns by the place of the output, [N, ...shape of z]: zeros where the column belongs to another head.
 */
export function deltasOfEach(
  heads: readonly Head[],
  outputs: Outputs,
  columns: ArrayLike<number>,
  exponents?: readonly tf.Tensor1D[],
): Map<number, tf.Tensor> {
  const deltas = new Map<number, tf.Tensor>();
  let before = 0;
  for (const [h, head] of heads.entries()) {
    const count = columnsOf(head, outputs);
    const belongs = Array.from(columns, (column) => column >= before && column < before + count);
    if (belongs.some((each) => each)) {
      const inHead = Array.from(columns, (column, i) => (belongs[i] ? column - before : 0));
      const found = deltasAt(head, outputs, inHead, exponents?.[h]);
      deltas.set(head.output, belongs.every((each) => each) ? found : tf.mul(found, maskOf(belongs, found.rank)));
    }
    before += count;
  }
  return deltas;
}

/**
 * r = d loss / d z: for every sample its gradient of the whole loss, by the place of the output, in the shape of z.
 *
 * @throws Error with one line when a head has no labels.
 */
export function residualsOf(heads: readonly Head[], outputs: Outputs): Map<number, tf.Tensor> {
  const residuals = new Map<number, tf.Tensor>();
  for (const head of heads) {
    const { rows, gradientScale } = rowsOf(head, outputs);
    const z = outputs[head.output];
    const { gradient } = head.hessian;
    const isMissing = head.labels === null && head.hessian.labels !== 'none';
    if (isMissing || !gradient) {
      throw new Error(`Output '${head.name}' has no labels, or a loss whose gradient is not known.`);
    }
    const ofRow = gradient(rows, head.labels === null ? rows : asRows(outputs[head.labels], rows));
    const factor = gradientScale();
    const share = typeof factor === 'number' ? factor ** 2 : tf.reshape(tf.square(factor), [-1, 1]);
    const weighted = tf.reshape(tf.mul(ofRow, share), z.shape);
    const earlier = residuals.get(head.output);
    residuals.set(head.output, earlier ? tf.add(earlier, weighted) : weighted);
  }
  return residuals;
}

/** Labels as a loss takes them: rows like those of z, or classes, which are whole numbers. */
function asRows(labels: tf.Tensor, { shape }: tf.Tensor2D): tf.Tensor {
  return tf.reshape(labels, labels.dtype === 'int32' ? [shape[0]] : shape);
}

/**
 * The whole loss of each sample, and about the trace of its output Hessian, those of all heads added up: [2, N]. Where a loss, or labels
 * that it needs, are not known, the loss is no number.
 */
export function lossesOfSamples(heads: readonly Head[], outputs: Outputs): tf.Tensor2D {
  const ofHeads = heads.map((head) => {
    const { rows, samples, positions, labels, scale, gradientScale } = rowsOf(head, outputs);
    const { hessian } = head;
    const given = head.labels === null ? undefined : outputs[head.labels];
    const wanted = given?.dtype === 'int32' ? rows.shape[0] : rows.size;
    const isKnown = hessian.labels === 'none' || given?.size === wanted;
    const value =
      isKnown && hessian.value
        ? hessian.value(rows, given ? asRows(given, rows) : rows)
        : tf.fill([rows.shape[0]], Number.NaN);
    const curvature = hessian.curvature(rows, labels());
    const ofRows = typeof curvature === 'number' ? tf.fill([rows.shape[0]], curvature) : tf.reshape(curvature, [-1]);
    return tf.stack([
      sumOverPositions(value, gradientScale(), samples, positions),
      sumOverPositions(ofRows, scale(), samples, positions),
    ]);
  });
  return (ofHeads.length === 1 ? ofHeads[0] : tf.addN(ofHeads)) as tf.Tensor2D;
}

/** 0 for each sample, and no number where one of its z is not finite: [N, 1]. */
export function zeroWhereFinite(heads: readonly Head[], outputs: Outputs): tf.Tensor2D {
  const zeros = heads.map(({ output }) => {
    const z = outputs[output];
    return tf.sum(tf.mul(tf.reshape(z, [z.shape[0], -1]), 0), 1, true);
  });
  return (zeros.length === 1 ? zeros[0] : tf.addN(zeros)) as tf.Tensor2D;
}

/** sum over the positions of one number a row, [N P], weighed by the square of a scale, [N, P] or a number: [N]. */
function sumOverPositions(ofRows: tf.Tensor, scale: tf.Tensor2D | number, samples: number, positions: number) {
  const values = tf.reshape(ofRows, [samples, positions]);
  return tf.sum(tf.mul(values, typeof scale === 'number' ? scale ** 2 : tf.square(scale)), 1);
}

function maskOf(rows: readonly boolean[], rank: number): tf.Tensor {
  return tf.tensor(
    rows.map((row) => (row ? 1 : 0)),
    [rows.length, ...Array<number>(rank - 1).fill(1)],
    'float32',
  );
}
