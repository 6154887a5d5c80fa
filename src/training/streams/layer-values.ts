import { map, type OperatorFunction } from 'rxjs';
import type { ParameterTrace, SharpnessReading } from '../../measure/reading.js';
import type { LayerScale } from '../../symmetry/scale-minimum.js';
import type { Moment } from './field.js';

/** The trace of one weight tensor, and when it was read. */
export type ParameterTraceReading = ParameterTrace & Moment;

/** The scale of one layer, and when it was read. */
export type LayerScaleReading = LayerScale & Moment;

/** The trace of one layer, and when it was read. */
export interface LayerTraceReading extends Moment {
  readonly layer: string;
  /** Sum over the layer's trainable weight tensors. (Their standard errors do not add up: they come from the same samples.) */
  readonly trace: number;
}

function checkName(operator: string, what: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '') {
    throw new Error(`${operator}: the name of a ${what} is wanted, but it is ${String(name)}.`);
  }
}

function missing(operator: string, what: string, name: string, present: readonly string[]): Error {
  const names = [...new Set(present)].join(', ') || 'none';
  return new Error(`${operator}: the readings have no ${what} '${name}', only ${names}.`);
}

/**
 * An operator that keeps the trace of one weight tensor, with its standard error, step and epoch.
 *
 * ```ts
 * sharpness.readings$.pipe(parameterTrace('dense_1/kernel'), trend({ field: 'trace' })).subscribe(console.log);
 * ```
 *
 * Where models nested in one another have two tensors of the same name, the first in the reading counts.
 *
 * @param name as in `reading.parameters`: `Variable.originalName`.
 * @throws Error with one line, at the call, for an empty name. For a name that a reading does not have, the stream fails with a line
 *   that lists those it has.
 */
export function parameterTrace(name: string): OperatorFunction<SharpnessReading, ParameterTraceReading> {
  checkName('parameterTrace', 'weight tensor', name);
  return map(({ step, epoch, parameters }) => {
    const found = parameters.find((parameter) => parameter.name === name);
    if (found) {
      return { step, epoch, ...found };
    }
    throw missing(
      'parameterTrace',
      'weight tensor',
      name,
      parameters.map((parameter) => parameter.name),
    );
  });
}

/**
 * An operator that keeps the trace of one layer, the sum over its trainable weight tensors, with step and epoch.
 *
 * @param layer its name.
 * @throws Error with one line, at the call, for an empty name. For a layer that a reading has no trainable weights of, the stream
 *   fails with a line that lists those it has.
 */
export function layerTrace(layer: string): OperatorFunction<SharpnessReading, LayerTraceReading> {
  checkName('layerTrace', 'layer', layer);
  return map(({ step, epoch, parameters }) => {
    const found = parameters.filter((parameter) => parameter.layer === layer);
    if (found.length > 0) {
      return { step, epoch, layer, trace: found.reduce((sum, { trace }) => sum + trace, 0) };
    }
    throw missing(
      'layerTrace',
      'layer',
      layer,
      parameters.map((parameter) => parameter.layer),
    );
  });
}

/**
 * An operator that keeps the scale of one layer, `alpha`, with step and epoch: the factor by which the rescaling that attains
 * Minimum Sharpness multiplies the layer's kernel. 0 or `Infinity` where it is only approached.
 *
 * @param layer its name.
 * @throws Error with one line, at the call, for an empty name. For a layer that has no free scale in a reading, the stream fails
 *   with a line that lists those that do.
 */
export function layerScale(layer: string): OperatorFunction<SharpnessReading, LayerScaleReading> {
  checkName('layerScale', 'layer', layer);
  return map(({ step, epoch, scales }) => {
    const found = scales.find((scale) => scale.layer === layer);
    if (found) {
      return { step, epoch, ...found };
    }
    throw missing(
      'layerScale',
      'layer with a free scale',
      layer,
      scales.map((scale) => scale.layer),
    );
  });
}
