import * as tf from '@tensorflow/tfjs-core';
import type { SharpnessReading } from '../measure/reading.js';

/** What `fit` tells callbacks of a batch or an epoch. Metrics are scalars until someone needs their value; History disposes them. */
export type Logs = Record<string, number | tf.Tensor>;

/** A field of the logs, if it is there and a number. */
export async function loggedValue(logs: Logs, field: string | undefined): Promise<number | undefined> {
  const logged: unknown = field === undefined ? undefined : logs[field];
  if (logged instanceof tf.Tensor) {
    return (await logged.data())[0];
  }
  return typeof logged === 'number' ? logged : undefined;
}

/** All fields that are numbers, in their order. */
export async function loggedValues(logs: Logs): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const field of Object.keys(logs)) {
    const value = await loggedValue(logs, field);
    if (value !== undefined) {
      values[field] = value;
    }
  }
  return values;
}

/** Means over batches, field by field, each over the batches that have the field. */
export interface MeanValues {
  add(values: Readonly<Record<string, number>>): void;
  readonly isEmpty: boolean;
  values(): Record<string, number>;
}

export function meanValues(): MeanValues {
  const sums = new Map<string, { sum: number; count: number }>();
  return {
    add(values) {
      for (const [field, value] of Object.entries(values)) {
        const { sum, count } = sums.get(field) ?? { sum: 0, count: 0 };
        sums.set(field, { sum: sum + value, count: count + 1 });
      }
    },
    get isEmpty() {
      return sums.size === 0;
    },
    values: () => Object.fromEntries([...sums].map(([field, { sum, count }]) => [field, sum / count])),
  };
}

/** Fields of epoch logs that hold no reading of that epoch. */
const notRead = new WeakMap<Logs, Set<string>>();

/**
 * Says that a field of an epoch's logs holds no reading of this epoch: one that is carried forward, or NaN. The logs are one object
 * for all callbacks, so that those after this one can know; a loop may use it for several epochs.
 */
export function sayNotRead(logs: Logs, field: string, isSo = true): void {
  const fields = notRead.get(logs) ?? new Set();
  if (isSo) {
    fields.add(field);
  } else {
    fields.delete(field);
  }
  notRead.set(logs, fields);
}

/** Whether that was said. */
export function isNotRead(logs: Logs, field: string): boolean {
  return notRead.get(logs)?.has(field) === true;
}

/** Readings whose value stands in epoch logs, by the field. */
const readingsIn = new WeakMap<Logs, Map<string, SharpnessReading>>();

/** Says that a field of an epoch's logs is the value of a reading of this epoch. */
export function sayRead(logs: Logs, field: string, reading: SharpnessReading): void {
  readingsIn.set(logs, (readingsIn.get(logs) ?? new Map()).set(field, reading));
}

/** The reading of which that was said: undefined where a field comes from somewhere else. */
export function readingIn(logs: Logs, field: string): SharpnessReading | undefined {
  return readingsIn.get(logs)?.get(field);
}
