import type { Observable } from 'rxjs';
import type { Problem } from '../training/problems.js';
import type { ChartReading } from './reading-words.js';

/** Where readings come from: a stream of them, or what has one: the callback, a monitor. `problems$` become marks. */
export type ChartSource =
  | Observable<ChartReading>
  | { readonly readings$: Observable<ChartReading>; readonly problems$?: Observable<Problem> };

/**
 * The streams of a source; undefined where there is none.
 *
 * @throws Error with one line for what has no stream of readings.
 */
export function streamsOf(source: ChartSource | undefined): Extract<ChartSource, { readings$: unknown }> | undefined {
  if (source === undefined) {
    return undefined;
  }
  const isObject = (typeof source === 'object' || typeof source === 'function') && source !== null;
  const streams = isObject && 'readings$' in source ? source : { readings$: source };
  if (typeof streams.readings$?.subscribe !== 'function') {
    throw new Error('sharpnessChart: the stream of readings is missing. Pass the callback, or its readings$.');
  }
  return streams;
}
