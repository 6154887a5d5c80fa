import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Limits, noReadingWithin, readWithin } from '../../src/training/budgeted-reading.js';
import { type TimeBudget, timeBudget } from '../../src/training/time-budget.js';

let time = 0;
beforeEach(() => {
  time = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => time);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A tenth of 1000 ms of training: 100 ms may be spent. */
function budgetOf100(): TimeBudget {
  const budget = timeBudget(0.1);
  budget.start();
  time += 1000;
  expect(budget.allowance()).toBeCloseTo(100, 9);
  return budget;
}

/** A reading of 10 samples that takes `each` ms for one. */
const reading =
  (each: number, isTotalKnown = true) =>
  async ({ signal, onProgress }: Limits) => {
    for (let samples = 1; samples <= 10 && !signal.aborted; samples++) {
      time += each;
      onProgress({ samples, total: isTotalKnown ? 10 : undefined });
    }
  };

describe('readWithin', () => {
  it('lets a reading end that keeps to its allowance, and counts what it took', async () => {
    const budget = budgetOf100();
    expect(await readWithin(budget, reading(4))).toBeUndefined();
    expect(budget.expected).toBe(40);
    expect(budget.allowance()).toBeCloseTo(60, 9);
  });

  it('lets one end that overdraws a little', async () => {
    const budget = budgetOf100();
    expect(await readWithin(budget, reading(14))).toBeUndefined();
    expect(budget.allowance()).toBeLessThan(0);
  });

  it('gives one up at the first sample that shows what all of them will take', async () => {
    const budget = budgetOf100();
    expect(await readWithin(budget, reading(16))).toBe(
      'a reading was given up after 16 ms: it would have taken more than the 100 ms left.',
    );
    expect(time).toBe(1016);
    // A tenth was seen: the whole is expected to take at least ten times as long.
    expect(budget.expected).toBeGreaterThan(160);
  });

  it('waits for the time itself where nobody knows how many samples there are', async () => {
    const budget = budgetOf100();
    const line = await readWithin(budget, reading(40, false));
    expect(line).toMatch(/^a reading was given up after 160 ms/);
  });
});

describe('noReadingWithin', () => {
  it('says what there is time for, and what the next one takes if that is known', () => {
    const budget = budgetOf100();
    expect(noReadingWithin(budget)).toBe('no reading in this epoch: readings may take 100 ms now.');
    budget.spend(300, true);
    expect(noReadingWithin(budget)).toBe(
      'no reading in this epoch: readings may take 0 ms now, and the next takes about 300 ms.',
    );
  });
});
