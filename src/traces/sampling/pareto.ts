import { atOnce, type Walk } from '../../network/walk.js';
import type { Draw } from './draw.js';

/** Items between two stops: about a millisecond. */
const ITEMS = 2 ** 16;
const isStop = (i: number) => i % ITEMS === ITEMS - 1;

/**
 * The factor c for which inclusion probabilities pi_i = min(1, c x_i) add up to the number of items wanted.
 *
 * @param sizes x_i >= 0.
 * @param count the sum of the pi_i, above 0.
 * @returns c; Infinity when no more than `count` sizes are above 0, so that all of these are certain.
 */
export function inclusionFactor(sizes: ArrayLike<number>, count: number): number {
  return atOnce(findingFactor(sizes, count));
}

/** `inclusionFactor`, piece by piece. */
function* findingFactor(sizes: ArrayLike<number>, count: number): Walk<number> {
  let factor = 0;
  // Each round makes those certain that the factor of the round before takes above 1; the factor only grows.
  for (let certain = -1; ; ) {
    let full = 0;
    let rest = 0;
    for (let i = 0; i < sizes.length; i++) {
      if (factor * sizes[i] >= 1) {
        full++;
      } else {
        rest += sizes[i];
      }
      if (isStop(i)) {
        yield;
      }
    }
    if (rest === 0) {
      return Number.POSITIVE_INFINITY;
    }
    if (full === certain || full >= count) {
      return factor;
    }
    certain = full;
    factor = (count - full) / rest;
  }
}

/**
 * Pareto sampling (Rosen, "On sampling with probability proportional to size", 1997): a sample of fixed size with inclusion
 * probabilities pi_i = min(1, c x_i) to very good approximation. Certain items (pi = 1) are taken; of the others, the
 * n = count - #certain with the smallest
 *
 *     Q_i = [U_i / (1 - U_i)] [(1 - pi_i) / pi_i].
 *
 * With the same U_i, larger samples nearly contain smaller ones.
 *
 * @param sizes x_i >= 0; items of size 0 are never drawn.
 * @param count a whole number, at least 1.
 * @param uniform U_i of (0, 1) for each item.
 */
export function paretoSample(...all: Parameters<typeof paretoSampling>): Draw {
  return atOnce(paretoSampling(...all));
}

/** `paretoSample`, piece by piece: a set may have millions of pairs. */
export function* paretoSampling(
  sizes: ArrayLike<number>,
  count: number,
  uniform: (index: number) => number,
): Walk<Draw> {
  const factor = yield* findingFactor(sizes, count);
  const rank = (i: number) => {
    const u = uniform(i);
    const inclusion = factor * sizes[i];
    return (u / (1 - u)) * ((1 - inclusion) / inclusion);
  };
  const certain: number[] = [];
  let open = 0;
  for (let i = 0; i < sizes.length; i++) {
    if (factor * sizes[i] >= 1) {
      certain.push(i);
    } else if (sizes[i] > 0) {
      open++;
    }
    if (isStop(i)) {
      yield;
    }
  }
  const ranks = new Map<number, number>();
  // About `count` ranks are below 1, so most items need be neither kept nor sorted.
  for (let limit = 2; ranks.size < Math.min(count - certain.length, open); limit *= 8) {
    for (let i = 0; i < sizes.length; i++) {
      if (sizes[i] > 0 && factor * sizes[i] < 1) {
        const q = rank(i);
        if (q <= limit) {
          ranks.set(i, q);
        }
      }
      if (isStop(i)) {
        yield;
      }
    }
  }
  const drawn = [...ranks].sort(([, a], [, b]) => a - b).slice(0, Math.max(0, count - certain.length));
  const indices = [...certain, ...drawn.map(([i]) => i)].sort((a, b) => a - b);
  return { indices, inclusion: indices.map((i) => Math.min(1, factor * sizes[i])) };
}
