export { type MinimumSharpnessOptions, minimumSharpness, type Problem, type SharpnessCallback } from './callback.js';
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './control/early-stopping.js';
export { multiplyEachColumn } from './curvature/column-axis.js';
export type { LayerRule, ParameterOf } from './curvature/layers/rule.js';
export { registerLayerRule } from './curvature/layers/table.js';
export type {
  CallWithDelta,
  Forward,
  Layer,
  Operation,
  Owner,
  Parameter,
  ParameterRole,
  RecordedCall,
  ScaleBehaviour,
  Weight,
} from './curvature/operation.js';
export type { LossFactor, LossName } from './curvature/output-hessian.js';
export { biasSquaredNorm, joinPositions, kernelSquaredNorm } from './curvature/squared-norms.js';
export type { DatasetInputs, NamedTensors, TensorInputs } from './inputs.js';
export type { Loss, Losses, LossWeights } from './loss.js';
export {
  measureSharpness,
  type SharpnessInputs,
} from './measure.js';
export {
  type FunctionBlock,
  type FunctionBlocks,
  type MeasureFunctionOptions,
  measureFunctionSharpness,
  type SampleFunction,
} from './measure-function.js';
export type { MeasureMethod, MeasureOptions, MeasureProgress } from './options.js';
export type { LayerScale, ParameterTrace, SharpnessReading } from './reading.js';
export type { ClassWeight, ClassWeights, SampleWeight, SampleWeights } from './sample-weights.js';
export type { Schedule } from './schedule.js';
