import * as tf from '@tensorflow/tfjs-core';
import type { Samples } from './samples.js';

/** One of several parts of the data, which follow each other and are of equal size but for one sample. */
export interface DataShare {
  /** From 0. */
  readonly index: number;
  readonly of: number;
}

/** Samples from `begin` to before `end`, of `total`. */
export interface Rows {
  readonly begin: number;
  readonly end: number;
  readonly total: number;
}

/**
 * The samples of a share.
 *
 * @throws Error with one line where there are fewer samples than shares.
 */
export function rowsOfShare({ index, of }: DataShare, total: number): Rows {
  if (total < of) {
    throw new Error(`${total} samples cannot be measured in ${of} parts: pass fewer, --shards ${Math.max(1, total)}.`);
  }
  return { begin: Math.floor((index * total) / of), end: Math.floor(((index + 1) * total) / of), total };
}

/**
 * @param name what to call the tensor in messages.
 * @returns a tensor of its own.
 * @throws Error with one line for another number of samples than `total`: a part of it would be of other samples than the inputs.
 */
export function tensorRows<T extends tf.Tensor>(name: string, tensor: T, { begin, end, total }: Rows): T {
  checkTotal(name, tensor.shape, total);
  return tf.slice(tensor, begin, end - begin);
}

/** The same for what lies in a file. */
export function sampleRows(name: string, { shape, values }: Samples, { begin, end, total }: Rows): Samples {
  checkTotal(name, shape, total);
  const size = values.length / total;
  return { shape: [end - begin, ...shape.slice(1)], values: values.subarray(begin * size, end * size) };
}

function checkTotal(name: string, [samples]: readonly number[], total: number): void {
  if (samples !== total) {
    throw new Error(`${name} has ${samples} samples, but the data have ${total}: pass one for each.`);
  }
}
