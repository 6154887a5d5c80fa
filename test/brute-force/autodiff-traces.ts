import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Loss } from './jacobian.js';
import { outputHessian } from './output-hessian.js';

/** The loss of one output, which has to be z itself. */
export interface ReferenceHead {
  readonly loss: Loss;
  readonly lossWeight?: number;
  /** One weight a sample and position, sample by sample; default 1. */
  readonly weights?: readonly number[];
}

/** The tf.Variable inside of a layer's. */
const raw = (weight: tfl.LayerVariable) => (weight as unknown as { val: tf.Variable }).val;

/**
 * T_b by definition, with tf.js' own gradient of every number that the model puts out:
 *
 *     mean over n of  sum over heads, positions t of  lossWeight weight_{n,t} / P  trace(J_{n,t,b} A(z_{n,t}) J_{n,t,b}^T).
 *
 * A is formed in float64, the rest on the cpu backend, which has every gradient. Slow, for small models.
 *
 * @param model one whose outputs are the z of the heads.
 * @param inputs [N, ...] each.
 * @returns by `Variable.originalName`.
 */
export async function autodiffTraces(
  model: tfl.LayersModel,
  heads: readonly ReferenceHead[],
  inputs: readonly tf.Tensor[],
): Promise<Map<string, number>> {
  const backend = tf.getBackend();
  await tf.setBackend('cpu');
  const traces = tracesOf(model, heads, inputs);
  await tf.setBackend(backend);
  return traces;
}

function tracesOf(
  model: tfl.LayersModel,
  heads: readonly ReferenceHead[],
  inputs: readonly tf.Tensor[],
): Map<string, number> {
  const weights = model.trainableWeights;
  const traces = new Map(weights.map(({ originalName }) => [originalName, 0]));
  const [samples] = inputs[0]!.shape;
  for (let n = 0; n < samples!; n++) {
    tf.tidy(() => {
      const sample = inputs.map((x) => tf.slice(x, n, 1));
      const outputs = () => [model.predict(sample)].flat() as tf.Tensor[];
      heads.forEach(({ loss, lossWeight = 1, weights: given }, h) => {
        const z = outputs()[h]!;
        const classes = z.shape.at(-1)!;
        const positions = z.size / classes;
        const values = z.dataSync();
        for (let t = 0; t < positions; t++) {
          const rows = Array.from({ length: classes }, (_, k) =>
            gradient(() => outputs()[h]!, t * classes + k, weights),
          );
          const curvature = outputHessian(loss, Float64Array.from(values.slice(t * classes, (t + 1) * classes)));
          const share = (lossWeight * (given?.[n * positions + t] ?? 1)) / positions / samples!;
          for (const { originalName: name } of weights) {
            let trace = 0;
            curvature.forEach((row, j) => {
              row.forEach((a, k) => {
                trace += a * dot(rows[j]!.get(name)!, rows[k]!.get(name)!);
              });
            });
            traces.set(name, traces.get(name)! + share * trace);
          }
        }
      });
    });
  }
  return traces;
}

function gradient(
  output: () => tf.Tensor,
  index: number,
  weights: readonly tfl.LayerVariable[],
): Map<string, Float64Array> {
  const one = () => tf.reshape(tf.slice(tf.reshape(output(), [-1]), index, 1), []) as tf.Scalar;
  const { grads, value } = tf.variableGrads(one, weights.map(raw));
  const rows = weights.map((weight): [string, Float64Array] => {
    const found = grads[raw(weight).name];
    const size = weight.shape.reduce<number>((product, n) => product * n!, 1);
    return [weight.originalName, found ? Float64Array.from(found.dataSync()) : new Float64Array(size)];
  });
  tf.dispose([grads, value]);
  return new Map(rows);
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) {
    total += a[i]! * b[i]!;
  }
  return total;
}
