/** The finalizer of MurmurHash3: every bit of the input changes every bit of the output with probability near 1/2. */
function mix(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Odd, near 2^32 / golden ratio: multiples of it are spread evenly. */
const GOLDEN = 0x9e3779b9;
const WORD = 2 ** 32;

/**
 * A random number of (0, 1) for each index, a pure function of the seed: any part of the sequence can be had in any order,
 * and no generator of the user's, such as Math.random, moves.
 *
 * @param seed a safe integer.
 * @param index a safe integer of at least 0.
 * @returns a multiple of 2^-53, neither 0 nor 1.
 */
export function uniform(seed: number, index: number): number {
  return uniforms(seed)(index);
}

/** The same for many indices of one seed: what depends on the seed alone is worked out once. */
export function uniforms(seed: number): (index: number) => number {
  const key = mix(mix(seed % WORD) + Math.floor(seed / WORD));
  let block = -1;
  let keyOfHigh = 0;
  let keyOfLow = 0;
  return (index) => {
    const blockOfIndex = Math.floor(index / WORD);
    if (blockOfIndex !== block) {
      block = blockOfIndex;
      keyOfHigh = mix(key + Math.imul(GOLDEN, 1 + block));
      keyOfLow = mix(keyOfHigh ^ GOLDEN);
    }
    const place = Math.imul(GOLDEN, index % WORD);
    const high = mix(keyOfHigh + place);
    const low = mix(keyOfLow + place);
    // 52 bits and a half, so that every value is exact.
    return (high * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52;
  };
}
