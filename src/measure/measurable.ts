import type * as tfl from '@tensorflow/tfjs-layers';
import { isDataset } from './inputs.js';
import { modelAssignment, type SharpnessInputs } from './measure-sharpness.js';
import { checkMeasureOptions, type MeasureOptions } from './options.js';
import { checkDataset, withTask } from './task.js';

/**
 * Whether `measureSharpness` would take a model, its inputs and options, without a measurement: so that a slip shows when training
 * begins, and not after the first epoch. Of a dataset nothing is read, which costs a pass, and may draw from a generator that training
 * draws from.
 *
 * @throws Error with one line as `measureSharpness` does.
 * @throws RangeError with one line as `measureSharpness` does.
 */
export async function checkMeasurable(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions,
): Promise<void> {
  const assignment = modelAssignment(model, inputs, options);
  if (isDataset(inputs)) {
    checkMeasureOptions(options);
    assignment.makeSubject();
    checkDataset(inputs, options);
  } else {
    await withTask(assignment, ({ data }) => data.eachBatch(async () => {}));
  }
}
