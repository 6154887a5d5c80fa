import * as tf from '@tensorflow/tfjs-core';
import { squaredNorms, stackedNorms } from '../../network/backward.js';
import type { DrawSigns } from '../../network/column-factor.js';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { columnsOf, combinationOf, curvedHeads, deltasOf, type Head } from '../../network/heads.js';
import type { Parameter } from '../../network/layers/operation.js';
import { planSteps, record, type Tape } from '../../network/tape.js';
import { gradientsBy, withoutLeftovers } from '../../tfjs/gradient-tape.js';
import { memoryGauge } from '../../tfjs/memory-gauge.js';
import { checkFloatRange } from '../float-range.js';
import { differentiableGraph } from './differentiable.js';

/** Traces of one batch, and the gradient of their weighted sum. */
export interface WeightedTraceGradients {
  /** T_b, in the order of the kernel's parameters. */
  readonly traces: readonly number[];
  /** f_b. */
  readonly factors: readonly number[];
  /** One a parameter, in the shape of its weight tensor. The caller disposes them. */
  readonly gradients: tf.Tensor[];
}

/** The trace kernel with gradients, for one model and loss. */
export interface TraceGradientKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * d/d theta sum_b f_b T_b for the batch, with f = weigh(T) held fixed and
   *
   *     T_b = (1/N) sum_n sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2,
   *
   * where c_{n,r} is held fixed in the inner derivative and depends on the weights, through z, in the outer one.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @param weigh factors from the traces.
   * @param signs with these, one combination of the columns stands for all of them; where they are random, traces and gradients
   *   are right on average. Without: every column.
   * @throws RangeError with one line where traces leave the range in which float32 keeps its digits, and what `weigh` throws. Nothing
   *   is left behind.
   */
  gradients(
    inputs: readonly tf.Tensor[],
    weigh: (traces: readonly number[]) => readonly number[],
    signs?: DrawSigns,
  ): WeightedTraceGradients;
}

/**
 * Sets up the trace kernel on tf.js's tape.
 *
 * @throws Error with one line that names a layer through which gradients do not pass.
 */
export function traceGradientKernel(cut: Graph, allHeads: readonly Head[]): TraceGradientKernel {
  const heads = curvedHeads(allHeads);
  const graph = differentiableGraph(cut);
  const plan = planSteps(graph);
  const parameters = trainedParameters(graph);

  /** T of one batch on the tape, [parameters]. */
  function tracesOf(inputs: readonly tf.Tensor[], signs?: DrawSigns): tf.Tensor1D {
    const gauge = memoryGauge();
    const samples = inputs[0].shape[0];
    const tape = record(graph, plan, [...inputs], gauge);
    try {
      const ofRows = rowsOf(heads, tape, signs).map(({ outputs, deltas }) => {
        const found = tf.tidy(deltas);
        const norms = squaredNorms(graph, plan, tape, new Map(outputs.map((place, i) => [place, found[i]])), 1, gauge);
        return tf.mean(stackedNorms(parameters, norms, samples), 1);
      });
      return tf.addN(ofRows) as tf.Tensor1D;
    } finally {
      tape.dispose();
    }
  }

  return {
    parameters,
    gradients: (inputs, weigh, signs) =>
      withoutLeftovers(() => {
        const variables = parameters.map(({ variable }) => variable.read());
        let traces: number[] = [];
        let factors: readonly number[] = [];
        const weightedSum = () => {
          const onTape = tracesOf(inputs, signs);
          traces = Array.from(onTape.dataSync());
          checkFloatRange(parameters, traces, 'its gradient');
          checkZeros(parameters, traces);
          factors = weigh(traces);
          return tf.sum(tf.mul(onTape, tf.tensor1d([...factors])));
        };
        const gradients = tf.tidy(() => {
          // None where the traces depend on no weight: of one linear layer, say.
          const found = gradientsBy(weightedSum, variables);
          return variables.map((variable, b) => found[b] ?? tf.zerosLike(variable));
        });
        return { traces, factors, gradients };
      }),
  };
}

/** Largest weights beyond which a trace of 0 may be one that underflowed. */
const LARGEST_ORDINARY = 2 ** 30;

/** @throws RangeError with one line where a trace is 0 and weights are so small or so large that it may have underflowed. */
function checkZeros(parameters: readonly Parameter[], traces: readonly number[]): void {
  const zero = traces.indexOf(0);
  if (zero < 0) {
    return;
  }
  for (const { name, variable } of parameters) {
    const largest = tf.tidy(() => tf.max(tf.abs(variable.read())).dataSync()[0]);
    if (largest > LARGEST_ORDINARY || (largest > 0 && largest < 1 / LARGEST_ORDINARY)) {
      throw new RangeError(
        `The trace of '${parameters[zero].name}' is 0, or has underflowed, since weights of '${name}' are as large as ${largest}: ` +
          'bring the weights of all layers to about the same size.',
      );
    }
  }
}

/**
 * What to send backward, one after the other: the combination of all columns of all heads, or every column by itself. (tf.js
 * has no gradient for products whose factors several columns share.)
 */
function rowsOf(heads: readonly Head[], { outputs }: Tape, signs?: DrawSigns): Rows[] {
  if (signs) {
    const deltas = () => heads.map((head) => combinationOf(head, outputs, signs));
    return [{ outputs: heads.map(({ output }) => output), deltas }];
  }
  return heads.flatMap((head) =>
    Array.from({ length: tf.tidy(() => columnsOf(head, outputs)) }, (_, r) => ({
      outputs: [head.output],
      deltas: () => [deltasOf(head, outputs, r, 1)],
    })),
  );
}

/** One backward row a sample: deltas, [N, ...], and the places of the outputs that they belong to. */
interface Rows {
  readonly outputs: readonly number[];
  readonly deltas: () => tf.Tensor[];
}
