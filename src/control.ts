/**
 * Steering by sharpness: controllers turn readings into the learning rate, weight decay or any other number.
 *
 * @module tfjs-sharpness/control
 */
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
export type { Points, Rise, RisingOptions } from './training/control/controllers/rising.js';
export { type WarmUpOptions, type WarmUpState, warmUp } from './training/control/controllers/warm-up.js';
export { learningRateOf, setLearningRate } from './training/control/learning-rate.js';
export { property, type Setting } from './training/control/setting.js';
export { type ControlledValue, type ControlProblem, type Steering, steer } from './training/control/steer.js';
export { weightDecayOf } from './training/control/weight-decay.js';
