import { concatMap, defer, merge, type Observable, type OperatorFunction } from 'rxjs';
import type { Moment } from './field.js';

/** What `fit` logged of one epoch. */
export interface EpochLogs {
  /** Training batches seen at the end of the epoch, counted as for readings. */
  readonly step: number;
  /** Zero-based epoch. */
  readonly epoch: number;
  /** How many of the batches belong to this epoch. */
  readonly batches: number;
  /** `loss`, `acc`, `val_loss` and whatever else was logged, as numbers. */
  readonly logs: Readonly<Record<string, number>>;
}

/** What {@link withEpochLogs} adds to a reading. */
export interface Logged {
  /** What was logged of the epoch that the reading was taken in. */
  readonly logs: EpochLogs['logs'];
}

/**
 * An operator that adds to every reading what `fit` logged of the same epoch: loss, accuracy, validation.
 *
 * ```ts
 * sharpness.readings$
 *   .pipe(withEpochLogs(sharpness.logs$))
 *   .subscribe(({ minimumSharpness, logs }) => console.log(logs.loss, minimumSharpness));
 * ```
 *
 * A reading waits for the end of its epoch, when the logs come: then all readings of the epoch are emitted, in their order.
 * Readings and logs belong together by the step, step - batches < reading's step <= step, and not by the number of the
 * epoch, which begins anew in every fit. A reading whose epoch never ends, because `fit` threw, is dropped, and so is one without a
 * step, which belongs to no epoch.
 *
 * @param logs$ of the callback that the readings come from.
 * @throws Error with one line, at the call, if `logs$` is not a stream.
 */
export function withEpochLogs<T extends Moment>(logs$: Observable<EpochLogs>): OperatorFunction<T, T & Logged> {
  if (typeof logs$?.subscribe !== 'function') {
    throw new Error('withEpochLogs: the stream of epoch logs is missing. Pass it: withEpochLogs(sharpness.logs$).');
  }
  return (readings$) =>
    defer(() => {
      type Stepped = T & { readonly step: number };
      let waiting: Stepped[] = [];
      let last: EpochLogs | undefined;
      const isOf = (ended: EpochLogs, { step }: Stepped) => ended.step - ended.batches < step && step <= ended.step;
      const join = ({ logs }: EpochLogs, reading: Stepped): T & Logged => ({ ...reading, logs });
      const read = (reading: T) => {
        if (reading.step === undefined) {
          return [];
        }
        const stepped = reading as Stepped;
        // Late: replayed after the logs, or delayed.
        if (last !== undefined && isOf(last, stepped)) {
          return [join(last, stepped)];
        }
        waiting.push(stepped);
        return [];
      };
      const end = (ended: EpochLogs) => {
        last = ended;
        const joined = waiting.filter((reading) => isOf(ended, reading)).map((reading) => join(ended, reading));
        waiting = waiting.filter(({ step }) => step > ended.step);
        return joined;
      };
      return merge(readings$.pipe(concatMap(read)), logs$.pipe(concatMap(end)));
    });
}
