import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { RecordedLoss } from '../tfjs/loss-recorder.js';
import type { LabelledInputs } from './inputs.js';
import { formOfLabels } from './labels.js';

/** A minibatch as training saw it. Who has it disposes it. */
export interface Minibatch {
  /** In the order of `model.inputs`. */
  readonly inputs: tf.Tensor[];
  /** In the order of `model.outputs`. */
  readonly losses: readonly (RecordedLoss | undefined)[];
}

export function disposeMinibatch(minibatch: Minibatch | undefined): void {
  const { inputs = [], losses = [] } = minibatch ?? {};
  tf.dispose([inputs, losses.flatMap((loss) => (loss ? [loss.target, loss.weights ?? []] : []))]);
}

/** Whether the target has the form of labels for the output. */
export function isFit({ target }: RecordedLoss, { shape }: tfl.SymbolicTensor): boolean {
  return formOfLabels(target.shape, shape) !== undefined;
}

/** The gradient of a mean is 1/N but for rounding. */
const ROUNDING = 1e-5;

/**
 * The minibatch with the labels and weights that fit minimised it with: weights where they are not all 1, labels where they have the form
 * of the output's. (A loss function of the user's own may take any; then nothing is known of its rows.)
 */
export async function labelledMinibatch(
  model: tfl.LayersModel,
  { inputs, losses }: Minibatch,
): Promise<LabelledInputs> {
  const labels = losses.map((loss, i) => (loss && isFit(loss, model.outputs[i]) ? loss.target : undefined));
  const weights = await Promise.all(losses.map((loss) => whereNotOne(loss?.weights)));
  return {
    xs: inputs,
    ...(labels.some((each) => each !== undefined) && { ys: labels as tf.Tensor[] }),
    ...(weights.some((each) => each !== undefined) && { sampleWeight: weights as tf.Tensor[] }),
  };
}

async function whereNotOne(weights: tf.Tensor | undefined): Promise<tf.Tensor | undefined> {
  const values = await weights?.data();
  return values?.some((value) => Math.abs(value - 1) > ROUNDING) ? weights : undefined;
}
