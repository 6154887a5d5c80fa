import { generator, permutation } from '../random-numbers.js';

/**
 * Which sample's label every sample gets: those of a random subset are shuffled among themselves, so that the classes stay as frequent
 * as they were. A label may come back to where it was, one in ten as often as not the same.
 *
 * @param ratio the subset's share of the samples, from 0 to 1.
 */
export function shuffledLabels(samples: number, ratio: number, seed: number): Int32Array {
  const random = generator(seed);
  const source = Int32Array.from({ length: samples }, (_, i) => i);
  const subset = permutation(samples, random).subarray(0, Math.round(ratio * samples));
  for (const [i, from] of permutation(subset.length, random).entries()) {
    source[subset[i]!] = subset[from]!;
  }
  return source;
}
