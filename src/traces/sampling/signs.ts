import { uniforms } from './uniform.js';

/** Random signs, +1 or -1 with the same probability: numbers `first`, `first + 1`, ... of the sequence of a seed. */
export function randomSigns(seed: number, first: number, count: number): Float32Array {
  const uniform = uniforms(seed);
  return Float32Array.from({ length: count }, (_, i) => (uniform(first + i) < 0.5 ? -1 : 1));
}
