import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { subjectOfModel } from '../../src/measure/subject.js';
import { minimizeOverScales } from '../../src/symmetry/scale-minimum.js';
import { type Loss, samplesOf, weightValues } from './jacobian.js';
import { tracesAt } from './traces.js';

/** A direction in weight space, by `Variable.originalName`. */
export type Direction = ReadonlyMap<string, Float64Array>;

/**
 * Minimum Sharpness along straight lines in weight space, in float64 and outside of tf.js: every Jacobian is formed, and the
 * minimum over the scales is taken anew at every point.
 */
export function sharpnessAlong(model: tfl.LayersModel, loss: Loss, inputs: readonly tf.Tensor[]) {
  const { symmetry } = subjectOfModel(model, { loss });
  const samples = samplesOf(inputs);
  const here = weightValues(model);
  const valueAt = (direction: Direction, step: number) => {
    const values = new Map(
      [...here].map(([name, { shape, data }]) => {
        const along = direction.get(name);
        return [name, { shape, data: along ? data.map((v, i) => v + step * along[i]!) : data }] as const;
      }),
    );
    const { traces } = tracesAt(model, loss, samples, values);
    const inOrder = symmetry.parameters.map(({ parameter }) => traces.get(parameter.name)!);
    return minimizeOverScales(symmetry, inOrder).value;
  };
  /** Central difference of second order. */
  const slope = (direction: Direction, step = 1e-6) =>
    (valueAt(direction, step) - valueAt(direction, -step)) / (2 * step);
  return {
    slope,
    /** d MS / d theta of one weight tensor, entry by entry. */
    gradient: (name: string) =>
      here
        .get(name)!
        .data.map((_, i, data) => slope(new Map([[name, new Float64Array(data.length).fill(1, i, i + 1)]]))),
    value: () => valueAt(new Map(), 0),
  };
}
