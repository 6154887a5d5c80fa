import type { Weight } from '../tfjs/weights.js';
import { fingerprintOfBytes, fingerprintOfData } from './fingerprint.js';

/** Of the values of all weights, bit by bit, their shapes and their order. Their names do not count. All are read at once, at the call. */
export async function fingerprintOf(weights: readonly Weight[]): Promise<string> {
  const read = weights.map(async (weight) => {
    const tensor = weight.read();
    const { shape, dtype } = tensor;
    return { shape, dtype, values: fingerprintOfBytes(await tensor.data()) };
  });
  return fingerprintOfData(await Promise.all(read));
}
