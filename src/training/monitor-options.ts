import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import type { DatasetInputs, LabelledInputs } from '../measure/inputs.js';
import {
  checkFunctionOfVariables,
  type FunctionOfVariables,
  functionOptionNames,
  type MeasureFunctionOptions,
} from '../measure/measure-function.js';
import { checkBuiltModel } from '../measure/subject.js';
import {
  type CallbackSettings,
  type MinimumSharpnessOptions,
  monitorOptionNames,
  settingsOf,
} from './callback-options.js';

/** Options of a monitor of a model: those of the callback, without `model`. */
export type MonitorOptions = Omit<MinimumSharpnessOptions, 'model'>;

/** Options of a monitor of a function: those of `measureFunctionSharpness`, and of the callback. */
export interface FunctionMonitorOptions
  extends MeasureFunctionOptions,
    Pick<MinimumSharpnessOptions, 'every' | 'name' | 'initialStep' | 'verbose'> {
  /** What to measure on, as for `measureFunctionSharpness`: a tensor, several, { xs, ys, sampleWeight }, or a dataset. */
  readonly data: tf.Tensor | readonly tf.Tensor[] | LabelledInputs | DatasetInputs;
}

const functionMonitorOptionNames = {
  data: true,
  every: true,
  name: true,
  initialStep: true,
  verbose: true,
  ...functionOptionNames,
} satisfies Record<keyof FunctionMonitorOptions, true>;

/**
 * @throws Error with one line for a model that is not built, and for options that there are not, that contradict each other or are out of
 *   range.
 */
export function checkMonitorOptions(model: tfl.LayersModel, options: MonitorOptions): CallbackSettings {
  checkBuiltModel(model);
  checkKnownOptions('sharpnessMonitor', options, monitorOptionNames);
  return settingsOf(options);
}

/**
 * @throws Error with one line for a function or variables that are none, without a loss or data, and for options that there are not, that
 *   contradict each other or are out of range.
 */
export function checkFunctionMonitorOptions(
  given: FunctionOfVariables,
  options: FunctionMonitorOptions,
): CallbackSettings {
  checkKnownOptions('sharpnessMonitor', options, functionMonitorOptionNames);
  checkFunctionOfVariables(given, options);
  if (options.data === undefined) {
    throw new Error('sharpnessMonitor: a function shows no minibatches. Pass what to measure it on, { data }.');
  }
  return settingsOf(options);
}
