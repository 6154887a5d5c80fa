import type * as tfl from '@tensorflow/tfjs-layers';
import { inputNames } from '../tfjs/model-graph.js';
import type { DrawnValues } from '../traces/sampling/paired.js';
import { edgeOfStability } from './edge-of-stability.js';
import type { DatasetInputs, LabelledInputs, TensorInputs } from './inputs.js';
import { lossForm } from './loss-inputs.js';
import { checkMaskedForward } from './masked-forward.js';
import { checkMinibatchOptions, factorsOf, type Method, minibatchTraces, tracesOf } from './methods.js';
import { isHutchinson, type MeasureOptions } from './options.js';
import { readingOf, type SharpnessReading } from './reading.js';
import { checkProductsRoundNothing, withRoundingError } from './rounded-products.js';
import { checkModel, subjectOfModel } from './subject.js';
import { type Assignment, withTask } from './task.js';
import { withTopEigenvalues } from './top-eigenvalues.js';

/** What can be measured: tensors of samples, alone or with labels and weights, or a batched dataset of either. */
export type SharpnessInputs = TensorInputs | LabelledInputs | DatasetInputs;

/**
 * Measures Minimum Sharpness: the trace of the loss Hessian, minimised over all rescalings of the layers that leave the
 * function unchanged (Ibayashi, Hamaguchi, Imaizumi, "Minimum sharpness", arXiv 2106.12612).
 *
 *     MS = min over s of  sum_kernels T_b exp(-2 (s_out - s_in)) + sum_biases T_b exp(-2 s_out)
 *
 * with T_b the trace of the Hessian block of weight tensor b for the mean loss per sample. Labels are not needed. The model
 * is measured as inference runs it: dropout off, batch normalization with its moving statistics.
 *
 * The value is that of the weights at the call. Where they are changed while it is still running, it is refused: `await` it.
 *
 * Several outputs add up with their `lossWeights`; the loss of an output with positions is the mean over them.
 *
 * @param model a built model with outputs of shape [N, K] or [N, ...positions, K].
 * @param inputs [N, ...] for each input of the model: a tensor, several, by name, or a batched dataset of xs or { xs, ys }.
 * @returns the reading; `standardError` is 0 with the exact method, unless `part` leaves samples out.
 * @throws Error with one line when weights are changed meanwhile; and before anything is computed with one that says what was
 *   wrong and how to mend it: model not built or without trained weights, wrong shape or dtype, no samples, NaN or infinite weights or inputs, unknown loss, loss and
 *   last activation that do not belong together, a layer that cannot be measured, options that there are not.
 * @throws RangeError with one line for numbers out of range, and when `memoryMB` does not hold one sample.
 *
 * @example
 * const { minimumSharpness } = await measureSharpness(model, xTrain);
 */
export function measureSharpness(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions = {},
): Promise<SharpnessReading> {
  return measureBy((task) => tracesOf(task, options.method), modelAssignment(model, inputs, options));
}

/**
 * `measureSharpness` on a minibatch that was drawn from a larger set: `standardError` carries the spread between the
 * samples, as an estimate for that set.
 */
export function estimateSharpness(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions = {},
): Promise<SharpnessReading> {
  try {
    checkMinibatchOptions(options);
  } catch (error) {
    return Promise.reject(error);
  }
  return measureBy(minibatchTraces, modelAssignment(model, inputs, options), true);
}

/** A model and its data. */
export function modelAssignment(model: tfl.LayersModel, inputs: unknown, options: MeasureOptions): Assignment {
  return {
    makeSubject: () => {
      checkModel(model, options.countFrozen);
      return subjectOfModel(model, options, lossForm(inputs, inputNames(model), options), true);
    },
    inputs,
    options,
    stableBelow: edgeOfStability(model?.optimizer),
    check: (batch) => checkMaskedForward(model, batch),
  };
}

/**
 * Measures whatever a subject is made of.
 *
 * @param isMinibatch whether the data stands for a larger set.
 */
export async function measureBy(
  method: Method,
  assignment: Assignment,
  isMinibatch = false,
): Promise<SharpnessReading> {
  return (await measuredBy(method, assignment, isMinibatch)).reading;
}

/** A reading, with what its error is made of where that can be paired with another's. */
export interface DrawnReading {
  readonly reading: SharpnessReading;
  readonly drawn?: DrawnValues | undefined;
}

/** `measureSharpness`, for the difference to another network that is measured on the same data with the same seed. */
export function measureToCompare(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions,
): Promise<DrawnReading> {
  return measuredBy((task) => tracesOf(task, options.method), modelAssignment(model, inputs, options), false);
}

async function measuredBy(method: Method, assignment: Assignment, isMinibatch: boolean): Promise<DrawnReading> {
  const start = performance.now();
  return withTask(assignment, async (task) => {
    if (isHutchinson(assignment.options.method)) {
      // They are differences that such rounding drowns.
      await checkProductsRoundNothing('method: { hutchinson }');
    }
    const whole = withTopEigenvalues(withRoundingError(method), assignment, isMinibatch);
    const estimate = await whole(task);
    return {
      reading: readingOf(task.subject, estimate, start),
      drawn: estimate.drawn?.(factorsOf(estimate.minimum)),
    };
  });
}
