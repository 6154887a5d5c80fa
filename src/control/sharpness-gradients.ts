import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { differentiableGraph } from '../curvature/differentiable.js';
import { unfold } from '../curvature/graph.js';
import type { LossName } from '../curvature/output-hessian.js';
import { traceGradientKernel } from '../curvature/trace-gradients.js';
import { orderedInputs, type TensorInputs } from '../inputs.js';
import { cutAtLoss, lossOf } from '../loss.js';
import { checkModel, checkOutput } from '../measure.js';
import { uniform } from '../sampling/uniform.js';
import { minimizeOverScales } from '../symmetry/minimum.js';
import { scaleSymmetry } from '../symmetry/potentials.js';

/** Every column of the output Hessian's factor, or one combination of them with random signs for each sample. */
export type GradientColumns = 'all' | 'sign';

export interface GradientOptions {
  /** The loss that is trained. Default: the one that the model was compiled with. */
  loss?: LossName;
  /**
   * `'all'` (default): the gradient for this batch, to rounding. `'sign'`: one backward row a sample in the place of all
   * columns; for given scale factors it is right on average over the signs.
   */
  columns?: GradientColumns;
  /** Chooses the signs: a whole number, default 0. */
  seed?: number;
}

/** Minimum Sharpness of one batch and its gradient. */
export interface MinimumSharpnessGradients {
  readonly minimumSharpness: number;
  /**
   * One entry a trained weight tensor b, by `Variable.name`: its trace T_b, the factor exp(-2 e_b . s*) that the optimal
   * rescaling puts on it, and d MS / d theta_b in the shape of theta_b. The caller disposes the gradients.
   */
  readonly parameters: readonly {
    readonly name: string;
    readonly trace: number;
    readonly factor: number;
    readonly gradient: tf.Tensor;
  }[];
}

/**
 * The gradient of Minimum Sharpness by the weights,
 *
 *     MS(theta) = min over s of sum_b T_b(theta) exp(-2 e_b . s),   d MS / d theta = sum_b exp(-2 e_b . s*) d T_b / d theta,
 *
 * with the scales held at their optimum s* (envelope theorem). The network is taken as inference runs it.
 *
 * @param model a built model with one output of shape [N, K].
 * @param inputs [N, ...] for each input of the model.
 * @throws Error with one line as `measureSharpness` does, and for layers through which such gradients do not pass: see
 *   `Operation.differentiable`.
 */
export function minimumSharpnessGradients(
  model: tfl.LayersModel,
  inputs: TensorInputs,
  { loss, columns = 'all', seed = 0 }: GradientOptions = {},
): MinimumSharpnessGradients {
  const gradientsOf = sharpnessGradientKernel(model, loss);
  return gradientsOf(orderedInputs(model, inputs), columns, seed);
}

/** `minimumSharpnessGradients` for one model, all that does not depend on the batch done beforehand. */
export function sharpnessGradientKernel(
  model: tfl.LayersModel,
  givenLoss?: LossName,
): (inputs: readonly tf.Tensor[], columns: GradientColumns, seed: number) => MinimumSharpnessGradients {
  checkModel(model);
  const loss = lossOf(model, givenLoss);
  const { graph, hessian } = cutAtLoss(unfold(model), loss);
  checkOutput(model, loss);
  const kernel = traceGradientKernel(graph, hessian);
  const symmetry = scaleSymmetry(graph);

  return (inputs, columns, seed) => {
    let minimumSharpness = 0;
    const { traces, factors, gradients } = kernel.gradients(
      inputs,
      (found) => {
        const { value, exponents } = minimizeOverScales(symmetry, found);
        minimumSharpness = value;
        return exponents.map((exponent) => Math.exp(-2 * exponent));
      },
      columns === 'sign' ? (samples, outputs) => randomSigns(samples, outputs, seed) : undefined,
    );
    return {
      minimumSharpness,
      parameters: kernel.parameters.map(({ variable }, b) => ({
        name: variable.name,
        trace: traces[b],
        factor: factors[b],
        gradient: gradients[b],
      })),
    };
  };
}

/** @throws Error with one line for a model that is not built, or has a layer through which gradients do not pass. */
export function checkGradientsPass(model: tfl.LayersModel): void {
  checkModel(model);
  differentiableGraph(unfold(model));
}

/** -1 or 1 with equal probability, [samples, outputs]. */
function randomSigns(samples: number, outputs: number, seed: number): tf.Tensor2D {
  const signs = Float32Array.from({ length: samples * outputs }, (_, i) => (uniform(seed, i) < 0.5 ? -1 : 1));
  return tf.tensor2d(signs, [samples, outputs]);
}
