import type { Draw } from './draw.js';

interface Entry<T> {
  readonly item: T;
  readonly size: number;
  /** x / U. */
  readonly priority: number;
}

/**
 * Priority sampling (Duffield, Lund, Thorup, "Priority sampling for estimation of arbitrary subset sums", 2007) of a stream
 * of unknown length, in one pass and with memory for the sample alone: the B items with the largest priorities x_i / U_i are
 * kept, and tau is the next largest. Given tau, item i is in the sample with probability min(1, x_i / tau).
 *
 * The inclusion probabilities that `draw` gives are calibrated to the known sum of all sizes (a ratio estimator): for the
 * n items with x_i < tau they are n x_i / (sum of the sizes below tau), which takes the randomness of tau out of the estimate.
 */
export class PriorityReservoir<T> {
  /** Sorted by falling priority up to `#sorted`; what came since stands behind. */
  readonly #entries: Entry<T>[] = [];
  #threshold = 0;
  #total = 0;

  /** @param capacity largest sample that can be drawn. */
  constructor(readonly capacity: number) {}

  /** Whether an item of this size and U would be kept, as far as is known: then `add` wants it. */
  offer(size: number, u: number, item: () => T): void {
    this.#total += size;
    const priority = size / u;
    if (size > 0 && priority > this.#threshold) {
      this.#entries.push({ item: item(), size, priority });
      if (this.#entries.length > 2 * this.capacity + 64) {
        this.compact();
      }
    }
  }

  /** Drops what can no longer be drawn. */
  compact(): void {
    this.#entries.sort((a, b) => b.priority - a.priority);
    this.#entries.length = Math.min(this.#entries.length, this.capacity + 1);
    this.#threshold = this.#entries[this.capacity]?.priority ?? 0;
  }

  /** What is kept, by falling priority; after `compact` never more than capacity + 1. */
  get items(): T[] {
    return this.#entries.map(({ item }) => item);
  }

  /** A sample of at most `count` items, as indices into `items`: the first ones, so that samples nest. */
  draw(count: number): Draw {
    this.compact();
    const size = Math.min(count, this.capacity, this.#entries.length);
    const threshold = this.#entries[size]?.priority ?? 0;
    const sizes = this.#entries.slice(0, size).map((entry) => entry.size);
    const isCertain = (x: number) => x >= threshold;
    const open = sizes.filter((x) => !isCertain(x));
    const sumOf = (x: number[]) => x.reduce((sum, value) => sum + value, 0);
    const rest = this.#total - sumOf(sizes.filter(isCertain));
    // Where certain items hold nearly all, the difference has lost its digits: pi = x / tau, uncalibrated, has not.
    const openTotal = rest > 1e-6 * this.#total ? rest : open.length * threshold;
    return {
      indices: sizes.map((_, i) => i),
      inclusion: sizes.map((x) => (isCertain(x) ? 1 : (open.length * x) / openTotal)),
    };
  }
}
