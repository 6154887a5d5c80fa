/**
 * RxJS operators for the readings of `minimumSharpness`: moving average, trend, plateau, change point, one layer.
 *
 * @module tfjs-sharpness/streams
 */
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
