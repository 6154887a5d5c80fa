import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { headAssumptions, partlyCurved, reasonsNotExact, rowAssumptions } from '../measure/assumptions.js';
import { modelAssignment, type SharpnessInputs } from '../measure/measure-sharpness.js';
import type { MeasureOptions } from '../measure/options.js';
import { type Task, withTask } from '../measure/task.js';
import type { Parameter } from '../network/layers/operation.js';
import { diagonalKernel } from '../traces/diagonal/diagonal-kernel.js';
import { traceKernel } from '../traces/exact.js';
import { TraceSums } from '../traces/trace-sums.js';

/** As those of `measureSharpness`. */
export type DiagonalOptions = Pick<
  MeasureOptions,
  | 'loss'
  | 'lossWeights'
  | 'labels'
  | 'sampleWeight'
  | 'classWeight'
  | 'countFrozen'
  | 'memoryMB'
  | 'signal'
  | 'onProgress'
>;

const knownOptions = {
  loss: true,
  lossWeights: true,
  labels: true,
  sampleWeight: true,
  classWeight: true,
  countFrozen: true,
  memoryMB: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof DiagonalOptions, true>;

/** The part of the diagonal that belongs to one weight tensor. */
export interface DiagonalBlock {
  /** `Variable.originalName`. */
  readonly name: string;
  readonly layer: string;
  /** Of the weight tensor. */
  readonly shape: readonly number[];
  /** One number a weight, at least 0, in the order of the weight tensor's numbers. */
  readonly diagonal: Float64Array;
}

/** The diagonal of the Gauss-Newton matrix of all trained weights. */
export interface GaussNewtonDiagonal {
  /** In the order of `reading.parameters`. */
  readonly parameters: readonly DiagonalBlock[];
  readonly samples: number;
  /** What it takes for granted, one plain sentence each. */
  readonly assumptions: readonly string[];
}

/** Relative deviation of the sum of a block from its trace that rounding does not explain. */
const TOLERANCE = 1e-3;

/**
 * The diagonal of the Gauss-Newton matrix of the mean loss per sample, exact: for weight i
 *
 *     G_ii = (1/N) sum_n sum_r ( d(c_{n,r}^T z_n) / d theta_i )^2
 *
 * with the columns c of the output Hessian's factor, as in `measureSharpness`. Where a network is made of linear pieces this is the second derivative
 * of its loss by weight i. One backward pass for every column; a convolution takes the gradient of every sample. Each block is held against its
 * trace, which the same backward passes give by another last step: that sees numbers which leave the range of float32 and gradients that are
 * wrong, and no `backward` that is.
 *
 * @param inputs as those of `measureSharpness`.
 * @throws Error with one line as `measureSharpness` does.
 * @throws RangeError with one line when `memoryMB` does not hold one sample, and for a block that does not add up to its trace.
 *
 * @example
 * const { parameters } = await gaussNewtonDiagonal(model, xTrain, { labels: yTrain });
 */
export function gaussNewtonDiagonal(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: DiagonalOptions = {},
): Promise<GaussNewtonDiagonal> {
  return withDiagonalTask('gaussNewtonDiagonal', model, inputs, options, async (task) => {
    const { parameters, diagonals, traces, ...found } = await diagonalOf('gaussNewtonDiagonal', task);
    return {
      parameters: parameters.map(({ name, layer, variable }, b) => ({
        name,
        layer: layer.name,
        shape: variable.read().shape,
        diagonal: diagonals[b],
      })),
      ...found,
    };
  });
}

interface FoundDiagonal extends Omit<GaussNewtonDiagonal, 'parameters'> {
  readonly parameters: readonly Parameter[];
  readonly diagonals: readonly Float64Array[];
  /** Of each block. */
  readonly traces: readonly number[];
}

/** Runs something that takes the diagonal of a model, whose weights must not change meanwhile. */
export async function withDiagonalTask<T>(
  where: string,
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: DiagonalOptions,
  run: (task: Task) => Promise<T>,
): Promise<T> {
  checkKnownOptions(where, options, knownOptions);
  return withTask(modelAssignment(model, inputs, options), async (task) => {
    const found = await run(task);
    task.subject.graph.checkUnmoved?.();
    return found;
  });
}

/**
 * The diagonal, held against the traces.
 *
 * @param where names the caller in what is thrown.
 * @throws RangeError with one line for a block that does not add up to its trace, and when `memoryMB` does not hold one sample.
 */
export async function diagonalOf(where: string, { subject, data, budgetBytes, pause }: Task): Promise<FoundDiagonal> {
  const { graph, heads } = subject;
  const kernel = diagonalKernel(graph, heads, budgetBytes);
  const traces = traceKernel(graph, heads, budgetBytes);
  const { parameters } = kernel;
  const diagonals = parameters.map(({ variable }) => new Float64Array(variable.read().size));
  const sums = new TraceSums(parameters.length);
  const known = heads.every((head) => head.columns !== undefined);
  let columns = known ? heads.reduce((sum, head) => sum + (head.columns as number), 0) : undefined;
  let rows = 0;
  /** Of both passes, which run the same rows. Chunks are read behind those that have been started. */
  const ran = (samples: number, atLeast: number) => {
    rows = Math.max(rows, atLeast);
    const totalRows = data.tensors && columns && 2 * data.tensors[0].shape[0] * columns;
    return pause(samples, { rows, totalRows: totalRows || undefined });
  };
  await data.eachBatch(async (batch) => {
    const before = sums.samples;
    const rowsBefore = 2 * sums.pairs;
    for await (const chunk of traces.traces(batch, (run) => ran(before, rowsBefore + run))) {
      sums.add(chunk);
      columns ??= chunk.pairs / chunk.samples;
      await ran(before, rowsBefore / 2 + sums.pairs);
    }
    const ofTraces = rowsBefore / 2 + sums.pairs;
    await kernel.add(diagonals, batch, (samples, run) => ran(before + samples, ofTraces + run));
  });
  const { samples } = sums;
  for (const diagonal of diagonals) {
    for (let i = 0; i < diagonal.length; i++) {
      diagonal[i] /= samples;
    }
  }
  parameters.forEach(({ name }, b) => {
    const sum = diagonals[b].reduce((total, each) => total + each, 0);
    const trace = sums.traces[b];
    if (!(Math.abs(sum - trace) <= TOLERANCE * trace)) {
      throw new RangeError(
        `${where}: the diagonal of '${name}' adds up to ${sum}, and its trace is ${trace}: bring the weights of all layers to about the same size, or, for a rule of your own, look at its squaredNorms and outerProducts.`,
      );
    }
  });
  return {
    parameters,
    diagonals,
    traces: sums.traces,
    samples,
    assumptions: [
      ...reasonsNotExact(graph),
      ...partlyCurved(heads),
      ...headAssumptions(heads),
      ...rowAssumptions(subject.rows()),
      ...subject.assumptions,
    ],
  };
}
