import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Graph } from './curvature/graph.js';
import { type LossName, type OutputHessian, outputHessians } from './curvature/output-hessian.js';

const known = Object.keys(outputHessians)
  .map((name) => `'${name}'`)
  .join(', ');

/** Functions that `model.compile` takes as a loss and that we know by identity. */
const lossFunctions = new Map<unknown, LossName>([
  [tf.losses.softmaxCrossEntropy, 'softmaxCrossEntropy'],
  [tf.losses.sigmoidCrossEntropy, 'sigmoidCrossEntropy'],
  [tf.losses.meanSquaredError, 'meanSquaredError'],
  [tfl.metrics.meanSquaredError, 'meanSquaredError'],
  [tfl.metrics.MSE, 'meanSquaredError'],
  [tfl.metrics.mse, 'meanSquaredError'],
  [tfl.metrics.categoricalCrossentropy, 'categoricalCrossentropy'],
  [tfl.metrics.binaryCrossentropy, 'binaryCrossentropy'],
]);

/** @throws Error with one line unless `loss` is a name that `measureSharpness` knows. */
export function checkLossName(loss: unknown): asserts loss is LossName {
  if (typeof loss !== 'string' || !Object.hasOwn(outputHessians, loss)) {
    const shown = typeof loss === 'string' ? `'${loss}'` : `a ${typeof loss}`;
    throw new Error(`loss: ${shown} is not known. Pass one of ${known}.`);
  }
}

/**
 * The loss to measure: the one given, or the one that the model was compiled with.
 *
 * @throws Error with one line that says which `loss` to pass when the model has none that is known.
 */
export function lossOf(model: tfl.LayersModel, given?: LossName): LossName {
  if (given !== undefined) {
    checkLossName(given);
    return given;
  }
  const { loss } = model;
  if (loss === undefined || loss === null) {
    throw new Error(`The model is not compiled, so its loss is not known. Compile it or pass loss: one of ${known}.`);
  }
  const compiled = typeof loss === 'object' ? Object.values(loss)[0] : loss;
  if (typeof compiled === 'function') {
    const name = lossFunctions.get(compiled);
    if (!name) {
      throw new Error(
        "The model's loss is a function of your own, whose curvature is not known. If it computes one of these, pass " +
          `loss: ${known}.`,
      );
    }
    return name;
  }
  if (!Object.hasOwn(outputHessians, compiled)) {
    throw new Error(`The model's loss '${compiled}' cannot be measured: sharpness is known for ${known}.`);
  }
  return compiled as LossName;
}

/**
 * Moves the output of the graph to where the loss takes z: before a last softmax or sigmoid that belongs to the loss
 * (DESIGN: the trace kernel).
 *
 * @throws Error with one line when the loss and the last activation do not belong together.
 */
export function cutAtLoss(graph: Graph, loss: LossName): { graph: Graph; hessian: OutputHessian } {
  const hessian = outputHessians[loss];
  const last = graph.steps.find((step) => step.output === graph.output)?.operation;
  const end = last?.activation ? `'${last.activation}'` : 'no activation';
  const place = last ? ` (layer '${last.layer.name}')` : '';
  if (hessian.refusedActivations?.includes(last?.activation ?? '')) {
    const fitting = last?.activation === 'sigmoid' ? 'binaryCrossentropy' : 'categoricalCrossentropy';
    throw new Error(
      `Loss '${loss}' expects logits, but the model ends in ${end}${place}: pass loss: '${fitting}', or end the model ` +
        'without an activation.',
    );
  }
  if (hessian.activation === null) {
    return { graph, hessian };
  }
  if (last?.activation !== hessian.activation) {
    const onLogits = hessian.activation === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    throw new Error(
      `Loss '${loss}' belongs to a model that ends in '${hessian.activation}', but this one ends in ${end}${place}: ` +
        `change one of them; for a model that puts out logits pass loss: '${onLogits}'.`,
    );
  }
  const steps = graph.steps.filter((step) => step.output !== graph.output);
  const cut = graph.steps.find((step) => step.output === graph.output) as Graph['steps'][number];
  return { graph: { ...graph, steps, output: cut.inputs[0] }, hessian };
}
