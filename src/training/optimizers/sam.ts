import type * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions } from '../../checks.js';
import { PerturbingOptimizer } from './perturbing-optimizer.js';
import { registerOptimizer, type WrappedOptimizer } from './wrapped-optimizer.js';

export interface SamOptions {
  /** How far to look for a higher loss: the length of the perturbation, in units of the weights. Default 0.05, the paper's usual value. */
  readonly rho?: number;
}

const knownOptions = { rho: true } satisfies Record<keyof SamOptions, true>;

/** What {@link sam} returns. */
export interface SamOptimizer extends WrappedOptimizer {
  /** As in {@link SamOptions}. May be changed between steps; 0 is plain training. */
  rho: number;
}

/**
 * Sharpness-Aware Minimization: `base` is given the gradient not at the weights w, but where a step of length rho uphill
 * leads,
 *
 *     w + rho g / ||g||,   g the gradient of the loss at w,
 *
 * so that it heads for weights in whose neighbourhood the loss is low everywhere. The norm is over all trained weights
 * together. (Foret, Kleiner, Mobahi, Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving Generalization",
 * arXiv 2010.01412, equation 2 with p = 2 and algorithm 1.)
 *
 * ```ts
 * model.compile({ optimizer: sam(tf.train.adam(1e-3)), loss: 'categoricalCrossentropy' });
 * ```
 *
 * A step computes the loss and its gradient twice, on the same minibatch and with the same dropout masks and noise. Loss and
 * metrics that `fit` reports, and the moving averages of batch normalization, are those at w. Regularizers are part of the loss.
 * A step that throws leaves the weights as they were.
 *
 * In a loop of your own, `optimizer.minimize(loss)` is such a step, and so is `optimizer.computeGradients(loss)` with
 * `optimizer.applyGradients`. The gradients of `tf.variableGrads` are those at w: applied, they make a plain step of the base, and
 * the first one is a console warning.
 *
 * The optimizer is saved and loaded with its model (`includeOptimizer: true`) where the base can be, and goes on bit for bit; a
 * program that loads it calls {@link registerOptimizers} first. `dispose` disposes the base.
 *
 * @throws Error with one line for a rho that is no finite number of at least 0, for a base that is no tf.js optimizer
 *   (a name, say), is wrapped already or belongs to another copy of tf.js; and, in the first step, for a model with
 *   stateful recurrent layers.
 */
export function sam(base: tf.Optimizer, options: SamOptions = {}): SamOptimizer {
  checkKnownOptions('sam', options, knownOptions);
  return new Sam(base, options);
}

export class Sam extends PerturbingOptimizer implements SamOptimizer {
  static readonly className = 'SAM';
  constructor(base: tf.Optimizer, { rho = 0.05 }: SamOptions) {
    super(base, rho);
  }

  protected override normalization(): undefined {
    return undefined;
  }
}
registerOptimizer(Sam);
