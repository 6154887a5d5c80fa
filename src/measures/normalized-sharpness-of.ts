import type * as tfl from '@tensorflow/tfjs-layers';
import { CONSTANT } from '../measure/assumptions.js';
import { isConstant } from '../measure/collapse.js';
import type { SharpnessInputs } from '../measure/measure-sharpness.js';
import { enumerateNames } from '../names.js';
import { trainedParameters } from '../network/graph.js';
import type { Parameter } from '../network/layers/operation.js';
import { isOfTfjs } from '../network/layers/table.js';
import { numbersInTurns } from '../traces/event-loop.js';
import { type DiagonalOptions, diagonalOf, withDiagonalTask } from './gauss-newton-diagonal.js';
import { type NormalizedMatrix, ofMatrix } from './normalized-sharpness.js';

/** Normalized sharpness of a model. */
export interface ModelNormalizedSharpness {
  /** The sum over the matrices. */
  readonly value: number;
  /** One a kernel, in the order of `reading.parameters`: of layers in models inside of one another, two may have one name. */
  readonly matrices: readonly { readonly name: string; readonly value: number }[];
  readonly samples: number;
  /** What it takes for granted, one plain sentence each. */
  readonly assumptions: readonly string[];
}

/**
 * `normalizedSharpness` of a model, from the diagonal of its Gauss-Newton matrix (`gaussNewtonDiagonal`). Its matrices are the kernels of dense layers, [in, out],
 * and of convolutions, [channels in, channels out], whose squared weights and curvature are added up over the taps: these have one factor. Of a depthwise kernel,
 * [channels, multiplier], every pair is an output of its own. Kernels by which recurrent layers multiply their inputs count too. Biases, normalization, embeddings and other weights are left out, as in the published code of Ibayashi and others,
 * "Minimum sharpness" (arXiv 2106.12612), which has it beside theirs; `assumptions` name them.
 *
 * @param inputs as those of `measureSharpness`.
 * @throws Error with one line as `gaussNewtonDiagonal` does, and for a model without such a kernel that is trained.
 * @throws RangeError with one line as `gaussNewtonDiagonal` and `normalizedSharpness` do.
 *
 * @example
 * const { value } = await normalizedSharpnessOf(model, xTrain, { labels: yTrain });
 */
export function normalizedSharpnessOf(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: DiagonalOptions = {},
): Promise<ModelNormalizedSharpness> {
  const where = 'normalizedSharpnessOf';
  return withDiagonalTask(where, model, inputs, options, async (task) => {
    const { steps } = task.subject.graph;
    const counted = new Set(
      steps.flatMap(({ operation: { matrices = [] } }) => matrices.map(({ variable }) => variable)),
    );
    const isMatrix = ({ variable }: Parameter) => counted.has(variable);
    if (!trainedParameters(task.subject.graph).some(isMatrix)) {
      throw new Error(`${where}: no kernel of a dense layer or a convolution is trained, and it is a sum over these.`);
    }
    const { parameters, diagonals, traces, samples, assumptions } = await diagonalOf(where, task);
    const matrices: ModelNormalizedSharpness['matrices'][number][] = [];
    for (const [b, parameter] of parameters.entries()) {
      if (isMatrix(parameter)) {
        const { name, variable } = parameter;
        const walk = ofMatrix(
          matrixOf(parameter, await variable.read().data(), diagonals[b]),
          `${where}: '${name}'`,
          'set its weights that are next to 0 to 0, or measure more samples',
        );
        matrices.push({ name, value: await numbersInTurns(walk, () => task.pause(samples)) });
      }
    }
    const withTaps = parameters.filter(
      (parameter) => isMatrix(parameter) && !isOfTfjs(parameter.layer) && parameter.variable.read().shape.length > 2,
    );
    const leftOut = parameters.filter((parameter) => !isMatrix(parameter)).map(({ name }) => name);
    return {
      value: matrices.reduce((sum, { value }) => sum + value, 0),
      matrices,
      samples,
      assumptions: [
        ...(leftOut.length > 0 ? [`Kernels alone count: ${enumerateNames(leftOut)} are left out.`] : []),
        ...withTaps.map(
          ({ name }) => `'${name}' is taken for a kernel [...taps, in, out], whose taps have one factor.`,
        ),
        ...(isConstant(parameters, traces) ? [CONSTANT] : []),
        ...assumptions,
      ],
    };
  });
}

/** A kernel [...taps, rows, columns] as one matrix. */
function matrixOf({ name, variable }: Parameter, kernel: ArrayLike<number>, diagonal: Float64Array): NormalizedMatrix {
  const [inner, outer] = variable.read().shape.slice(-2) as [number, number];
  const size = inner * outer;
  const weights = new Float64Array(size);
  const curvature = new Float64Array(size);
  for (let i = 0; i < diagonal.length; i++) {
    weights[i % size] += kernel[i] ** 2;
    curvature[i % size] += diagonal[i];
  }
  // One row, whose factor says nothing that those of the columns do not.
  const [rows, columns] = name.endsWith('depthwise_kernel') ? [1, size] : [inner, outer];
  return { rows, columns, weights: weights.map(Math.sqrt), curvature };
}
