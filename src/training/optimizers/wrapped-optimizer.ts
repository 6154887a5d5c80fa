import * as tf from '@tensorflow/tfjs-core';
import { checkTensorsOfThisEngine } from '../../tfjs/copies.js';
import {
  assignLearningRate,
  isMadeBy,
  learningRateIn,
  tensorsOfOptimizer,
  unsavedVariables,
} from '../../tfjs/optimizer-fields.js';
import { snapshotVariables } from '../../tfjs/saved-weights.js';
import { allVariables } from '../../tfjs/weights.js';
import { warnOnce } from '../../warnings.js';
import { repeatableLoss } from './repeatable-loss.js';

/**
 * What a wrapped optimizer adds to its base: which gradients the base applies. `tf.variableGrads`, the gradients of the loss
 * itself, is one; it stands for plain training.
 *
 * It is called once a step, inside of a `tf.tidy`. It must call `loss` at least once, may call it again with other
 * values in the variables (see `repeatableLoss`), and must leave the variables as they were. `value`, the loss that
 * `fit` reports, should be that of the first call. `grads` go by the variables' names; variables without an entry stay.
 */
export type LossGradients = (
  loss: () => tf.Scalar,
  variables: tf.Variable[],
) => { value: tf.Scalar; grads: tf.NamedTensorMap };

/** What all wrapped optimizers can do. */
export interface WrappedOptimizer extends tf.Optimizer {
  /** The optimizer that applies the gradients. It keeps its state, and counts the steps. */
  readonly base: tf.Optimizer;
  /** The base's, where it has one. */
  learningRate: number;
}

/** A subclass has a `className` of its own, says its options in `getConfig`, and is registered with `registerOptimizer`. */
export abstract class OptimizerWrapper extends tf.Optimizer implements WrappedOptimizer {
  readonly base: tf.Optimizer;
  /** Gradients that this optimizer has computed, and whether it has computed any since it was last given some to apply. */
  readonly #computed = new WeakSet<tf.Tensor>();
  #hasComputed = false;
  readonly #warn = warnOnce('tfjs-sharpness');

  constructor(base: tf.Optimizer) {
    super();
    checkBase(base);
    this.base = base;
  }

  protected abstract gradients(...args: Parameters<LossGradients>): ReturnType<LossGradients>;

  /** Whether its gradients are others than those of the loss. */
  protected abstract readonly changesGradients: boolean;

  get learningRate(): number {
    return learningRateIn(this.base) as number;
  }

  set learningRate(value: number) {
    if (!assignLearningRate(this.base, value)) {
      throw new Error(`${this.base.getClassName()} has no learning rate that could be set.`);
    }
  }

  override get iterations(): number {
    return this.base.iterations;
  }

  /** One step. A step that throws leaves weights, moving averages and the base's state as they were. */
  override minimize(loss: () => tf.Scalar, returnCost = false, variables?: tf.Variable[]): tf.Scalar | null {
    return tf.tidy(() => {
      const restore = snapshotVariables();
      try {
        return super.minimize(loss, returnCost, variables) as tf.Scalar;
      } catch (error) {
        restore();
        throw error;
      }
    });
  }

  override computeGradients(loss: () => tf.Scalar, variables?: tf.Variable[]): ReturnType<LossGradients> {
    const chosen = variables ?? allVariables().filter(({ trainable }) => trainable);
    checkTensorsOfThisEngine('the model', chosen);
    const computed = tf.tidy(() => this.gradients(repeatableLoss(loss), chosen));
    this.#hasComputed = true;
    for (const gradient of Object.values(computed.grads)) {
      if (gradient) {
        this.#computed.add(gradient); // a variable that is not trained has none
      }
    }
    return computed;
  }

  /** Applies gradients as they are: those of `computeGradients`, perhaps averaged or clipped. */
  override applyGradients(gradients: Parameters<tf.Optimizer['applyGradients']>[0]): void {
    const tensors = Array.isArray(gradients) ? gradients.map(({ tensor }) => tensor) : Object.values(gradients);
    if (
      this.changesGradients &&
      !this.#hasComputed &&
      !tensors.every((tensor) => !tensor || this.#computed.has(tensor))
    ) {
      const name = this.getClassName();
      this.#warn(
        `${name} was given gradients to apply that it has not computed, such as those of tf.variableGrads: such a step is a plain one of ` +
          `${this.base.getClassName()}. Use optimizer.minimize(loss), or optimizer.computeGradients(loss) in place of tf.variableGrads.`,
      );
    }
    this.#hasComputed = false;
    this.base.applyGradients(gradients);
  }

  override dispose(): void {
    this.base.dispose();
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { base: { className: this.base.getClassName(), config: this.base.getConfig() } };
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const counters = Object.entries(unsavedVariables(this.base)).map(([name, tensor]) => ({
      name: COUNTER + name,
      tensor,
    }));
    return [...(await this.base.getWeights()), ...counters];
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const isCounter = ({ name }: NamedTensor) => name.startsWith(COUNTER);
    await this.base.setWeights(weights.filter((weight) => !isCounter(weight)));
    const counters = unsavedVariables(this.base);
    for (const { name, tensor } of weights.filter(isCounter)) {
      counters[name.slice(COUNTER.length)]?.assign(tensor);
    }
  }
}

/** Begins the names of variables that the base's own weights lack. */
const COUNTER = 'base/';

type NamedTensor = Awaited<ReturnType<tf.Optimizer['getWeights']>>[number];
type Config = Readonly<Record<string, unknown>>;

/**
 * Lets `tf.loadLayersModel` make the optimizer of a model that was saved with it: from the base as it was, and the rest of
 * its `getConfig`.
 */
export function registerOptimizer<Options>(subclass: {
  readonly className: string;
  new (base: tf.Optimizer, options: Options): OptimizerWrapper;
}): void {
  const fromConfig = (_: unknown, { base, ...options }: Config) =>
    new subclass(optimizerFrom(base as { className: string; config: Config }), options as Options);
  const registered = Object.assign(subclass, { fromConfig });
  tf.serialization.registerClass(registered as unknown as Parameters<typeof tf.serialization.registerClass>[0]);
}

function optimizerFrom({ className, config }: { className: string; config: Config }): tf.Optimizer {
  const entry = tf.serialization.SerializationMap.getMap().classNameMap[className];
  if (entry === undefined) {
    throw new Error(`Register the optimizer class ${className} with tf.serialization.registerClass before loading it.`);
  }
  const [optimizerClass, fromConfig] = entry;
  return fromConfig(optimizerClass, config as tf.serialization.ConfigDict) as tf.Optimizer;
}

/** @throws Error with one line for what cannot be wrapped. */
function checkBase(base: tf.Optimizer): void {
  const given: unknown = base;
  if (given == null || !(given instanceof tf.Optimizer)) {
    const what = typeof given === 'string' ? `the name '${given}'` : `${given === null ? null : typeof given}`;
    throw new Error(`The optimizer to wrap must be one such as tf.train.adam(0.001), but it is ${what}.`);
  }
  if (isMadeBy(OptimizerWrapper, given)) {
    throw new Error(`The optimizer to wrap is wrapped already, by ${given.getClassName()}: give the one inside of it.`);
  }
  checkTensorsOfThisEngine('the optimizer', tensorsOfOptimizer(given));
}
