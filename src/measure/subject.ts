import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Graph, unfold } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { type ScaleSymmetry, scaleSymmetry } from '../symmetry/scale-symmetry.js';
import { inputNames, outputNames } from '../tfjs/model-graph.js';
import type { Weight } from '../tfjs/weights.js';
import { backendAssumptions, outputAssumptions, symmetryAssumptions } from './assumptions.js';
import { itemParts, orderedInputs, type TensorInputs } from './inputs.js';
import { checkedLabels, orderedLabels } from './labels.js';
import { cutAtLosses, type HeadPlan, lossesOf, planHeads } from './loss.js';
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
  /** By what the samples are weighed, head by head. */
  readonly weightings: readonly Weighting[];
  readonly inputNames: readonly string[];
  /** Inputs in the order of the graph. @throws Error with one line that says what does not fit. */
  inputs(given: unknown): tf.Tensor[];
  /** The same for what a dataset yields, with its labels. */
  item(given: unknown): { readonly inputs: tf.Tensor[]; readonly labels: TensorInputs | undefined };
  /**
   * What only the loss reads of a batch, the graph's last inputs: weights of samples, and labels where the method wants them.
   *
   * @param samples N.
   * @returns [N, ...] each; the caller disposes them.
   */
  lossInputs(samples: number, labels: TensorInputs | undefined): Promise<tf.Tensor[]>;
  /** What only a subject of this kind has to say of its readings, one sentence each. */
  readonly assumptions: readonly string[];
}

/**
 * A model with its losses, ready to be measured.
 *
 * @throws Error with one line when the model or its loss cannot be measured.
 */
export function subjectOfModel(model: tfl.LayersModel, options: MeasureOptions): Subject {
  const { loss, lossWeights, sampleWeight, classWeight, countFrozen } = options;
  checkModel(model, countFrozen);
  const losses = lossesOf(model, loss);
  const names = outputNames(model);
  const plans = planHeads(names, losses, lossWeights);
  const whole = unfold(model, { countFrozen });
  const shapes = model.outputs.map(({ shape }) => shape);
  const ranks = shapes.map((shape) => shape.length);
  const labelled = isHutchinson(options.method);
  if (labelled) {
    checkGradients(plans);
  }
  const weights = batchWeights(plans, names, ranks, sampleWeight, classWeight);
  const { graph, heads } = cutAtLosses(whole, plans, shapes, weights.has, labelled);
  heads.forEach((head, i) => {
    checkOutput(shapes[plans[i].place], head);
  });
  const symmetry = scaleSymmetry(graph);
  return {
    source: model,
    graph,
    heads,
    symmetry,
    weights: model.weights,
    weightings: plans.map((plan) => weights.weighting(plan)),
    inputNames: inputNames(model),
    inputs: (given) => orderedInputs(model, given),
    item: (given) => {
      const { xs, ys } = itemParts(model, given);
      return { inputs: orderedInputs(model, xs), labels: ys as TensorInputs | undefined };
    },
    async lossInputs(samples, labels) {
      const found = await weights.of(samples, labels);
      try {
        if (labelled) {
          const list = orderedLabels(labels, names, samples, 'Traces of the Hessian depend on the labels');
          for (const [i, { place, name }] of plans.entries()) {
            found.push(await checkedLabels(list[place], heads[i].hessian.labels, shapes[place], name));
          }
        }
        return found;
      } catch (error) {
        tf.dispose(found);
        throw error;
      }
    },
    assumptions: [
      ...symmetryAssumptions(graph, symmetry),
      ...backendAssumptions(graph),
      ...outputAssumptions(names.filter((name) => !plans.some((plan) => plan.name === name))),
    ],
  };
}

/** @throws Error with one line for a model that is not built or has nothing to measure. */
export function checkModel(model: tfl.LayersModel, countFrozen = false): void {
  if (typeof model?.getClassName !== 'function' || !('trainableWeights' in model)) {
    throw new Error('model must be a tf.LayersModel, from tf.sequential, tf.model or tf.loadLayersModel.');
  }
  // `model.built` stays false in a Sequential until something runs it, though its graph is there.
  if (!model.inputs?.length || !model.outputs?.length) {
    throw new Error('The model is not built: give its first layer an inputShape, or call model.build(inputShape).');
  }
  if (model.weights.length === 0) {
    throw new Error('The model has no weights, so it has no sharpness: add a layer with weights.');
  }
  if (model.trainableWeights.length === 0 && !countFrozen) {
    throw new Error(
      'The model has no trained weights, every layer is frozen: set trainable = true on some layer, or pass countFrozen: true.',
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
  if (hessian.columns(outputs) === 0) {
    throw new Error(
      `The loss of output '${name}' over one class is constant: use two outputs or more, or 'binaryCrossentropy' after a sigmoid.`,
    );
  }
}
