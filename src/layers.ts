/**
 * Rules of one's own: how a layer class that tf.js does not have is measured fast and exactly.
 *
 * @module tfjs-sharpness/layers
 */
export { multiplyEachColumn } from './network/layers/columns.js';
export { measuredAsWhole } from './network/layers/generic.js';
export type {
  ByColumn,
  CallWithDelta,
  Differentiable,
  Forward,
  Layer,
  NamedPlace,
  NamedScales,
  Operation,
  OuterProducts,
  Owner,
  Parameter,
  ParameterRole,
  RecordedCall,
  ScaleBehaviour,
} from './network/layers/operation.js';
export type { LayerRule, ParameterOf } from './network/layers/rule.js';
export { bySlope, type SensedCall, type Sensitivity } from './network/layers/sensitivity.js';
export { biasSquaredNorm, joinPositions, kernelSquaredNorm } from './network/layers/squared-norms.js';
export { registerLayerRule } from './network/layers/table.js';
export type { Weight } from './tfjs/weights.js';
