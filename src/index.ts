export { type MinimumSharpnessOptions, minimumSharpness, type Problem, type SharpnessCallback } from './callback.js';
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './control/early-stopping.js';
export type { LossName } from './curvature/output-hessian.js';
export type { DatasetInputs, NamedTensors, TensorInputs } from './inputs.js';
export {
  type MeasureMethod,
  type MeasureOptions,
  type MeasureProgress,
  measureSharpness,
  type SharpnessInputs,
} from './measure.js';
export type { LayerScale, ParameterTrace, SharpnessReading } from './reading.js';
export type { Schedule } from './schedule.js';
