export { type DescribeOptions, describeSymmetries } from './measure/describe-symmetries.js';
export type { DatasetInputs, NamedTensors, TensorInputs } from './measure/inputs.js';
export type { Loss, Losses, LossWeights } from './measure/loss.js';
export {
  type FunctionBlock,
  type FunctionBlocks,
  type MeasureFunctionOptions,
  measureFunctionSharpness,
  type SampleFunction,
} from './measure/measure-function.js';
export {
  measureSharpness,
  type SharpnessInputs,
} from './measure/measure-sharpness.js';
export type { MeasureMethod, MeasureOptions, MeasureProgress } from './measure/options.js';
export type { ParameterTrace, SharpnessReading } from './measure/reading.js';
export type { ClassWeight, ClassWeights, SampleWeight, SampleWeights } from './measure/sample-weights.js';
export type { GradientColumns } from './measure/sharpness-gradients.js';
export {
  type GradientOptions,
  type MinimumSharpnessGradients,
  minimumSharpnessGradients,
} from './measure/sharpness-gradients.js';
export {
  type MergeOptions,
  mergeSharpnessSamples,
  type SampledLoss,
  type SharpnessSample,
  sampleSharpness,
} from './measure/sharpness-sample.js';
export { multiplyEachColumn } from './network/layers/columns.js';
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
} from './network/layers/operation.js';
export type { LayerRule, ParameterOf } from './network/layers/rule.js';
export { biasSquaredNorm, joinPositions, kernelSquaredNorm } from './network/layers/squared-norms.js';
export { registerLayerRule } from './network/layers/table.js';
export type { LossFactor, LossName } from './network/output-hessian.js';
export type { PinnedLayer, ScaleGroup, SymmetryDescription } from './symmetry/description.js';
export type { LayerScale } from './symmetry/scale-minimum.js';
export type { Weight } from './tfjs/weights.js';
export type { Controller } from './training/control/controllers/controller.js';
export {
  type LowerWhenRisingOptions,
  type LowerWhenRisingState,
  lowerWhenRising,
} from './training/control/controllers/lower-when-rising.js';
export {
  type RaiseWhenRisingOptions,
  type RaiseWhenRisingState,
  raiseWhenRising,
} from './training/control/controllers/raise-when-rising.js';
export type { Points, RisingOptions } from './training/control/controllers/rising.js';
export { type WarmUpOptions, type WarmUpState, warmUp } from './training/control/controllers/warm-up.js';
export { learningRateOf, setLearningRate } from './training/control/learning-rate.js';
export { property, type Setting } from './training/control/setting.js';
export { type ControlledValue, type ControlProblem, type Steering, steer } from './training/control/steer.js';
export { weightDecayOf } from './training/control/weight-decay.js';
export {
  type MinimumSharpnessOptions,
  minimumSharpness,
  type Problem,
  type SharpnessCallback,
} from './training/minimum-sharpness.js';
export { type AsamOptimizer, type AsamOptions, asam } from './training/optimizers/asam.js';
export { type SamOptimizer, type SamOptions, sam } from './training/optimizers/sam.js';
export {
  type SharpnessPenaltyOptimizer,
  type SharpnessPenaltyOptions,
  sharpnessPenalty,
} from './training/optimizers/sharpness-penalty.js';
export type { WrappedOptimizer } from './training/optimizers/wrapped-optimizer.js';
export type { Schedule } from './training/schedule.js';
export { type EarlyStopping, earlyStopping } from './training/stopping/early-stopping.js';
export type { EarlyStoppingOptions } from './training/stopping/stopping-options.js';
export { type Changed, type ChangePointOptions, changePoint } from './training/streams/change-point.js';
export { type EpochLogs, type Logged, withEpochLogs } from './training/streams/epoch-logs.js';
export {
  type ExponentialMovingAverageOptions,
  exponentialMovingAverage,
  type Smoothed,
} from './training/streams/exponential-moving-average.js';
export type { Having, Moment } from './training/streams/field.js';
export {
  type LayerScaleReading,
  type LayerTraceReading,
  layerScale,
  layerTrace,
  type ParameterTraceReading,
  parameterTrace,
} from './training/streams/layer-values.js';
export { type OnPlateau, type PlateauOptions, plateau } from './training/streams/plateau.js';
export type { Slope } from './training/streams/slope.js';
export { type Trending, type TrendOptions, trend } from './training/streams/trend.js';
