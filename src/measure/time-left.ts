/** Tells how long work will still take, each time that it is told how much of it has been done. */
export type TimeLeft = (done: number, total: number | undefined) => WorkLeft | undefined;

/** How long it will take, by what it has taken. */
export interface WorkLeft {
  readonly ms: number;
  /** For how long the work has been timed, in ms. */
  readonly timed: number;
}

/**
 * By proportion: what is left takes as long, for its size, as what has been done since the work began, or began anew. What came before the
 * first of it, trials and other passes, does not count.
 */
export function timeLeft(): TimeLeft {
  let first: { readonly done: number; readonly at: number } | undefined;
  let last = 0;
  return (done, total) => {
    const now = performance.now();
    if (!first || done === 0 || done < last) {
      first = { done, at: now };
    }
    last = done;
    if (total === undefined || done === first.done) {
      return undefined;
    }
    const timed = now - first.at;
    return { ms: (timed * Math.max(0, total - done)) / (done - first.done), timed };
  };
}
