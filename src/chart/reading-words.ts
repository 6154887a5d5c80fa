import type { SharpnessReading } from '../measure/reading.js';
import type { Problem } from '../training/problems.js';

/** A reading as a chart takes it: operators and workers may have left parts of it behind. */
export type ChartReading = Pick<SharpnessReading, 'minimumSharpness'> & Partial<SharpnessReading>;

/** Half the 95% interval in standard errors: Student's quantile for the fewest degrees of freedom that a reliable reading has, 20. */
export const HALF_INTERVAL = 2.086;

/** A number in few digits, as Infinity and NaN too. */
export const digits = (value: number, count = 4): string => String(Number(value.toPrecision(count)));

/** `batch 375, epoch 3`: epochs as tf.js' own output counts them. */
export function whenOf(step: number, epoch?: number): string {
  return epoch === undefined ? `batch ${digits(step, 15)}` : `batch ${digits(step, 15)}, epoch ${epoch + 1}`;
}

/** `27.42 ± 1.1`, with half the 95% interval. */
export function sharpnessOf({ minimumSharpness, standardError, reliable }: ChartReading): string {
  const error = standardError !== undefined && standardError > 0;
  const half = error ? ` ± ${digits(HALF_INTERVAL * standardError, 2)}` : '';
  return `${digits(minimumSharpness)}${half}${error && reliable === false ? ', error not reliable' : ''}`;
}

/** `Minimum Sharpness 27.42 ± 1.1, trace 31.2` */
export function valuesOf(reading: ChartReading): string {
  return `Minimum Sharpness ${legendText(reading, true)}`;
}

/** `skipped: the loss of ... is not known` */
export const problemLine = ({ kind, message }: Pick<Problem, 'kind' | 'message'>): string => `${kind}: ${message}`;

/** The trace of each layer, the sum over its weight tensors, and its alpha where its scale is free; in the order of the network. */
export function layersOf(reading: ChartReading): Map<string, { trace?: number; alpha?: number }> {
  const layers = new Map<string, { trace?: number; alpha?: number }>();
  const at = (layer: string) => {
    const found = layers.get(layer) ?? {};
    layers.set(layer, found);
    return found;
  };
  for (const { layer, trace } of reading.parameters ?? []) {
    const values = at(layer);
    values.trace = (values.trace ?? 0) + trace;
  }
  for (const { layer, alpha } of reading.scales ?? []) {
    at(layer).alpha = alpha;
  }
  return layers;
}

/** `27.42 ± 1.1, trace 31.2` */
export function legendText(reading: ChartReading, hasTrace: boolean): string {
  const trace = hasTrace && reading.trace !== undefined ? `, trace ${digits(reading.trace)}` : '';
  return `${sharpnessOf(reading)}${trace}`;
}

/** ` trace 12.3, alpha 0.98` */
export function layerText(values: { readonly trace?: number; readonly alpha?: number } | undefined): string {
  const trace = values?.trace === undefined ? [] : [`trace ${digits(values.trace, 3)}`];
  const alpha = values?.alpha === undefined ? [] : [`alpha ${digits(values.alpha, 3)}`];
  return ` ${[...trace, ...alpha].join(', ')}`;
}
