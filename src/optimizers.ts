/**
 * Optimizers that look for flat minima: SAM, ASAM, and the penalty on Minimum Sharpness with its gradient. `registerOptimizers` lets
 * `tf.loadLayersModel` load models that were saved with one of them.
 *
 * @module tfjs-sharpness/optimizers
 */
export {
  type GradientColumns,
  type GradientOptions,
  type MinimumSharpnessGradients,
  minimumSharpnessGradients,
} from './measure/sharpness-gradients.js';
export { type AsamOptimizer, type AsamOptions, asam } from './training/optimizers/asam.js';
export { registerOptimizers } from './training/optimizers/registered-optimizers.js';
export { type SamOptimizer, type SamOptions, sam } from './training/optimizers/sam.js';
export {
  type SharpnessPenaltyOptimizer,
  type SharpnessPenaltyOptions,
  sharpnessPenalty,
} from './training/optimizers/sharpness-penalty.js';
export type { WrappedOptimizer } from './training/optimizers/wrapped-optimizer.js';
