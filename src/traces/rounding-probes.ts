import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import type { Operation } from '../network/layers/operation.js';
import { traceKernel } from './exact.js';
import { randomSigns } from './sampling/signs.js';

/** Random perturbations that the error is estimated from. */
export const ROUNDING_PROBES = 12;

/** How rounded factors move traces, found on a few samples. */
export interface RoundingProbes {
  /** T_b of these samples. */
  readonly traces: readonly number[];
  /** The same with perturbed factors, probe by probe. */
  readonly perturbed: readonly (readonly number[])[];
  /** The same with all factors too small, as they are on average where bits are cut off. */
  readonly cut: readonly number[];
}

/** Mean relative error of a factor whose bits are cut off, in units of u: 1 / (2 log 2) for each of the two that are multiplied. */
const CUT = 1 / Math.LN2;

/**
 * What it does to traces that matrix products and convolutions round their factors to a few bits: what goes into every product,
 * inputs and deltas, is multiplied by 1 + u or 1 - u at random, and the traces are measured again. Signs are drawn for each channel
 * and are the same for all samples and positions, as the roundings of the weights are, so that they do not average out.
 *
 * Source: Parker, "Monte Carlo arithmetic: exploiting randomness in floating-point arithmetic", UCLA technical report 970002 (1997).
 *
 * @param inputs of a few samples; they stay the caller's.
 * @param unit u, the largest relative rounding error of a factor.
 */
export async function roundingProbes(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  inputs: readonly tf.Tensor[],
  unit: number,
): Promise<RoundingProbes> {
  const tracesOf = async (measured: Graph) => {
    const sums: number[] = [];
    let samples = 0;
    for await (const chunk of traceKernel(measured, heads, budgetBytes).traces(inputs)) {
      samples += chunk.samples;
      chunk.norms.forEach((ofBlock, b) => {
        sums[b] = ofBlock.reduce((sum, norm) => sum + norm, sums[b] ?? 0);
      });
    }
    return sums.map((sum) => sum / samples);
  };
  const perturbed: number[][] = [];
  for (let probe = 0; probe < ROUNDING_PROBES; probe++) {
    perturbed.push(
      await tracesOf(
        perturbedGraph(graph, (place, side, channels) => {
          const signs = randomSigns(2 * probe + side, place * 2 ** 24, channels);
          return tf.tensor1d(signs.map((sign) => 1 + unit * sign));
        }),
      ),
    );
  }
  const cut = await tracesOf(perturbedGraph(graph, () => tf.scalar(1 - CUT * unit)));
  return { traces: await tracesOf(graph), perturbed, cut };
}

/** Standard deviation of sum_b factors_b T_b over the probes, and its change by cutting, relative to its value: 0 where that is 0. */
export function relativeRoundingError({ traces, perturbed, cut }: RoundingProbes, factors: readonly number[]): number {
  const total = (values: readonly number[]) => values.reduce((sum, value, b) => sum + factors[b] * value, 0);
  const expected = total(traces);
  const squares = perturbed.reduce((sum, values) => sum + (total(values) - expected) ** 2, 0);
  const deviation = Math.hypot(Math.sqrt(squares / perturbed.length), total(cut) - expected);
  return expected === 0 ? 0 : deviation / Math.abs(expected);
}

/**
 * The graph whose products see factors that are off.
 *
 * @param factorsOf by how much: for the inputs (side 0) or deltas (side 1) of an operation, numbered in the order of the graph, one
 *   number a channel or one for all.
 */
function perturbedGraph(graph: Graph, factorsOf: (place: number, side: 0 | 1, channels: number) => tf.Tensor): Graph {
  const known = new Map<Operation, Operation>();
  let drawn = 0;
  const perturbedOperation = (operation: Operation): Operation => {
    const place = drawn++;
    const perturb = (x: tf.Tensor, side: 0 | 1) =>
      x.dtype === 'float32' ? tf.mul(x, factorsOf(place, side, x.shape[x.rank - 1])) : x;
    return {
      ...operation,
      before: undefined,
      forward: (inputs, recording, mask) =>
        operation.forward(
          inputs.map((x) => perturb(x, 0)),
          recording,
          mask,
        ),
      backward: (call, delta, columns) => operation.backward(call, perturb(delta, 1), columns),
      ...(operation.byColumn && {
        byColumn: {
          backward: (call, delta) =>
            operation.byColumn?.backward(call, perturb(delta, 1) as tf.Tensor3D) as tf.Tensor3D,
          ...(operation.byColumn.squaredNorms && {
            squaredNorms: (call, delta, seeDeltaNorm) =>
              operation.byColumn?.squaredNorms?.(call, perturb(delta, 1) as tf.Tensor3D, seeDeltaNorm) ?? [],
          }),
        },
      }),
      ...(operation.squaredNorms && {
        squaredNorms: (calls, columns) =>
          operation.squaredNorms?.(
            calls.map((call) => ({ ...call, delta: perturb(call.delta, 1) })),
            columns,
          ) ?? [],
      }),
    };
  };
  const steps = graph.steps.map((step) => {
    const { operation } = step;
    if (operation.parameters.length === 0 && operation.scale !== 'adds') {
      return step;
    }
    const found = known.get(operation) ?? perturbedOperation(operation);
    known.set(operation, found);
    return { ...step, operation: found };
  });
  return { ...graph, steps };
}
