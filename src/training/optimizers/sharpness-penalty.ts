import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkNumber, checkOneOf, checkWhole } from '../../checks.js';
import { checkLoss, lossNameOf, type NamedLoss } from '../../measure/loss.js';
import { disposeMinibatch, isFit, type Minibatch } from '../../measure/minibatch.js';
import {
  checkGradientsPass,
  type GradientColumns,
  sharpnessGradientKernel,
} from '../../measure/sharpness-gradients.js';
import { recordLosses } from '../../tfjs/loss-recorder.js';
import { recordMinibatches } from '../../tfjs/minibatch-recorder.js';
import { modelOfLoss } from '../../tfjs/trained-model.js';
import { uniform } from '../../traces/sampling/uniform.js';
import { reasonOf, warnOnce } from '../../warnings.js';
import { OptimizerWrapper, registerOptimizer, type WrappedOptimizer } from './wrapped-optimizer.js';

export interface SharpnessPenaltyOptions {
  /** Weight of the penalty: training minimises loss + lambda MS. At least 0, in units of the loss per unit of Minimum Sharpness. */
  readonly lambda: number;
  /**
   * The model that will be trained. With it, a layer that cannot be penalized is refused at once; without it, in the first step,
   * which is when the optimizer finds out what it trains.
   */
  readonly model?: tfl.LayersModel;
  /** The penalty is added in every k-th step, and k times as strong, so that its mean does not depend on k. Default 1. */
  readonly every?: number;
  /** How many samples of the minibatch, the first ones, the penalty is computed on. Default 32. */
  readonly samples?: number;
  /**
   * `'sign'` (default): one backward row a sample, a combination of all columns of the output Hessian with random signs.
   * `'all'`: every column, without that noise, at about as many times the cost as the network has outputs.
   */
  readonly columns?: GradientColumns;
  /** The loss whose curvature counts, for several outputs one each in their order. Default: what the model was compiled with. */
  readonly loss?: NamedLoss | readonly NamedLoss[];
  /** Chooses the random signs, together with the step: a whole number, default 0. */
  readonly seed?: number;
}

const knownOptions = {
  lambda: true,
  model: true,
  every: true,
  samples: true,
  columns: true,
  loss: true,
  seed: true,
} satisfies Record<keyof SharpnessPenaltyOptions, true>;

/** What {@link sharpnessPenalty} returns. */
export interface SharpnessPenaltyOptimizer extends WrappedOptimizer {
  /** As in {@link SharpnessPenaltyOptions}. May be changed between steps; 0 is plain training. */
  lambda: number;
}

/**
 * Training on loss + lambda MS: `base` is given the gradient of the loss plus lambda times the gradient of Minimum Sharpness on
 * a part of the same minibatch,
 *
 *     d MS / d theta = sum_b exp(-2 e_b . s*) d T_b / d theta,
 *
 * with the rescaling s* held at its optimum (envelope theorem; Ibayashi, Hamaguchi, Imaizumi, arXiv 2106.12612, for MS).
 * Unlike a penalty on the plain trace it cannot be lowered by moving scale from one layer to another. A penalty in every k-th
 * step is k times as strong, as with the "lazy regularization" of Karras et al., arXiv 1912.04958.
 *
 * ```ts
 * const optimizer = sharpnessPenalty(tf.train.adam(1e-3), { model, lambda: 0.01 });
 * model.compile({ optimizer, loss: 'categoricalCrossentropy' });
 * ```
 *
 * Loss and metrics that `fit` reports are those of plain training, without the penalty. It sees the network as inference runs
 * it, without dropout and with the moving statistics of batch normalization, which it does not move. The weights of classes that
 * `fit` is given count in it, and the sums of rows of labels, as in the loss; regularizers do not. With `'sign'`, the
 * scales are those that fit the noisy traces of this minibatch.
 *
 * Gradients pass through Dense, Conv1D and Conv2D without dilation, BatchNormalization, max and average pooling (also
 * global), Add, Concatenate, Flatten, Reshape and other layers that only rearrange, Dropout, and the activations relu, relu6, leaky
 * relu, tanh, sigmoid and softmax. All others are refused, since tf.js has no second derivative for them that can be
 * relied on.
 *
 * A penalty that fails in a later step, or is not a finite number, is left out: that step is plain training, and the first
 * time the reason is a console warning. A step waits for the values of the traces (`dataSync`).
 *
 * The optimizer is saved and loaded with its model (`includeOptimizer: true`) where the base can be; a program that loads it
 * calls {@link registerOptimizers} first. The model itself is not part of it: the loaded optimizer finds it in its first step.
 * `dispose` disposes the base.
 *
 * @throws Error with one line for options out of range, a base that cannot be wrapped (see {@link sam}), and a model that has not
 *   been built or has a layer that cannot be penalized; in the first step, before any weight has moved, also for a loss that is not
 *   known or does not fit the last activation.
 */
export function sharpnessPenalty(base: tf.Optimizer, options: SharpnessPenaltyOptions): SharpnessPenaltyOptimizer {
  checkKnownOptions('sharpnessPenalty', options, knownOptions);
  return new SharpnessPenalty(base, options);
}

/** Said once, whatever the reasons: they may name a number that differs from step to step. */
const PLAIN_STEPS = 'steps without a penalty';

export class SharpnessPenalty extends OptimizerWrapper implements SharpnessPenaltyOptimizer {
  static readonly className = 'SharpnessPenalty';
  #lambda = 0;
  readonly #options: Required<Pick<SharpnessPenaltyOptions, 'every' | 'samples' | 'columns' | 'seed'>> & {
    loss?: SharpnessPenaltyOptions['loss'];
  };
  #model: tfl.LayersModel | undefined;
  #kernel: { readonly of: readonly unknown[]; readonly run: ReturnType<typeof sharpnessGradientKernel> } | undefined;
  readonly #warn = warnOnce('tfjs-sharpness, sharpnessPenalty');

  constructor(base: tf.Optimizer, options: SharpnessPenaltyOptions) {
    super(base);
    const { lambda, model, every = 1, samples = 32, columns = 'sign', loss, seed = 0 } = options ?? {};
    this.lambda = lambda as number;
    checkWhole('every', every, { atLeast: 1 });
    checkWhole('samples', samples, { atLeast: 1 });
    checkOneOf('columns', columns, ['sign', 'all']);
    checkWhole('seed', seed);
    if (loss != null) {
      checkLoss(loss);
    }
    if (model !== undefined) {
      checkGradientsPass(model);
    }
    this.#model = model;
    this.#options = { every, samples, columns, seed, loss: namesOf(loss) };
  }

  get lambda(): number {
    return this.#lambda;
  }

  set lambda(value: number) {
    checkNumber('lambda', value, { atLeast: 0 });
    this.#lambda = value;
  }

  protected override get changesGradients(): boolean {
    return this.#lambda > 0;
  }

  protected override gradients(loss: () => tf.Scalar, variables: tf.Variable[]) {
    if (this.#lambda === 0 || this.iterations % this.#options.every !== 0) {
      return tf.variableGrads(loss, variables);
    }
    const { value, grads, model, minibatch } = this.#plainGradients(loss, variables);
    try {
      const kernel = this.#kernelFor(model, variables);
      try {
        return { value, grads: this.#added(grads, kernel, model, minibatch) };
      } catch (error) {
        this.#warn(`${PLAIN_STEPS}, because ${reasonOf(error)}`, PLAIN_STEPS);
        return { value, grads };
      }
    } finally {
      disposeMinibatch(minibatch);
    }
  }

  /** The gradients of the loss itself, and the minibatch that they are of. */
  #plainGradients(loss: () => tf.Scalar, variables: tf.Variable[]) {
    let model = this.#model;
    let plain: ReturnType<typeof tf.variableGrads> | undefined;
    if (model === undefined) {
      plain = tf.variableGrads(() => {
        const found = modelOfLoss(loss);
        model = found.model;
        return found.value;
      }, variables);
    }
    if (model === undefined) {
      throw new Error('sharpnessPenalty cannot find out which model is trained: pass { model }.');
    }
    // Where the model has just been found: once more, to see the minibatch.
    const seen = recordedGradients(model, loss, variables);
    if (seen.minibatch === undefined) {
      throw new Error(
        `sharpnessPenalty saw no minibatch: the step was not one of the model it was given, '${model.name}'.`,
      );
    }
    this.#model = model;
    return { ...(plain ?? seen.plain), model, minibatch: seen.minibatch };
  }

  /** Made anew where other weights are trained than before, or another loss. */
  #kernelFor(model: tfl.LayersModel, variables: readonly tf.Variable[]) {
    const of = [model.loss, ...variables];
    if (this.#kernel?.of.length !== of.length || this.#kernel.of.some((each, i) => each !== of[i])) {
      this.#kernel = { of, run: sharpnessGradientKernel(model, this.#options.loss) };
    }
    return this.#kernel.run;
  }

  #added(
    grads: tf.NamedTensorMap,
    kernel: ReturnType<typeof sharpnessGradientKernel>,
    model: tfl.LayersModel,
    { inputs, losses }: Minibatch,
  ): tf.NamedTensorMap {
    const { every, samples, columns, seed } = this.#options;
    const strength = this.#lambda * every;
    // The same signs for a step that is run again after loading.
    const seedOfStep = Math.floor(uniform(seed, this.iterations) * Number.MAX_SAFE_INTEGER);
    const partOf = (x: tf.Tensor) => tf.slice(x, 0, Math.min(samples, x.shape[0]));
    const part = {
      inputs: inputs.map(partOf),
      losses: losses.map(
        (each, i) =>
          each && {
            ...(isFit(each, model.outputs[i]) && { target: partOf(each.target) }),
            ...(each.weights && { weights: partOf(each.weights) }),
          },
      ),
    };
    const { parameters } = kernel(part, columns, seedOfStep);
    const squares = tf.addN(parameters.map(({ gradient }) => tf.sum(tf.square(gradient))));
    if (!Number.isFinite(squares.dataSync()[0])) {
      throw new Error('the gradient of Minimum Sharpness is not finite.');
    }
    const all = { ...grads };
    for (const { name, gradient } of parameters) {
      if (all[name] != null) {
        all[name] = tf.add(all[name], tf.mul(gradient, strength));
      }
    }
    return all;
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { loss, ...options } = this.#options;
    return {
      ...super.getConfig(),
      lambda: this.#lambda,
      ...options,
      ...(loss ? { loss: loss as string | string[] } : {}),
    };
  }
}
registerOptimizer(SharpnessPenalty);

/** Losses by their names, which can be saved. */
function namesOf(loss: SharpnessPenaltyOptions['loss'] | null): SharpnessPenaltyOptions['loss'] {
  const nameOf = (each: NamedLoss) => lossNameOf(each) ?? each;
  return Array.isArray(loss) ? loss.map(nameOf) : loss == null ? undefined : nameOf(loss as NamedLoss);
}

/** Gradients of a step of the model, and the minibatch that it saw; undefined if it was another model's step. */
function recordedGradients(model: tfl.LayersModel, loss: () => tf.Scalar, variables: tf.Variable[]) {
  const [recorder, losses] = [recordMinibatches(model), recordLosses(model)];
  try {
    recorder.record();
    losses.record();
    const plain = tf.variableGrads(loss, variables);
    const inputs = recorder.take();
    return { plain, minibatch: inputs && { inputs, losses: losses.take() } };
  } finally {
    recorder.remove();
    losses.remove();
  }
}
