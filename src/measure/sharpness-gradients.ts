import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkOneOf, checkWhole } from '../checks.js';
import type { DrawSigns } from '../network/column-factor.js';
import { unfold } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { minimizeOverScales } from '../symmetry/scale-minimum.js';
import type { RecordedLoss } from '../tfjs/loss-recorder.js';
import { outputNames } from '../tfjs/model-graph.js';
import { variableOf } from '../tfjs/weights.js';
import { differentiableGraph } from '../traces/gradients/differentiable.js';
import { traceGradientKernel } from '../traces/gradients/trace-gradients.js';
import { randomSigns } from '../traces/sampling/signs.js';
import { orderedInputs, type TensorInputs } from './inputs.js';
import { checkLabelValues, checkRowSums, labelsAtHand, labelsOfForm, rowSumsOf } from './labels.js';
import { lossesOf, type NamedLoss, planHeads } from './loss.js';
import { labelsMissing } from './loss-inputs.js';
import { factorsOf } from './methods.js';
import { checkModel, subjectOfModel } from './subject.js';

/** Every column of the output Hessian's factor, or one combination of them with random signs for each sample. */
export type GradientColumns = 'all' | 'sign';

export interface GradientOptions {
  /** The loss that is trained, for several outputs one each in their order. Default: what the model was compiled with. */
  readonly loss?: NamedLoss | readonly NamedLoss[];
  /** Labels as for `model.fit`, which count by the sums of their rows, as in `measureSharpness`. Without them every row is taken to add up to 1. */
  readonly labels?: TensorInputs;
  /**
   * `'all'` (default): the gradient for this batch, to rounding. `'sign'`: one backward row a sample in the place of all
   * columns; for given scale factors it is right on average over the signs.
   */
  readonly columns?: GradientColumns;
  /** Chooses the signs: a whole number, default 0. */
  readonly seed?: number;
}

const knownOptions = { loss: true, labels: true, columns: true, seed: true } satisfies Record<
  keyof GradientOptions,
  true
>;

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
 * @param model a built model.
 * @param inputs [N, ...] for each input of the model.
 * @throws Error with one line as `measureSharpness` does, for options that there are not or that are out of range, and for layers
 *   through which such gradients do not pass: see `Operation.differentiable`.
 */
export function minimumSharpnessGradients(
  model: tfl.LayersModel,
  inputs: TensorInputs,
  options: GradientOptions = {},
): MinimumSharpnessGradients {
  checkKnownOptions('minimumSharpnessGradients', options, knownOptions);
  const { loss, labels, columns = 'all', seed = 0 } = options;
  checkOneOf('columns', columns, ['all', 'sign']);
  checkWhole('seed', seed);
  const gradientsOf = sharpnessGradientKernel(model, loss);
  const ordered = orderedInputs(model, inputs);
  const [samples] = ordered[0].shape;
  const losses = labelsAtHand(labels, outputNames(model), samples).map((target) => target && { target });
  return gradientsOf({ inputs: ordered, losses }, columns, seed);
}

/** A batch to take gradients of: inputs in the order of the model's, and what is known of the loss of each output. */
export interface GradientBatch {
  readonly inputs: readonly tf.Tensor[];
  readonly losses: readonly (Partial<RecordedLoss> | undefined)[];
}

/** `minimumSharpnessGradients` for one model, all that does not depend on the batch done beforehand. */
export function sharpnessGradientKernel(
  model: tfl.LayersModel,
  loss?: GradientOptions['loss'],
): (batch: GradientBatch, columns: GradientColumns, seed: number) => MinimumSharpnessGradients {
  const { graph, heads, symmetry } = subjectOfModel(model, { loss }, { labels: true, sampleWeight: true });
  if (heads.every(({ hessian }) => hessian.curvedInstead)) {
    const [{ hessian }] = heads;
    throw new Error(
      `The loss '${hessian.name}' is made of straight pieces: Minimum Sharpness is 0 for all weights, and has no gradient. ` +
        `Train by a curved one, for example '${hessian.curvedInstead}'.`,
    );
  }
  const kernel = traceGradientKernel(graph, heads);
  const plans = planHeads(outputNames(model), lossesOf(model, loss), undefined);
  const shapes = plans.map(({ place }) => model.outputs[place].shape);

  return ({ inputs, losses }, columns, seed) => {
    let minimumSharpness = 0;
    const ofHeads = plans.map(({ place }) => losses[place]);
    const ofLoss = tf.tidy(() => inputsOfLosses(heads, shapes, ofHeads, inputs[0].shape[0]));
    try {
      const { traces, factors, gradients } = kernel.gradients(
        [...inputs, ...ofLoss],
        (found) => {
          const minimum = minimizeOverScales(symmetry, found);
          minimumSharpness = minimum.value;
          return factorsOf(minimum);
        },
        columns === 'sign' ? signsInTurn(seed) : undefined,
      );
      return {
        minimumSharpness,
        parameters: kernel.parameters.map(({ variable }, b) => ({
          name: variableOf(variable).name,
          trace: traces[b],
          factor: factors[b],
          gradient: gradients[b],
        })),
      };
    } finally {
      tf.dispose(ofLoss);
    }
  };
}

/** Weights of every head, then row sums where they count, then labels that are needed: in a step of training, which cannot wait for values. */
function inputsOfLosses(
  heads: readonly Head[],
  shapes: readonly tfl.Shape[],
  losses: GradientBatch['losses'],
  samples: number,
): tf.Tensor[] {
  const weights = heads.map((_, i) => losses[i]?.weights?.clone() ?? tf.ones([samples]));
  const rowSums = heads.flatMap(({ rowSums, hessian, name }, i) => {
    if (rowSums === null) {
      return [];
    }
    const { sums } = rowSumsOf(losses[i]?.target, samples, hessian.labels, shapes[i], name);
    checkRowSums(sums.dataSync() as Float32Array, samples, name);
    return [sums];
  });
  const labels = heads.flatMap(({ labels, hessian, name }, i) => {
    if (labels === null) {
      return [];
    }
    const given = labelsOfForm(losses[i]?.target, hessian.labels, shapes[i]);
    if (given === undefined) {
      throw labelsMissing(hessian, name);
    }
    const outputs = shapes[i][shapes[i].length - 1] as number;
    checkLabelValues(given.dataSync() as Float32Array, hessian.labels, outputs, samples, name);
    return [given];
  });
  return [...weights, ...rowSums, ...labels];
}

/** @throws Error with one line for a model that is not built, or has a layer through which gradients do not pass. */
export function checkGradientsPass(model: tfl.LayersModel): void {
  checkModel(model);
  differentiableGraph(unfold(model));
}

/** Every tensor of signs goes on in the sequence where the one before has ended. */
function signsInTurn(seed: number): DrawSigns {
  let drawn = 0;
  return (shape) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const signs = randomSigns(seed, drawn, size);
    drawn += size;
    return tf.tensor(signs, [...shape]);
  };
}
