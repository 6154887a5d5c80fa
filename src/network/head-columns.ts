import * as tf from '@tensorflow/tfjs-core';
import { type Head, labelRows } from './heads.js';
import { spread } from './layers/sensitivity.js';
import type { RowNumbers } from './row-columns.js';

/*
 * The columns of all heads, sample by sample, in plain numbers: what is made of them costs no operation of the device's once the
 * outputs have been read, all in one tensor.
 */

type Outputs = readonly tf.Tensor[];

/** The smallest number above 0 in float32. */
const SMALLEST_FLOAT = 2 ** -149;

/** Numbers of each sample, read side by side with others: those of sample n are `all[n width + from]` and the `own - 1` behind. */
export interface SampleNumbers {
  readonly all: Float32Array;
  readonly width: number;
  readonly from: number;
  readonly own: number;
}

/** Tensors of N samples as one, [N, ...], and how its numbers, once read, fall apart. */
export function sideBySide(tensors: readonly tf.Tensor[]) {
  const [samples] = tensors[0].shape;
  const rows = tensors.map((x) => {
    const floats = x.dtype === 'float32' ? x : tf.cast(x, 'float32');
    return floats.rank === 2 ? floats : tf.reshape(floats, [samples, -1]);
  });
  const widths = rows.map(({ shape }) => shape[1] as number);
  const width = widths.reduce((a, b) => a + b, 0);
  return {
    joined: (rows.length === 1 ? tf.clone(rows[0]) : tf.concat(rows, 1)) as tf.Tensor2D,
    partsOf: (values: Float32Array): SampleNumbers[] =>
      widths.map((own, i) => {
        const from = widths.slice(0, i).reduce((a, b) => a + b, 0);
        return { all: values, width, from, own };
      }),
  };
}

/** Whether a column belongs to each sample, and position, of a head; and to which of its rows. */
interface HeadLayout {
  readonly head: Head;
  readonly positions: number;
  /** Outputs of a row, K. */
  readonly outputs: number;
  /** Columns of a row, R, and of a sample in all heads before. */
  readonly columns: number;
  readonly before: number;
}

function layoutOf(heads: readonly Head[], outputs: Outputs): HeadLayout[] {
  let before = 0;
  return heads.map((head) => {
    const { shape } = outputs[head.output];
    const ofRow = shape[shape.length - 1];
    const positions = shape.slice(1, -1).reduce((product, size) => product * size, 1);
    const columns = head.hessian.columns(ofRow);
    const layout = { head, positions, outputs: ofRow, columns, before };
    before += positions * columns;
    return layout;
  });
}

/** One column: the delta of the z of its head, at one of its positions. */
export interface HeadColumn {
  readonly output: number;
  readonly position: number;
  /** Positions of the output, P. */
  readonly positions: number;
  /** [K]. */
  readonly delta: Float64Array;
}

/** Sums over the columns of N samples. */
export interface ColumnNorms {
  /** ||c||^2 of every column, sample by sample: [N R] with R columns in all heads. */
  readonly curvature: Float32Array;
  /** sum_i q_i c_i^2 of every column; null where q is nowhere above 0. */
  readonly moved: Float64Array | null;
  /** sum_r ||c_r||^2 over the columns of each head: one array of [N] a head. */
  readonly totals: readonly Float32Array[];
}

/** The columns of some samples. */
export interface HeadColumns {
  /** Of a sample, R. */
  readonly columns: number;
  norms(): ColumnNorms;
  /** A column of a sample, counted over all heads. */
  column(sample: number, column: number): HeadColumn;
}

/**
 * @param outputs of the tape; they may be disposed once this has returned.
 * @param q f of each head: the numbers of each sample with the axes of z, 1 where they are the same along one; null: 0.
 * @param weights [N, 1] that q has been multiplied by; null: none.
 * @returns what has to be read, and what to make of it.
 */
export function headColumns(
  heads: readonly Head[],
  outputs: Outputs,
  q: readonly (tf.Tensor | null)[],
  weights: tf.Tensor | null,
) {
  const samples = outputs[heads[0].output].shape[0];
  const layout = layoutOf(heads, outputs);
  const tensors: tf.Tensor[] = [];
  /** Its place among what is read; null for what is not there. */
  const place = (x: tf.Tensor | null) => (x ? tensors.push(x) - 1 : null);
  const places = layout.map(({ head }, h) => {
    const z = outputs[head.output];
    const given = q[h];
    const sensitivity = given && narrow(given, z.shape);
    return {
      numbers: place(numbersOf(head, outputs)),
      weights: place(head.weights === null ? null : outputs[head.weights]),
      rowSums: place(head.rowSums === null ? null : outputs[head.rowSums]),
      sensitivity: place(sensitivity),
    };
  });
  const divisors = place(weights);
  const columns = layout.reduce((sum, each) => sum + each.positions * each.columns, 0);
  return {
    tensors,
    of(parts: readonly SampleNumbers[]): HeadColumns {
      const partAt = (place: number | null) => (place === null ? null : parts[place]);
      const heads = layout.map((each, h) => ({
        ...each,
        numbers: parts[places[h].numbers as number],
        weights: partAt(places[h].weights),
        rowSums: partAt(places[h].rowSums),
        sensitivity: partAt(places[h].sensitivity),
      }));
      type HeadNumbers = (typeof heads)[number];
      const divisor = partAt(divisors);
      /** What a row's Hessian counts in that of the mean loss per sample. */
      function shareOf({ head, positions, weights, rowSums }: HeadNumbers, sample: number, position: number): number {
        const share = head.lossWeight / positions;
        return (
          share *
          (weights ? numberOf(weights, sample, position) : 1) *
          (rowSums ? numberOf(rowSums, sample, position) : 1)
        );
      }
      /** Points a row at the numbers of a position; one that is the same at all of them stays. */
      function point(row: RowNumbers, part: SampleNumbers, sample: number, position: number, ofPositions: number) {
        row.all = part.all;
        row.from = sample * part.width + part.from + (position * part.own) / ofPositions;
      }
      const row: RowNumbers = { all: [], from: 0 };
      const factors: RowNumbers = { all: [], from: 0 };
      return {
        columns,
        norms() {
          const curvature = new Float32Array(samples * columns);
          const moved = heads.some(({ sensitivity }) => sensitivity) ? new Float64Array(samples * columns) : null;
          const totals = heads.map(() => new Float32Array(samples));
          heads.forEach((each, h) => {
            const { head, positions, outputs, numbers, sensitivity, before } = each;
            const ofRow = new Float64Array(each.columns);
            const ofMoved = new Float64Array(each.columns);
            const isOne = sensitivity?.own === 1;
            const ofPositions =
              sensitivity && sensitivity.own === outputs * positions ? positions : Number.POSITIVE_INFINITY;
            for (let n = 0; n < samples; n++) {
              const unit = divisor ? numberOf(divisor, n, 0) : 1;
              let total = 0;
              for (let t = 0; t < positions; t++) {
                point(row, numbers, n, t, positions);
                if (sensitivity) {
                  point(factors, sensitivity, n, t, ofPositions);
                }
                head.hessian.ofRow.squaredNorms(row, outputs, sensitivity && !isOne ? factors : null, ofRow, ofMoved);
                const share = shareOf(each, n, t);
                const first = n * columns + before + t * each.columns;
                for (let r = 0; r < each.columns; r++) {
                  const norm = share * ofRow[r];
                  curvature[first + r] = norm;
                  total += norm;
                  if (moved && sensitivity && unit > 0) {
                    moved[first + r] = (isOne ? factors.all[factors.from] * norm : share * ofMoved[r]) / unit;
                  }
                }
              }
              // 0 says that nothing is curved here, not that float32 ends.
              totals[h][n] = total > 0 ? Math.max(total, SMALLEST_FLOAT) : total;
            }
          });
          return { curvature, moved, totals };
        },
        column(sample, column) {
          const found = heads.filter(({ before }) => before <= column).at(-1) as HeadNumbers;
          const { head, positions, outputs, numbers } = found;
          const position = Math.floor((column - found.before) / found.columns);
          point(row, numbers, sample, position, positions);
          const delta = head.hessian.ofRow.column(row, outputs, (column - found.before) % found.columns);
          const root = Math.sqrt(shareOf(found, sample, position));
          return { output: head.output, position, positions, delta: delta.map((each) => root * each) };
        },
      };
    },
  };
}

/** What the columns of a head are made of, sample by sample: [N, ...]. */
function numbersOf({ hessian, output, labels }: Head, outputs: Outputs): tf.Tensor {
  const z = outputs[output];
  const rows = rowsOf(z);
  const numbers = hessian.numbers?.(rows, labelRows(hessian, labels, outputs, rows));
  return numbers ? tf.reshape(numbers, [z.shape[0], -1]) : z;
}

/** One of a sample, or of a position where each has its own. */
function numberOf({ all, width, from, own }: SampleNumbers, sample: number, position: number): number {
  return all[sample * width + from + (own === 1 ? 0 : position)];
}

/** [N, ..., K] -> [N P, K]. */
function rowsOf(z: tf.Tensor): tf.Tensor2D {
  return (z.rank === 2 ? z : tf.reshape(z, [-1, z.shape[z.rank - 1]])) as tf.Tensor2D;
}

/** One number a sample, K numbers a sample, or all of them. */
function narrow(q: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const [, ...own] = q.shape;
  const inner = own.slice(0, -1);
  const isWide = own[own.length - 1] === shape[shape.length - 1];
  return inner.every((size) => size === 1) && (isWide || own[own.length - 1] === 1) ? q : spread(q, shape);
}

/**
 * About how much the losses are curved at each sample, [N, 1], to weigh means over samples by; null where it is the same for all.
 */
export function curvatureOfSamples(heads: readonly Head[], outputs: Outputs): tf.Tensor2D | null {
  const parts = heads.map(({ output, weights, rowSums, lossWeight, labels, hessian }) => {
    const z = outputs[output];
    const [samples] = z.shape;
    const positions = z.shape.slice(1, -1).reduce((product, size) => product * size, 1);
    const given = [weights, rowSums].flatMap((place) => {
      if (place === null) {
        return [];
      }
      const each = tf.reshape(outputs[place], [samples, -1]);
      return [each.shape[1] === positions ? each : tf.tile(each, [1, positions])];
    });
    const rows = rowsOf(z);
    const ofRows = hessian.curvature(rows, labelRows(hessian, labels, outputs, rows));
    const factors =
      typeof ofRows === 'number'
        ? given
        : [...given, positions === 1 ? ofRows : tf.reshape(ofRows, [samples, positions])];
    const constant = typeof ofRows === 'number' ? lossWeight * ofRows : lossWeight;
    if (factors.length === 0) {
      return constant;
    }
    const product = factors.reduce((a, b) => tf.mul(a, b));
    const mean = positions === 1 ? product : tf.mean(product, 1, true);
    return heads.length === 1 ? mean : tf.mul(mean, constant);
  });
  const tensors = parts.filter((each) => typeof each !== 'number');
  if (tensors.length === 0) {
    return null;
  }
  const constant = parts.reduce((sum: number, each) => (typeof each === 'number' ? sum + each : sum), 0);
  const sum = tensors.reduce((a, b) => tf.add(a, b));
  return (constant > 0 ? tf.add(sum, constant) : sum) as tf.Tensor2D;
}

/**
 * Columns, one a sample, as deltas of the outputs.
 *
 * @param count how many.
 * @param column of each.
 * @returns by the place of the output, [count, K]: zeros where the column belongs to another head; null where an output has
 *   positions, most of which would be zeros.
 */
export function deltasOfColumns(
  heads: readonly Head[],
  count: number,
  column: (i: number) => HeadColumn,
): Map<number, tf.Tensor> | null {
  if (heads.some(({ hasPositions }) => hasPositions)) {
    return null;
  }
  const values = new Map<number, Float32Array>();
  for (let i = 0; i < count; i++) {
    const { output, positions, delta } = column(i);
    // Of a function, they are not known before.
    if (positions > 1) {
      return null;
    }
    const ofOutput = values.get(output) ?? new Float32Array(count * delta.length);
    values.set(output, ofOutput);
    ofOutput.set(delta, i * delta.length);
  }
  return new Map([...values].map(([output, all]) => [output, tf.tensor2d(all, [count, all.length / count])]));
}
