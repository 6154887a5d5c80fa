import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { gradientsBy } from '../../src/tfjs/gradient-tape.js';

export interface FreeScales {
  /** Trained weights and moving means that change some output, in the order of the directions' numbers. */
  readonly weights: readonly tfl.LayerVariable[];
  /** Log-scales of the weights that leave every output unchanged to first order, as many as are independent. */
  readonly directions: readonly (readonly number[])[];
}

const length = (v: readonly number[]) => Math.hypot(...v);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, c, i) => sum + c * b[i]!, 0);

/**
 * Finds the free scales of a model without any rule: one log-scale for each trained weight tensor and moving mean, and the null
 * space of the Jacobian of the outputs of many samples by these. Weights that change no output, such as the bias of a key in
 * front of a softmax, are left out.
 *
 * Gradients are tf.js', so that any layer will do, in float32: what is left of a unit vector below 1e-3 is taken for nothing.
 */
export function freeScales(model: tfl.LayersModel, inputs: tf.Tensor[]): FreeScales {
  const means = model.weights.filter(({ originalName }) => originalName.endsWith('moving_mean'));
  const all = [...model.trainableWeights, ...means];
  const columns = jacobianByLogScales(model, inputs, all);
  const longest = Math.max(...columns.map(length));
  const seen = all.map((_, b) => b).filter((b) => length(columns[b]!) > 1e-5 * longest);
  const lengths = seen.map((b) => length(columns[b]!));
  // Pivoted Gram-Schmidt on unit vectors, with what each is made of.
  let rest = seen.map((b, j) => ({
    vector: columns[b]!.map((c) => c / lengths[j]!),
    made: seen.map((_, i) => (i === j ? 1 : 0) as number),
  }));
  while (rest.length > 0) {
    const pivot = rest.reduce((most, each) => (length(each.vector) > length(most.vector) ? each : most));
    const size = length(pivot.vector);
    if (size < 1e-3) {
      break;
    }
    rest = rest
      .filter((each) => each !== pivot)
      .map(({ vector, made }) => {
        const along = dot(vector, pivot.vector) / size ** 2;
        return {
          vector: vector.map((c, i) => c - along * pivot.vector[i]!),
          made: made.map((c, i) => c - along * pivot.made[i]!),
        };
      });
  }
  return {
    weights: seen.map((b) => all[b]!),
    directions: rest.map(({ made }) => {
      const direction = made.map((c, j) => c / lengths[j]!);
      return direction.map((c) => wholeTwelfths(c / Math.max(...direction.map(Math.abs))));
    }),
  };
}

/** Powers are small fractions: what is near one is one, so that rounding does not add up over long ways. */
function wholeTwelfths(c: number): number {
  const nearest = Math.round(12 * c) / 12;
  return Math.abs(c - nearest) < 1e-3 ? nearest : c;
}

/** One column a weight: the derivative of every output of every sample by its log-scale. */
function jacobianByLogScales(
  model: tfl.LayersModel,
  inputs: tf.Tensor[],
  weights: readonly tfl.LayerVariable[],
): number[][] {
  const variables = weights.map((weight) => weight.read() as tf.Variable);
  const columns = variables.map(() => [] as number[]);
  for (let n = 0; n < inputs[0]!.shape[0]!; n++) {
    tf.tidy(() => {
      const sample = inputs.map((x) => tf.slice(x, n, 1));
      const outputs = () => tf.reshape(model.apply(sample, { training: false }) as tf.Tensor, [-1]);
      for (let k = 0; k < outputs().size; k++) {
        const gradients = gradientsBy(() => tf.sum(tf.slice(outputs(), k, 1)), variables);
        variables.forEach((variable, b) => {
          const found = gradients[b];
          columns[b]!.push(found ? tf.sum(tf.mul(found, variable)).dataSync()[0]! : 0);
        });
      }
    });
  }
  return columns;
}

/**
 * The least sum of traces over these scales, found by going along one direction after the other.
 *
 * @param traces of all trained weights, by `originalName`.
 */
export function leastTrace(
  { weights, directions }: FreeScales,
  traces: readonly { readonly name: string; readonly trace: number }[],
): number {
  const terms = traces.map(({ name, trace }) => {
    const b = weights.findIndex(({ originalName }) => originalName === name);
    return { trace, form: directions.map((direction) => direction[b] ?? 0) };
  });
  const x = directions.map(() => 0);
  const termsNow = () => terms.map(({ trace, form }) => trace * Math.exp(-2 * dot(form, x)));
  for (let round = 0; round < 2000; round++) {
    directions.forEach((_, i) => {
      // A step of Newton's method along one axis, not longer than 1.
      const now = termsNow();
      const slope = now.reduce((sum, term, b) => sum + 2 * terms[b]!.form[i]! * term, 0);
      const curve = now.reduce((sum, term, b) => sum + 4 * terms[b]!.form[i]! ** 2 * term, 0);
      x[i]! += curve > 0 ? Math.max(-1, Math.min(1, slope / curve)) : 0;
    });
  }
  return termsNow().reduce((sum, term) => sum + term, 0);
}
