import * as tf from '@tensorflow/tfjs-core';
import { sendingBack } from '../../network/backward.js';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { deltasOfEach, exponentsOf, type Head } from '../../network/heads.js';
import type { Parameter } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { planSteps, recording } from '../../network/tape.js';
import { gaugedTensors, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import { type Between, fitting } from '../chunks.js';
import { inTurns } from '../event-loop.js';
import type { PairRows } from '../pairs/pair-kernel.js';
import { gramsOfOperation } from './gram.js';

/**
 * Scalar products of the gradients of n pairs, block by block: with g_i = d(c_i^T z_i) / d theta,
 *
 *     <g_i, g_j>_b = unit_i unit_j products_b[i, j].
 */
export interface PairGrams {
  readonly pairs: number;
  readonly parameters: readonly Parameter[];
  /** [n, n] of each parameter, row by row. */
  readonly products: readonly Float32Array[];
  /** Of each pair, in which its gradient was found: about the largest number of c_i. */
  readonly units: Float64Array;
}

/** Rows of a trial, for what does not grow with them. */
const TRIAL = 16;
/** Least number that a delta is divided by: only those that are 0 are less. */
const SMALLEST = 2 ** -126;

/**
 * Finds them in one backward pass of all pairs or, where the memory budget does not hold these at once, of every two of several groups.
 * Every delta is divided by its largest number, so that neither those of samples of which the network is sure underflow, nor
 * their products.
 *
 * @param rowsOf makes some of the pairs, by their places; disposed here.
 * @param between called between two layers, and passes, where a turn of the event loop is due. What it throws ends it all.
 * @throws RangeError with one line where two pairs do not fit the memory budget.
 */
export async function pairGrams(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  pairs: number,
  rowsOf: (places: readonly number[]) => PairRows,
  between: Between,
): Promise<PairGrams> {
  const ordered = maximaFirst(graph);
  const plan = planSteps(ordered);
  const parameters = trainedParameters(graph);
  const products: Float32Array[] = parameters.map(() => new Float32Array(pairs * pairs));
  const units = new Float64Array(pairs);

  /** One backward pass, and the memory that it took. */
  async function run(places: readonly number[]): Promise<number> {
    const gauge = memoryGauge(budgetBytes);
    const { inputs, columns } = rowsOf(places);
    try {
      const tape = await inTurns(ordered, recording(ordered, plan, inputs, gauge), between);
      try {
        const deltas = gaugedTensors(gauge, () => unitDeltas(heads, tape.outputs, columns));
        const unitsOfRows = deltas.get(UNITS) as tf.Tensor;
        deltas.delete(UNITS);
        try {
          const walk = sendingBack(ordered, plan, tape, deltas, 1, gauge, (operation, calls) =>
            gramsOfOperation(operation, calls, budgetBytes),
          );
          const found = await inTurns(ordered, walk, between);
          try {
            await keep(places, unitsOfRows, found);
          } finally {
            tf.dispose([...found.values()]);
          }
        } finally {
          unitsOfRows.dispose();
        }
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose(inputs);
    }
    return loadOf(gauge, budgetBytes);
  }

  /** Puts what a pass has found in its place. */
  async function keep(
    places: readonly number[],
    unitsOfRows: tf.Tensor,
    found: ReadonlyMap<Parameter, tf.Tensor>,
  ): Promise<void> {
    const read = [...found].map(async ([parameter, gram]) => {
      const values = (await gram.data()) as Float32Array;
      const b = parameters.indexOf(parameter);
      if (places.length === pairs) {
        products[b] = values;
        return;
      }
      const all = products[b];
      places.forEach((i, row) => {
        places.forEach((j, column) => {
          all[i * pairs + j] = values[row * places.length + column];
        });
      });
    });
    const [sizes] = await Promise.all([unitsOfRows.data(), ...read]);
    places.forEach((i, row) => {
      units[i] = sizes[row] * 2 ** sizes[places.length + row];
    });
  }

  const all = Array.from({ length: pairs }, (_, i) => i);
  if (heads.length > 0 && pairs > 0) {
    const atOnce = await fittingPairs(run, all, products.length, budgetBytes);
    for (const places of groupsOf(all, atOnce)) {
      await between();
      graph.checkUnmoved?.();
      await run(places);
    }
  }
  return { pairs, parameters, products, units };
}

/** How many pairs one pass may have, by trials with a few. Products between them grow with their square. */
async function fittingPairs(
  run: (places: readonly number[]) => Promise<number>,
  all: readonly number[],
  blocks: number,
  budgetBytes: number,
): Promise<number> {
  let count = Math.min(2, all.length);
  let fit = count;
  for (const most of [TRIAL, all.length]) {
    const load = await run(all.slice(0, count));
    fit = fitting(budgetBytes, count, load, true);
    // BYTES n^2 + load / count n = budget.
    const linear = load / count;
    const square = 8 * blocks;
    fit = Math.min(fit, Math.floor((Math.sqrt(linear ** 2 + 4 * square * budgetBytes) - linear) / (2 * square)));
    count = Math.min(most, fit, all.length);
    if (count === all.length) {
      break;
    }
  }
  return Math.max(2, fit);
}

/** All, or every two of several groups together. */
function groupsOf(all: readonly number[], atOnce: number): number[][] {
  if (all.length <= atOnce) {
    return [[...all]];
  }
  const size = Math.floor(atOnce / 2);
  const groups = Array.from({ length: Math.ceil(all.length / size) }, (_, g) => all.slice(g * size, (g + 1) * size));
  return groups.flatMap((one, g) => groups.slice(g + 1).map((other) => [...one, ...other]));
}

/** The place of `unitDeltas`' own numbers. */
const UNITS = -1;

/**
 * The column of each row, by the place of the output, divided by its largest number.
 *
 * @returns under `UNITS` [2, N]: m and e, where 2^e m is that number.
 */
function unitDeltas(
  heads: readonly Head[],
  outputs: readonly tf.Tensor[],
  columns: readonly number[],
): Map<number, tf.Tensor> {
  const exponents = heads.map((head) => exponentsOf(head, outputs));
  const deltas = deltasOfEach(heads, outputs, columns, exponents);
  const [samples] = outputs[heads[0].output].shape;
  const ofOutputs = [...deltas].map(([output, delta]) => {
    const largest = tf.max(tf.abs(tf.reshape(delta, [samples, -1])), 1);
    // A row belongs to one head.
    const exponent = exponents[heads.findIndex((head) => head.output === output)];
    return { largest, exponent: tf.mul(tf.cast(tf.greater(largest, 0), 'float32'), exponent) };
  });
  const sum = (each: tf.Tensor[]) => (each.length === 1 ? each[0] : tf.addN(each));
  const largest = sum(ofOutputs.map((each) => each.largest));
  const unit = tf.maximum(largest, SMALLEST);
  const found = new Map([...deltas].map(([output, delta]) => [output, dividedBy(delta, unit)]));
  return found.set(UNITS, tf.stack([largest, sum(ofOutputs.map(({ exponent }) => exponent))]));
}

/** Each row by a number of its own. */
function dividedBy(rows: tf.Tensor, numbers: tf.Tensor): tf.Tensor {
  const [count, ...shape] = rows.shape;
  return tf.div(rows, tf.reshape(numbers, [count, ...shape.map(() => 1)]));
}
