export { type MinimumSharpnessOptions, minimumSharpness, type Problem, type SharpnessCallback } from './callback.js';
export type { Controller } from './control/controllers/controller.js';
export {
  type LowerWhenRisingOptions,
  type LowerWhenRisingState,
  lowerWhenRising,
} from './control/controllers/lower-when-rising.js';
export {
  type RaiseWhenRisingOptions,
  type RaiseWhenRisingState,
  raiseWhenRising,
} from './control/controllers/raise-when-rising.js';
export type { Points, RisingOptions } from './control/controllers/rising.js';
export { type WarmUpOptions, type WarmUpState, warmUp } from './control/controllers/warm-up.js';
export { type EarlyStopping, earlyStopping } from './control/early-stopping.js';
export { learningRateOf, setLearningRate } from './control/learning-rate.js';
export { type AsamOptimizer, type AsamOptions, asam } from './control/optimizers/asam.js';
export { type SamOptimizer, type SamOptions, sam } from './control/optimizers/sam.js';
export {
  type SharpnessPenaltyOptimizer,
  type SharpnessPenaltyOptions,
  sharpnessPenalty,
} from './control/optimizers/sharpness-penalty.js';
export type { WrappedOptimizer } from './control/optimizers/wrapped-optimizer.js';
export { property, type Setting } from './control/setting.js';
export type { GradientColumns } from './control/sharpness-gradients.js';
export { type ControlledValue, type ControlProblem, type Steering, steer } from './control/steer.js';
export type { EarlyStoppingOptions } from './control/stopping-options.js';
export { weightDecayOf } from './control/weight-decay.js';
export { multiplyEachColumn } from './curvature/column-axis.js';
export type { LayerRule, ParameterOf } from './curvature/layers/rule.js';
export { registerLayerRule } from './curvature/layers/table.js';
export type {
  CallWithDelta,
  Differentiable,
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
export { type DescribeOptions, describeSymmetries } from './describe-symmetries.js';
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
export { type Changed, type ChangePointOptions, changePoint } from './streams/change-point.js';
export { type EpochLogs, type Logged, withEpochLogs } from './streams/epoch-logs.js';
export {
  type ExponentialMovingAverageOptions,
  exponentialMovingAverage,
  type Smoothed,
} from './streams/exponential-moving-average.js';
export type { Having, Moment } from './streams/field.js';
export {
  type LayerScaleReading,
  type LayerTraceReading,
  layerScale,
  layerTrace,
  type ParameterTraceReading,
  parameterTrace,
} from './streams/one-layer.js';
export { type OnPlateau, type PlateauOptions, plateau } from './streams/plateau.js';
export type { Slope } from './streams/slope.js';
export { type Trending, type TrendOptions, trend } from './streams/trend.js';
export type { PinnedLayer, ScaleGroup, SymmetryDescription } from './symmetry/description.js';
