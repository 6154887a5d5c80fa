import type * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../../checks.js';
import { perturbedGradients } from './perturbed-gradients.js';
import { OptimizerWrapper } from './wrapped-optimizer.js';

/** A base that is given the gradients at perturbed weights: SAM and ASAM, which differ in how they measure distances. */
export abstract class PerturbingOptimizer extends OptimizerWrapper {
  #rho = 0;

  constructor(base: tf.Optimizer, rho: number) {
    super(base);
    this.rho = rho;
  }

  /** The diagonal of the operator T for a variable, or undefined where it is the identity. */
  protected abstract normalization(variable: tf.Variable): tf.Tensor | undefined;

  get rho(): number {
    return this.#rho;
  }

  set rho(value: number) {
    checkNumber('rho', value, { atLeast: 0 });
    this.#rho = value;
  }

  protected override get changesGradients(): boolean {
    return this.#rho > 0;
  }

  protected override gradients(loss: () => tf.Scalar, variables: tf.Variable[]) {
    return perturbedGradients(loss, variables, this.#rho, (variable) => this.normalization(variable));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rho: this.#rho };
  }
}
