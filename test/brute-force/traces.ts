import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { lcg } from '../measure/golden-network.js';
import { type Loss, sampleJacobian, samplesOf, type WeightValues, weightValues } from './jacobian.js';
import { outputHessian } from './output-hessian.js';

/** What the package should find, by definition. */
export interface ReferenceTraces {
  /** By `Variable.originalName`, trainable weights only. */
  readonly traces: ReadonlyMap<string, number>;
  readonly total: number;
  /** z of each sample. */
  readonly logits: readonly Float64Array[];
  /** The model's own output for each sample. */
  readonly outputs: readonly Float64Array[];
  /** The smallest over the samples, see `Tape`. */
  readonly kinkDistance: number;
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((s, v, i) => s + v * b[i]!, 0);

/**
 * T_b = mean over samples of trace(J_b A J_b^T), with every Jacobian J_b formed, in float64.
 *
 * @param nudge relative change, of random sign, of every weight and every input before: tells how well the traces are
 *   determined by numbers that are rounded. `draw` tells one such change from another.
 */
export function referenceTraces(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly tf.Tensor[],
  nudge?: { readonly relative: number; readonly draw: number },
): ReferenceTraces {
  let drawn = 0;
  const nudged = (data: Float64Array) => {
    if (!nudge) {
      return data;
    }
    const u = lcg(1000 * nudge.draw + drawn++, data.length);
    return data.map((v, i) => v * (1 + (u[i]! < 0.5 ? -nudge.relative : nudge.relative)));
  };
  const values = new Map(
    [...weightValues(model)].map(([name, { shape, data }]) => [name, { shape, data: nudged(data) }]),
  );
  return tracesAt(
    model,
    loss,
    samplesOf(inputs).map((sample) => sample.map(nudged)),
    values,
  );
}

/** The same for weights and samples in float64. */
export function tracesAt(
  model: tfl.LayersModel,
  loss: Loss,
  samples: readonly (readonly Float64Array[])[],
  values: WeightValues,
): ReferenceTraces {
  const names = model.trainableWeights.map((w) => w.originalName);
  const traces = new Map(names.map((name) => [name, 0]));
  const jacobians = samples.map((sample) => {
    const { logits, output, rows, kinkDistance } = sampleJacobian(model, loss, sample, values);
    outputHessian(loss, logits).forEach((row, j) => {
      row.forEach((a, k) => {
        if (a === 0) {
          return;
        }
        for (const name of names) {
          traces.set(name, traces.get(name)! + (a * dot(rows[j]!.get(name)!, rows[k]!.get(name)!)) / samples.length);
        }
      });
    });
    return { logits, output, kinkDistance };
  });
  return {
    traces,
    total: [...traces.values()].reduce((a, b) => a + b, 0),
    logits: jacobians.map((j) => j.logits),
    outputs: jacobians.map((j) => j.output),
    kinkDistance: Math.min(...jacobians.map((j) => j.kinkDistance)),
  };
}
