import * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions, checkNumber } from '../../checks.js';
import { PerturbingOptimizer } from './perturbing-optimizer.js';
import { registerOptimizer, type WrappedOptimizer } from './wrapped-optimizer.js';

export interface AsamOptions {
  /** How far to look for a higher loss, relative to the sizes of the weights. The authors' code has 0.5. */
  readonly rho: number;
  /** Added to the size of every weight, so that small ones are moved too. In units of the weights. Default 0.01. */
  readonly eta?: number;
}

const knownOptions = { rho: true, eta: true } satisfies Record<keyof AsamOptions, true>;

/** What {@link asam} returns. */
export interface AsamOptimizer extends WrappedOptimizer {
  /** As in {@link AsamOptions}. May be changed between steps; 0 is plain training. */
  rho: number;
  /** As in {@link AsamOptions}. */
  readonly eta: number;
}

/**
 * Adaptive Sharpness-Aware Minimization: as {@link sam}, but every weight is moved in proportion to its size, so that
 * rescaling the layers of a network (see `measureSharpness`) does not change how far rho reaches. `base` is given the
 * gradient at
 *
 *     w + rho T^2 g / ||T g||,   g the gradient of the loss at w,   T = |w| + eta
 *
 * element by element. (Kwon, Kim, Park, Choi, "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of
 * Deep Neural Networks", arXiv 2102.11600, with p = 2.)
 *
 * Of the paper's two operators this is the element-wise one, as in the authors' code (github.com/SamsungLabs/ASAM), not
 * the filter-wise. As there, T = 1 for biases and the beta of a normalization; kernels, gammas, embeddings and all other
 * variables have their sizes. Biases are known by their variables' names, which end in `bias` or `beta`.
 *
 * ```ts
 * model.compile({ optimizer: asam(tf.train.sgd(0.1), { rho: 0.5 }), loss: 'categoricalCrossentropy' });
 * ```
 *
 * @throws Error with one line for a rho or an eta that is no finite number of at least 0, and where {@link sam} does.
 */
export function asam(base: tf.Optimizer, options: AsamOptions): AsamOptimizer {
  checkKnownOptions('asam', options, knownOptions);
  return new Asam(base, options);
}

export class Asam extends PerturbingOptimizer implements AsamOptimizer {
  static readonly className = 'ASAM';
  readonly eta: number;

  constructor(base: tf.Optimizer, options: AsamOptions) {
    super(base, options?.rho);
    const eta = options.eta ?? 0.01;
    checkNumber('eta', eta, { atLeast: 0 });
    this.eta = eta;
  }

  protected override normalization(variable: tf.Variable): tf.Tensor | undefined {
    // tf.js appends _1, _2, ... to a name that is taken.
    const isBias = /(^|\/)(bias|beta)(_\d+)?$/.test(variable.name);
    return isBias ? undefined : tf.add(tf.abs(variable), this.eta);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), eta: this.eta };
  }
}
registerOptimizer(Asam);
