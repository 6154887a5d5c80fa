/**
 * What Minimum Sharpness is compared with: other measures of how flat a minimum is, or how large a network.
 *
 * @module tfjs-sharpness/measures
 */
export { type AdaptiveSharpnessOptions, adaptiveSharpness } from './measures/adaptive-sharpness.js';
export {
  type DiagonalBlock,
  type DiagonalOptions,
  type GaussNewtonDiagonal,
  gaussNewtonDiagonal,
} from './measures/gauss-newton-diagonal.js';
export { type NoiseOptions, type NoiseSharpness, noiseFromTrace, noiseSharpness } from './measures/noise-sharpness.js';
export { type NormalizedMatrix, normalizedSharpness } from './measures/normalized-sharpness.js';
export { type ModelNormalizedSharpness, normalizedSharpnessOf } from './measures/normalized-sharpness-of.js';
export { frobeniusNorm, pathNorm } from './measures/norms.js';
export type { LossOfWeights, Weights } from './measures/other-weights.js';
