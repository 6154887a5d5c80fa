import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Graph, unfold } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { type ScaleSymmetry, scaleSymmetry } from '../symmetry/scale-symmetry.js';
import { inputNames, outputNames } from '../tfjs/model-graph.js';
import { trainedWeights, type Weight } from '../tfjs/weights.js';
import {
  backendAssumptions,
  outputAssumptions,
  slowAssumptions,
  stateAssumptions,
  symmetryAssumptions,
} from './assumptions.js';
import { type LossData, orderedInputs, partsOf } from './inputs.js';
import { cutAtLosses, type HeadPlan, lossesOf, planHeads } from './loss.js';
import { type LossForm, lossForm, lossInputs, mayKnowLoss, type RowNotes } from './loss-inputs.js';
import { isHutchinson, type MeasureOptions } from './options.js';
import { batchWeights, type Weighting } from './sample-weights.js';

/** What is measured: a model or a function of the user's, ready for the kernel. */
export interface Subject {
  /** The model or the function itself. */
  readonly source: object;
  readonly graph: Graph;
  readonly heads: readonly Head[];
  readonly symmetry: ScaleSymmetry;
  readonly weights: readonly Weight[];
  readonly inputNames: readonly string[];
  /**
   * Inputs in the order of the graph, and what only the loss reads: of inputs alone, or of { xs, ys, sampleWeight }.
   *
   * @throws Error with one line that says what does not fit.
   */
  item(given: unknown): { readonly inputs: tf.Tensor[] } & LossData;
  /**
   * What only the loss reads of a batch, the graph's last inputs: weights of samples, sums of rows of labels, and labels where the
   * method wants them.
   *
   * @param inputs those of `item`.
   * @returns [N, ...] each; the caller disposes them.
   */
  lossInputs(inputs: readonly tf.Tensor[], given: LossData): Promise<tf.Tensor[]>;
  /** By what the samples are weighed, head by head; complete once the data has been read. */
  weightings(): readonly Weighting[];
  /** What is known of the rows of labels; complete once the data has been read. */
  rows(): RowNotes;
  /** Whether the losses of the samples are to be found too, since they may be known. */
  readonly withLoss: boolean;
  /** Whether they are known; complete once the data has been read. */
  knowsLoss(): boolean;
  /** What only a subject of this kind has to say of its readings, one sentence each. */
  readonly assumptions: readonly string[];
}

/**
 * A model with its losses, ready to be measured.
 *
 * @param form what may come with the inputs for the loss alone. Default: what the options have.
 * @param withLoss whether the losses of the samples are wanted, where they are known.
 * @throws Error with one line when the model or its loss cannot be measured.
 */
export function subjectOfModel(
  model: tfl.LayersModel,
  options: MeasureOptions,
  form: LossForm = lossForm(undefined, [], options),
  withLoss = false,
): Subject {
  const { loss, lossWeights, classWeight, countFrozen } = options;
  checkModel(model, countFrozen);
  const losses = lossesOf(model, loss);
  const names = outputNames(model);
  const plans = planHeads(names, losses, lossWeights);
  const whole = unfold(model, { countFrozen });
  const shapes = model.outputs.map(({ shape }) => shape);
  const labelled = isHutchinson(options.method);
  if (labelled) {
    checkGradients(plans);
  }
  const weights = batchWeights(plans, names, shapes, form.sampleWeight, classWeight);
  const { graph, heads } = cutAtLosses(whole, plans, shapes, {
    weights: weights.has,
    rowSums: form.labels,
    labels: labelled,
    value: withLoss && form.labels,
  });
  heads.forEach((head, i) => {
    checkOutput(shapes[plans[i].place], head);
  });
  const symmetry = scaleSymmetry(graph);
  const ofLoss = lossInputs(plans, heads, names, weights, labelled);
  const inputsOf = inputNames(model);
  return {
    source: model,
    graph,
    heads,
    symmetry,
    weights: model.weights,
    inputNames: inputsOf,
    item: (given) => {
      const { xs, ys, sampleWeight } = partsOf(given, inputsOf);
      return { inputs: orderedInputs(model, xs), labels: ys, sampleWeight };
    },
    lossInputs: ([{ shape }], given) => ofLoss.of(shape[0], given, shapes),
    weightings: ofLoss.weightings,
    rows: ofLoss.rows,
    withLoss: withLoss && heads.every(mayKnowLoss),
    knowsLoss: ofLoss.knowsLoss,
    assumptions: [
      ...symmetryAssumptions(graph, symmetry),
      ...slowAssumptions(graph),
      ...backendAssumptions(graph),
      ...stateAssumptions(graph, model.layers),
      ...outputAssumptions(names.filter((name) => !plans.some((plan) => plan.name === name))),
    ],
  };
}

/** @throws Error with one line for what is no model. */
export function checkIsModel(model: tfl.LayersModel): void {
  if (typeof model?.getClassName !== 'function' || !('trainableWeights' in model)) {
    throw new Error('model must be a tf.LayersModel, from tf.sequential, tf.model or tf.loadLayersModel.');
  }
}

/** @throws Error with one line for a model that is not built. */
export function checkBuiltModel(model: tfl.LayersModel): void {
  checkIsModel(model);
  // `model.built` stays false in a Sequential until something runs it, though its graph is there.
  if (!model.inputs?.length || !model.outputs?.length) {
    throw new Error('The model is not built: give its first layer an inputShape, or call model.build(inputShape).');
  }
}

/** @throws Error with one line for a model that is not built or has nothing to measure. */
export function checkModel(model: tfl.LayersModel, countFrozen = false): void {
  checkBuiltModel(model);
  if (model.weights.length === 0) {
    throw new Error('The model has no weights, so it has no sharpness: add a layer with weights.');
  }
  if (!countFrozen && trainedWeights(model).length === 0) {
    throw new Error(
      'The model has no trained weights, every layer is frozen: set trainable = true on some layer, and compile the model again if ' +
        'it is compiled, or pass countFrozen: true.',
    );
  }
}

/** @throws Error with one line when the gradient of a user's loss is wanted and not given. */
function checkGradients(plans: readonly HeadPlan[]): void {
  const without = plans.find(({ loss }) => typeof loss !== 'string' && loss.gradient === undefined);
  if (without) {
    throw new Error(
      `The loss of '${without.name}' has no gradient, which { hutchinson } needs: give it gradient(z, labels).`,
    );
  }
}

/** @throws Error with one line when an output is not rows of K numbers. */
function checkOutput(shape: tfl.Shape, { name, hessian }: Head): void {
  const outputs = shape[shape.length - 1];
  if (shape.length < 2 || outputs === null) {
    throw new Error(
      `Output '${name}' has shape [${shape.map((size) => size ?? 'any').join(', ')}], and sharpness is measured for outputs of ` +
        'shape [samples, K] or [samples, ...positions, K] with K fixed.',
    );
  }
  if (hessian.columns(outputs) === 0 && !hessian.isFlat) {
    throw new Error(
      `The loss of output '${name}' over one class is constant: use two outputs or more, or 'binaryCrossentropy' after a sigmoid.`,
    );
  }
}
