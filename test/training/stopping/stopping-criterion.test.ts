import { describe, expect, it } from 'vitest';
import {
  type Comparison,
  change,
  notWaiting,
  plateau,
  worsensAsLossFalls,
} from '../../../src/training/stopping/stopping-criterion.js';

const plain: Comparison = { lowerIsBetter: true, minDelta: 0, standardErrors: 0, smoothing: 0 };
const at = (value: number, variance = 0, count = 1) => ({ value, variance, count });

describe('a change', () => {
  it.each<[string, number, number, Partial<Comparison>, 'better' | 'worse' | 'same']>([
    ['down', 1, 2, {}, 'better'],
    ['up', 2, 1, {}, 'worse'],
    ['down, where higher is better', 1, 2, { lowerIsBetter: false }, 'worse'],
    ['up, where higher is better', 2, 1, { lowerIsBetter: false }, 'better'],
    ['none', 1, 1, {}, 'same'],
    ['down by minDelta', 1, 1.5, { minDelta: 0.5 }, 'same'],
    ['down by more than minDelta', 1, 1.75, { minDelta: 0.5 }, 'better'],
    ['up by minDelta', 1.5, 1, { minDelta: 0.5 }, 'same'],
    ['up by more than minDelta', 1.75, 1, { minDelta: 0.5 }, 'worse'],
    ['to NaN', Number.NaN, 1, {}, 'same'],
    ['from NaN', 1, Number.NaN, {}, 'same'],
    ['from infinity', 1, Number.POSITIVE_INFINITY, {}, 'better'],
    ['from infinity to infinity', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, {}, 'same'],
  ])('%s', (_, later, earlier, options, expected) => {
    expect(change(at(later), at(earlier), { ...plain, ...options })).toBe(expected);
  });

  it('within the standard errors of the difference is none', () => {
    // Errors 3 and 4: that of the difference is 5.
    const [later, earlier] = [at(0, 9, 2), at(11, 16, 1)];
    expect(change(later, earlier, plain)).toBe('better');
    expect(change(later, earlier, { ...plain, standardErrors: 2 })).toBe('better');
    expect(change(later, earlier, { ...plain, standardErrors: 2.2 })).toBe('same');
    expect(change(later, earlier, { ...plain, standardErrors: 2, minDelta: 11 })).toBe('same');
    expect(change(at(22, 9, 2), earlier, { ...plain, standardErrors: 2 })).toBe('worse');
  });
});

/** How many steps are told of until it stops; Infinity if it never does. */
function stepsUntilStop(
  criterion: ReturnType<typeof plateau>,
  values: readonly number[],
  losses: readonly number[] = [],
) {
  let best = Number.POSITIVE_INFINITY;
  let waiting = notWaiting;
  for (const [i, value] of values.entries()) {
    const improved = value < best;
    if (improved) {
      best = value;
    }
    // What it is given stays as it was.
    waiting = criterion(Object.freeze(waiting), { current: at(value, 0, i + 1), improved, loss: losses[i] ?? 0 });
    if (waiting.stops) {
      return i + 1;
    }
  }
  return Number.POSITIVE_INFINITY;
}

describe('plateau', () => {
  const never = Number.POSITIVE_INFINITY;
  it.each<[string, number, number | undefined, number[], number]>([
    ['counts from the last improvement', 2, undefined, [3, 4, 2, 2, 2, 1], 5],
    ['stops at the first non-improvement', 0, undefined, [3, 2, 2], 3],
    ['never while the value improves', 0, undefined, [5, 4, 3, 2, 1], never],
    ['goes on waiting through improvements above the baseline', 3, 1, [5, 4, 3, 2, 2, 0.5], 5],
    ['takes an improvement to the baseline itself for too little', 3, 1, [5, 4, 1, 1, 0.5], 4],
    ['waits anew once below the baseline', 3, 1, [5, 4, 0.5, 0.5, 0.5, 0.5], 6],
    ['never stops in an improvement, baseline or not', 1, 0, [5, 4, 3, 2, 1], never],
  ])('%s', (_, patience, baseline, values, expected) => {
    expect(stepsUntilStop(plateau(patience, baseline, plain), values)).toBe(expected);
  });

  it('compares with the baseline by minDelta and standard errors too', () => {
    const values = [5, 0.75, 0.75, 0.75];
    expect(stepsUntilStop(plateau(2, 1, { ...plain, minDelta: 0.25 }), values)).toBe(3);
    expect(stepsUntilStop(plateau(2, 1, { ...plain, minDelta: 0.2 }), values)).toBe(4);
    const noisy = plateau(1, 1, { ...plain, standardErrors: 2 });
    const first = noisy(notWaiting, { current: at(0.75, 0.04, 1), improved: true, loss: 0 });
    expect(first.stops).toBe(false);
    expect(noisy(first, { current: at(0.75, 0.04, 2), improved: false, loss: 0 }).stops).toBe(true);
  });
});

describe('worsensAsLossFalls', () => {
  const never = Number.POSITIVE_INFINITY;
  it.each<[string, number, number[], number[], number]>([
    ['stops after `patience` such steps', 2, [1, 2, 3, 4], [9, 8, 7, 6], 3],
    ['takes 0 like 1', 0, [1, 1, 2], [9, 8, 7], 3],
    ['never while the value falls', 1, [4, 3, 2, 1], [9, 8, 7, 6], never],
    ['never while the value stands', 0, [1, 1, 1], [9, 8, 7], never],
    ['never while the loss rises', 1, [1, 2, 3, 4], [5, 6, 7, 8], never],
    ['never while the loss stands', 1, [1, 2, 3, 4], [5, 5, 5, 5], never],
    ['wants them in a row', 2, [1, 2, 1.5, 2.5, 2.4, 3, 4], [9, 8, 7, 6, 5, 4, 3], 7],
    ['starts anew after a rise of the loss', 2, [1, 2, 3, 4, 5], [9, 8, 8, 7, 6], 5],
    ['compares with the step before, not the best', 1, [1, 9, 8, 7, 7.5], [9, 10, 8, 7, 6], 5],
    ['takes NaN for neither', 1, [1, Number.NaN, 2, 3], [9, 8, 7, 6], 4],
    ['takes a loss that is NaN for neither', 1, [1, 2, 3, 4], [9, Number.NaN, 7, 6], 4],
  ])('%s', (_, patience, values, losses, expected) => {
    expect(stepsUntilStop(worsensAsLossFalls(patience, plain), values, losses)).toBe(expected);
  });

  it('wants more than minDelta each time', () => {
    const losses = [9, 8, 7, 6];
    const comparison = { ...plain, minDelta: 0.5 };
    expect(stepsUntilStop(worsensAsLossFalls(2, comparison), [1, 2, 2.5, 3], losses)).toBe(never);
    expect(stepsUntilStop(worsensAsLossFalls(2, comparison), [1, 2, 2.75, 3], losses)).toBe(3);
  });
});
