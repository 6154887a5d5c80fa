import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { gradientsEvenFrozen } from '../../src/tfjs/gradient-tape.js';

export interface FreeScales {
  /** How many factors of whole weight tensors can be chosen, to first order. */
  readonly free: number;
  /** The shortest remainder of a tensor that is not free and the longest of one that is: how clear the answer is. */
  readonly gap: readonly [number, number];
}

/**
 * Counts the free scales of a model without any rule: one log-scale for each trained weight tensor and moving mean, and as many
 * directions as leave every output of every sample unchanged to first order. Tensors that change no output, such as the bias of
 * a key in front of a softmax, are left out.
 *
 * Gradients are tf.js', so that any layer will do, in float32: what is left of a unit vector below 1e-3 is taken for nothing.
 */
export function countFreeScales(model: tfl.LayersModel, inputs: tf.Tensor[]): FreeScales {
  const means = model.weights.filter(({ originalName }) => originalName.endsWith('moving_mean'));
  const variables = [...model.trainableWeights, ...means].map((weight) => weight.read() as tf.Variable);
  const samples = inputs[0]!.shape[0]!;
  const columns = variables.map(() => [] as number[]);
  for (let n = 0; n < samples; n++) {
    const sample = inputs.map((x) => tf.slice(x, n, 1));
    const output = () => tf.reshape(model.apply(sample, { training: false }) as tf.Tensor, [-1]);
    const size = tf.tidy(() => output().size);
    for (let k = 0; k < size; k++) {
      tf.tidy(() => {
        const { grads } = gradientsEvenFrozen(() => tf.sum(tf.slice(output(), k, 1)) as tf.Scalar, variables);
        variables.forEach((variable, b) => {
          const found = grads[variable.name];
          columns[b]!.push(found ? tf.sum(tf.mul(found, variable)).dataSync()[0]! : 0);
        });
      });
    }
    tf.dispose(sample);
  }
  const length = (v: readonly number[]) => Math.hypot(...v);
  const longest = Math.max(...columns.map(length));
  // Pivoted Gram-Schmidt on unit vectors.
  let rest = columns.filter((v) => length(v) > 1e-5 * longest).map((v) => v.map((c) => c / length(v)));
  let kept = Number.POSITIVE_INFINITY;
  while (rest.length > 0) {
    const lengths = rest.map(length);
    const most = Math.max(...lengths);
    if (most < 1e-3) {
      return { free: rest.length, gap: [kept, most] };
    }
    kept = most;
    const pivot = rest[lengths.indexOf(most)]!.map((c) => c / most);
    rest = rest
      .filter((_, i) => i !== lengths.indexOf(most))
      .map((v) => {
        const along = v.reduce((sum, c, i) => sum + c * pivot[i]!, 0);
        return v.map((c, i) => c - along * pivot[i]!);
      });
  }
  return { free: 0, gap: [kept, 0] };
}
