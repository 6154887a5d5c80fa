import type { Weight } from '../tfjs/weights.js';

const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;

/** A word that changes, nearly for sure, when a bit of some weight does (FNV-1a over 32-bit words). */
export async function fingerprintOf(weights: readonly Weight[]): Promise<string> {
  let hash = FNV_BASIS;
  for (const weight of weights) {
    const values = await weight.read().data();
    const words = new Uint32Array(Float32Array.from(values).buffer);
    for (const word of words) {
      hash = Math.imul(hash ^ word, FNV_PRIME);
      // A product carries bits upwards only.
      hash ^= hash >>> 15;
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
