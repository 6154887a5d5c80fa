import { digits } from '../measure/digits.js';
import { halfInterval } from '../measure/half-interval.js';
import type { SharpnessReading } from '../measure/reading.js';
import type { Problem } from '../training/problems.js';

/** A reading as a chart takes it: operators and workers may have left parts of it behind. */
export type ChartReading = Pick<SharpnessReading, 'minimumSharpness'> & Partial<SharpnessReading>;

const COLLAPSED = 'the network has collapsed, so that a small value is no sign of a good minimum';

/** `batch 375, epoch 3`: epochs as tf.js' own output counts them. */
export function whenOf(step: number, epoch?: number, unit: 'batch' | 'step' = 'batch'): string {
  return `${unit} ${digits(step, 15)}${epoch === undefined ? '' : `, epoch ${epoch + 1}`}`;
}

/** `27.42 ± 1.1`, with half the 95% interval; and what makes it no number to go by. */
export function sharpnessOf({ minimumSharpness, standardError, reliable, collapsed }: ChartReading): string {
  const error = standardError !== undefined && standardError > 0;
  const half = error ? ` ± ${digits(halfInterval({ standardError }), 2)}` : '';
  const doubt = error && reliable === false ? ', error not reliable' : '';
  return `${digits(minimumSharpness)}${half}${doubt}${collapsed ? ', collapsed' : ''}`;
}

/**
 * What is to be marked of a reading: a value that is not finite, where the line breaks, or a network that has collapsed. Undefined where
 * nothing is.
 */
export function markOf(
  { minimumSharpness, trace = 0, collapsed }: ChartReading,
  hasTrace: boolean,
): (Pick<Problem, 'kind'> & { readonly text: string }) | undefined {
  if (!Number.isFinite(minimumSharpness)) {
    return { kind: 'failed', text: `Minimum Sharpness is ${minimumSharpness}` };
  }
  if (hasTrace && !Number.isFinite(trace)) {
    return { kind: 'failed', text: `the trace is ${trace}` };
  }
  return collapsed ? { kind: 'skipped', text: COLLAPSED } : undefined;
}

/** `Minimum Sharpness 27.42 ± 1.1, trace 31.2` */
export function valuesOf(reading: ChartReading): string {
  return `Minimum Sharpness ${legendText(reading, true)}`;
}

/** `skipped: the loss of ... is not known` */
export const problemLine = ({ kind, message }: Pick<Problem, 'kind' | 'message'>): string => `${kind}: ${message}`;

/** What a chart shows of a layer. */
export interface LayerNumbers {
  trace?: number;
  alpha?: number;
}

/** The trace of each layer, the sum over its weight tensors, and its alpha where its scale is free; in the order of the network. */
export function layersOf(reading: ChartReading): Map<string, LayerNumbers> {
  const layers = new Map<string, LayerNumbers>();
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
export function layerText({ trace, alpha }: LayerNumbers): string {
  const words = [
    trace === undefined ? '' : `trace ${digits(trace, 3)}`,
    alpha === undefined ? '' : `alpha ${digits(alpha, 3)}`,
  ];
  return ` ${words.filter((each) => each !== '').join(', ')}`;
}

/** ` 12.3, α 0.98`: the same where several runs stand in one line. */
export const shortLayerText = (numbers: LayerNumbers): string =>
  layerText(numbers).replace('trace ', '').replace('alpha', 'α');
