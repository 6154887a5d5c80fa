/**
 * Minimum Sharpness of a TensorFlow.js network: one measurement, a callback for `model.fit`, a monitor for other training loops, and
 * early stopping. Runs wherever tf.js does.
 *
 * @module tfjs-sharpness
 */
export { atEqualLoss, type LossAndSharpness, type SharpnessAtLoss } from './measure/at-equal-loss.js';
export { type DescribeOptions, describeSymmetries } from './measure/describe-symmetries.js';
export type { Eigenvalue, TopEigenvalues } from './measure/eigenvalue.js';
export type {
  DatasetInputs,
  LabelledInputs,
  NamedTensors,
  SampleWeight,
  SampleWeights,
  TensorInputs,
} from './measure/inputs.js';
export type { KerasLossName, Loss, Losses, LossMultiple, LossWeights, NamedLoss } from './measure/loss.js';
export type { RowNotes } from './measure/loss-inputs.js';
export {
  type FunctionBlock,
  type FunctionBlocks,
  type FunctionOfVariables,
  type MeasureFunctionOptions,
  measureFunctionSharpness,
  type SampleFunction,
} from './measure/measure-function.js';
export { measureSharpness, type SharpnessInputs } from './measure/measure-sharpness.js';
export type { MeasureMethod, MeasureOptions, MeasureProgress } from './measure/options.js';
export type { ParameterTrace, SharpnessReading } from './measure/reading.js';
export type { SampledLoss, SharpnessSample } from './measure/sample-form.js';
export type { ClassWeight, ClassWeights, Weighting } from './measure/sample-weights.js';
export {
  type MergeOptions,
  mergeSharpnessSamples,
  sampleSharpness,
} from './measure/sharpness-sample.js';
export type { LossFactor, LossName } from './network/output-hessian.js';
export type { PinnedLayer, ScaleGroup, SymmetryDescription } from './symmetry/description.js';
export type { LayerScale } from './symmetry/scale-minimum.js';
export type { PartOfSamples } from './traces/pairs/sampled-traces.js';
export type { LossSums } from './traces/trace-sums.js';
export type { MinimumSharpnessOptions } from './training/callback-options.js';
export { minimumSharpness, type SharpnessCallback } from './training/minimum-sharpness.js';
export type { Monitor } from './training/monitor.js';
export type { FunctionMonitorOptions, MonitorOptions } from './training/monitor-options.js';
export type { Problem } from './training/problems.js';
export type { Schedule } from './training/schedule.js';
export { sharpnessMonitor } from './training/sharpness-monitor.js';
export { type EarlyStopping, earlyStopping } from './training/stopping/early-stopping.js';
export type { EarlyStoppingOptions } from './training/stopping/stopping-options.js';
export type { StoppingState } from './training/stopping/stopping-state.js';
export type { EpochLogs } from './training/streams/epoch-logs.js';
