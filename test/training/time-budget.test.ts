import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timeBudget } from '../../src/training/time-budget.js';

/** A clock that moves when told to. */
function clock() {
  let time = 1000;
  return {
    now: () => time,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
  };
}

describe('timeBudget', () => {
  it('never lets readings take more than the share, whatever they cost', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        fc.array(
          fc.record({
            step: fc.double({ min: 0.1, max: 50, noNaN: true }),
            cost: fc.double({ min: 0.1, max: 400, noNaN: true }),
          }),
          {
            minLength: 50,
            maxLength: 300,
          },
        ),
        (share, steps) => {
          const { now, pass } = clock();
          const budget = timeBudget(share, now);
          budget.start();
          let [training, reading] = [0, 0];
          for (const { step, cost } of steps) {
            pass(step);
            training += step;
            if (!budget.affords()) {
              continue;
            }
            // The reading is given up when its allowance is over.
            const taken = Math.min(cost, budget.allowance());
            pass(taken);
            reading += taken;
            budget.spend(taken, taken === cost);
            expect(reading).toBeLessThanOrEqual(share * training * (1 + 1e-9));
          }
        },
      ),
    );
  });

  it('makes use of its share, also when costs rise or fall', () => {
    for (const costs of [[20], [20, 200], [200, 20]]) {
      const { now, pass } = clock();
      const budget = timeBudget(0.05, now);
      budget.start();
      let [training, reading] = [0, 0];
      for (let i = 0; i < 20_000; i++) {
        pass(5);
        training += 5;
        if (!budget.affords()) {
          continue;
        }
        const cost = costs[Math.floor((i / 20_000) * costs.length)]!;
        const taken = Math.min(cost, budget.allowance());
        pass(taken);
        reading += taken;
        budget.spend(taken, taken === cost);
      }
      expect(reading / training).toBeGreaterThan(0.045);
    }
  });

  it('tries a first reading that is too dear with four times the time each time', () => {
    const { now, pass } = clock();
    const budget = timeBudget(0.1, now);
    budget.start();
    const tried: number[] = [];
    for (let i = 0; i < 100_000 && tried.length < 4; i++) {
      pass(1);
      if (!budget.affords()) {
        continue;
      }
      const taken = budget.allowance();
      tried.push(taken);
      pass(taken);
      budget.spend(taken, false);
    }
    tried.slice(1).forEach((taken, i) => {
      expect(taken / tried[i]!).toBeCloseTo(4, 0);
    });
  });

  it('tries again when there is time for what the samples seen tell, half as much again', () => {
    const budget = timeBudget(0.1, clock().now);
    budget.start();
    budget.spend(30, false, 0.25);
    expect(budget.expected).toBe(180);
    budget.spend(200, false, 1);
    expect(budget.expected).toBe(300);
    budget.spend(100, true, 1);
    expect(budget.expected).toBe(200);
  });

  it('does not count what passes between fits', () => {
    const { now, pass } = clock();
    const budget = timeBudget(0.5, now);
    pass(1e6);
    expect(budget.allowance()).toBe(0);
    budget.start();
    pass(100);
    budget.stop();
    pass(1e6);
    expect(budget.allowance()).toBe(50);
    budget.start();
    pass(10);
    expect(budget.allowance()).toBe(55);
    budget.spend(30, true);
    // The 30 ms were part of the time that passed.
    expect(budget.allowance()).toBeCloseTo(0.5 * (110 - 30) - 30);
    expect(budget.expected).toBe(30);
  });
});
