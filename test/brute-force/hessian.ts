import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Loss, sampleJacobian, samplesOf, type WeightValues, weightValues } from './jacobian.js';
import { lossValue } from './output-hessian.js';

/** d l / d z of one sample by central differences of the loss in float64, good to about 1e-9. */
function outputGradient(loss: Loss, z: Float64Array, labels: Float64Array): Float64Array {
  const h = 1e-5;
  return z.map((_, k) => {
    const at = (step: number) => lossValue(loss, z.with(k, z[k]! + step), labels);
    return (at(h) - at(-h)) / (2 * h);
  });
}

/** d l_n / d z_n of each sample. */
function residuals(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly tf.Tensor[],
  labels: readonly Float64Array[],
  values: WeightValues,
): Float64Array[] {
  return samplesOf(inputs).map((sample, n) =>
    outputGradient(loss, sampleJacobian(model, loss, sample, values).logits, labels[n]!),
  );
}

/** Gradient of (1/N) sum_n <r_n, z_n> by each weight, in float64. */
function weightedGradient(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly tf.Tensor[],
  r: readonly Float64Array[],
  values: WeightValues,
): Map<string, Float64Array> {
  const gradient = new Map([...values].map(([name, { data }]) => [name, new Float64Array(data.length)]));
  const samples = samplesOf(inputs);
  samples.forEach((sample, n) => {
    const { rows } = sampleJacobian(model, loss, sample, values);
    for (const [k, factor] of r[n]!.entries()) {
      for (const [name, sum] of gradient) {
        const row = rows[k]!.get(name)!;
        for (let i = 0; i < sum.length; i++) {
          sum[i]! += (factor * row[i]!) / samples.length;
        }
      }
    }
  });
  return gradient;
}

/** Weights moved by h v, for v by name; those without a v stay. */
function movedBy(values: WeightValues, v: ReadonlyMap<string, Float64Array>, h: number): WeightValues {
  return new Map(
    [...values].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((w, i) => w + h * (v.get(name)?.[i] ?? 0)) },
    ]),
  );
}

/**
 * H v for the Hessian H of the mean loss, from gradients in float64 that are differentiated once more by differences.
 *
 * @param labels one row a sample, as `lossValue` takes them.
 * @param part 'whole', or 'network' for the Hessian less the Gauss-Newton matrix: d l / d z stays what it is.
 */
export function hessianTimes(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly tf.Tensor[],
  labels: readonly Float64Array[],
  v: ReadonlyMap<string, Float64Array>,
  part: 'whole' | 'network' = 'whole',
): Map<string, Float64Array> {
  const values = weightValues(model);
  // The differences of `outputGradient` want a longer step. A short one crosses no kink.
  const h = part === 'whole' ? 1e-5 : 1e-8;
  const gradientAt = (step: number) => {
    const moved = movedBy(values, v, step);
    const r = residuals(model, loss, inputs, labels, part === 'whole' ? moved : values);
    return weightedGradient(model, loss, inputs, r, moved);
  };
  const [up, down] = [gradientAt(h), gradientAt(-h)];
  return new Map([...up].map(([name, g]) => [name, g.map((gi, i) => (gi - down.get(name)![i]!) / (2 * h))]));
}

/** Trace of each trained block of the Hessian of the mean loss, one coordinate at a time. */
export function hessianTraces(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly tf.Tensor[],
  labels: readonly Float64Array[],
): Map<string, number> {
  return new Map(
    model.trainableWeights.map((weight) => {
      const name = weight.originalName;
      const size = weight.read().size;
      let trace = 0;
      for (let i = 0; i < size; i++) {
        const unit = new Float64Array(size);
        unit[i] = 1;
        trace += hessianTimes(model, loss, inputs, labels, new Map([[name, unit]])).get(name)![i]!;
      }
      return [name, trace];
    }),
  );
}
