import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { isOfThisEngine } from './copies.js';
import { compiledModel } from './model-graph.js';

/** What training gave the loss of one output. The caller disposes it. */
export interface RecordedLoss {
  /** As `fit` was given it. */
  readonly target: tf.Tensor;
  /**
   * What each sample, [N], or position, [N, ...positions], counts in the mean that is minimised: fit's weights of classes, or 1.
   * Undefined where a loss function of the user's own puts something out that has neither form.
   */
  readonly weights: tf.Tensor | undefined;
}

/** Keeps what the losses of a model are given in training, where a callback does not see it. */
export interface LossRecorder {
  /** Keeps the last training step from here on; what was kept goes. */
  record(): void;
  stop(): void;
  /** Whether something is kept. */
  readonly holds: boolean;
  /** Whether the losses listened to are those that the model is compiled with now. */
  readonly isCurrent: boolean;
  /** One entry an output; undefined for outputs whose loss no trained weight has a part in. */
  take(): (RecordedLoss | undefined)[];
  /** Puts the model back as it was and disposes what is kept. */
  remove(): void;
}

type LossFunction = (target: tf.Tensor, output: tf.Tensor) => tf.Tensor;
type Listener = (output: number, recorded: RecordedLoss) => void;

/** A model whose loss functions are listened to. */
interface TappedLosses {
  /** Those who listen, and whether they do so now. */
  readonly listeners: Map<Listener, () => boolean>;
  readonly restore: () => void;
}

// One tap a model, whatever the number of recorders: so they can be removed in any order.
const tappedLosses = new WeakMap<object, TappedLosses>();

/**
 * Listens to the loss functions of a model.
 *
 * `fit` calls `lossFunctions[i](target, output)`, multiplies the result by what `classWeight` makes of the targets, and takes the
 * mean, of all outputs together. So the weights are in no argument; but they are what the gradient of the mean by the result is, times
 * the number of samples and positions. Each function gets an identity behind it, which sees that gradient: in validation there is none.
 *
 * @param model compiled.
 */
export function recordLosses(model: tfl.LayersModel): LossRecorder {
  let recording = false;
  let kept = new Map<number, RecordedLoss>();
  const listener: Listener = (output, recorded) => {
    dispose(kept.get(output));
    kept.set(output, recorded);
  };
  const lossFunctions = lossFunctionsOf(model);
  const tapped = lossFunctions && (tappedLosses.get(lossFunctions) ?? tapLosses(lossFunctions));
  tapped?.listeners.set(listener, () => recording);
  const take = () => {
    recording = false;
    const taken = kept;
    kept = new Map();
    return model.outputs.map((_, output) => taken.get(output));
  };
  return {
    record() {
      take().forEach(dispose);
      recording = true;
    },
    stop() {
      recording = false;
    },
    get holds() {
      return kept.size > 0;
    },
    get isCurrent() {
      return lossFunctionsOf(model) === lossFunctions;
    },
    take,
    remove() {
      take().forEach(dispose);
      if (tapped?.listeners.delete(listener) && tapped.listeners.size === 0) {
        tapped.restore();
      }
    },
  };
}

/** One an output; `compile` makes a new array. */
function lossFunctionsOf(model: tfl.LayersModel): LossFunction[] | undefined {
  return (compiledModel(model) as unknown as { readonly lossFunctions?: LossFunction[] }).lossFunctions;
}

function dispose(recorded: RecordedLoss | undefined): void {
  tf.dispose([recorded?.target, recorded?.weights].filter((each) => each !== undefined));
}

/** @param lossFunctions of a compiled model. */
function tapLosses(lossFunctions: LossFunction[]): TappedLosses {
  const originals = [...lossFunctions];
  const tapping = originals.map(
    (lossFunction, place): LossFunction =>
      (target, output) => {
        const loss = lossFunction(target, output);
        const listening = [...tapped.listeners].filter(([, listens]) => listens());
        // Tensors of another engine would break here, and training with them.
        return listening.length === 0 || !isOfThisEngine(loss)
          ? loss
          : whenSentBack(loss, (gradient) => {
              for (const [listener] of listening) {
                const weights = weightsFrom(gradient, output.shape);
                listener(place, { target: tf.keep(target.clone()), weights: weights && tf.keep(weights) });
              }
            });
      },
  );
  lossFunctions.splice(0, originals.length, ...tapping);
  const tapped: TappedLosses = {
    listeners: new Map(),
    restore() {
      tappedLosses.delete(lossFunctions);
      // Someone else may have put their own in: theirs stay.
      tapping.forEach((each, place) => {
        if (lossFunctions[place] === each) {
          lossFunctions[place] = originals[place];
        }
      });
    },
  };
  tappedLosses.set(lossFunctions, tapped);
  return tapped;
}

/** The same tensor, and a look at its gradient. */
function whenSentBack(loss: tf.Tensor, look: (gradient: tf.Tensor) => void): tf.Tensor {
  return tf.customGrad((x) => ({
    value: (x as tf.Tensor).clone(),
    gradFunc: (dy: tf.Tensor) => {
      look(dy);
      return dy.clone();
    },
  }))(loss);
}

/**
 * Weights from the gradient of the mean loss by the losses of the samples.
 *
 * @param gradient in the shape of the losses: [N, ...positions], [N], or a scalar where the loss function takes the mean itself.
 * @param output [N, ...positions, K].
 */
function weightsFrom(gradient: tf.Tensor, [samples, ...ofSample]: readonly number[]): tf.Tensor | undefined {
  const rows = [samples, ...ofSample.slice(0, -1)];
  const startsAs = (shape: readonly number[]) => shape.every((size, axis) => size === gradient.shape[axis]);
  return tf.tidy(() => {
    if (gradient.rank === 0) {
      return tf.tile(tf.reshape(gradient, [1]), [samples]);
    }
    if (gradient.rank >= rows.length && startsAs(rows)) {
      const ofRows = gradient.shape.slice(rows.length).map((_, i) => rows.length + i);
      const sums = ofRows.length > 0 ? tf.sum(gradient, ofRows) : gradient;
      return tf.mul(sums, sums.size);
    }
    return gradient.rank === 1 && startsAs([samples]) ? tf.mul(gradient, samples) : undefined;
  }) as tf.Tensor | undefined;
}
