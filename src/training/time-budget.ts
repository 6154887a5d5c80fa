/** Keeps the time that readings take at or under a share of the time that training takes. */
export interface TimeBudget {
  /** Training begins, or goes on in another fit. */
  start(): void;
  /** Training pauses: time outside of fits counts for neither side. */
  stop(): void;
  /** Milliseconds that a reading may take now. */
  allowance(): number;
  /** Whether a reading is likely to stay within the allowance. */
  affords(): boolean;
  /** What the next reading is expected to take, in milliseconds; undefined before the first. */
  readonly expected: number | undefined;
  /**
   * Counts the time of a reading.
   *
   * @param ended false if it was given up, so that it would have taken longer.
   * @param seen share of the samples that it had seen by then, if that is known.
   */
  spend(milliseconds: number, ended: boolean, seen?: number): void;
}

/** Share of the last reading's cost in what the next is expected to take, when costs fall. */
const FORGET = 0.5;
/** A reading that was given up is tried again with this many times its allowance, where no more is known. */
const RETRY = 4;
/** What a reading takes, over a pass over its samples: some are run backward too, and it shall not be given up again. */
const BEYOND_PASS = 1.5;
/** Below this a first reading is not worth trying, in milliseconds. */
const LEAST = 20;

/**
 * At any time, the readings so far and the next one together stay under `share` of the training so far. What the next one
 * costs is taken from the last ones: from a dearer one at once, from cheaper ones by and by. Of the first nothing is known: it is
 * tried as soon as there is time for something, and given up when it takes much longer than its allowance.
 *
 * @param share of the training time, above 0.
 * @param now the clock, in milliseconds.
 */
export function timeBudget(share: number, now: () => number = () => performance.now()): TimeBudget {
  let running: number | undefined;
  let elapsed = 0;
  let spent = 0;
  let expected: number | undefined;
  /** Training and readings so far. */
  const total = () => elapsed + (running === undefined ? 0 : now() - running);
  const allowance = () => share * (total() - spent) - spent;
  return {
    start() {
      running ??= now();
    },
    stop() {
      elapsed = total();
      running = undefined;
    },
    allowance,
    affords: () => allowance() >= Math.max(LEAST, expected ?? 0),
    get expected() {
      return expected;
    },
    spend(milliseconds, ended, seen) {
      spent += milliseconds;
      const whole = seen ? (BEYOND_PASS * milliseconds) / seen : RETRY * milliseconds;
      const next = ended ? milliseconds : whole;
      expected = expected === undefined || next > expected ? next : expected + FORGET * (next - expected);
    },
  };
}
