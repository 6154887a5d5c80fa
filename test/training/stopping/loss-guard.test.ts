import { describe, expect, it } from 'vitest';
import {
  type Losses,
  limitOf,
  standingOf,
  wantsFirst,
  withFirstBatch,
  withLoss,
} from '../../../src/training/stopping/loss-guard.js';

const never = Number.POSITIVE_INFINITY;

describe('standingOf', () => {
  it.each<[string, number | undefined, Losses, number, 'fine' | 'high' | 'unlearned']>([
    ['a loss near the lowest', 0.3, { first: 2.4, lowest: 0.2 }, 0.25, 'fine'],
    ['a loss at the limit', 0.75, { first: 2, lowest: 0.25 }, 0.25, 'fine'],
    ['a loss above the limit', 0.76, { first: 2, lowest: 0.25 }, 0.25, 'high'],
    ['a tiny loss that rose a hundredfold', 0.1, { first: 2.4, lowest: 0.001 }, 0.25, 'fine'],
    ['a loss that is no number', Number.NaN, { first: 2.4, lowest: 0.2 }, 0.25, 'high'],
    ['an infinite loss', never, { first: 2.4, lowest: 0.2 }, 0.25, 'high'],
    ['a loss that is not known', undefined, { first: 2.4, lowest: 0.2 }, 0.25, 'fine'],
    ['the first loss', 2.3, {}, 0.25, 'fine'],
    ['a loss that was never low', 14, { first: 2.4, lowest: 14 }, 0.25, 'unlearned'],
    ['one that was low once', 14, { first: 2.4, lowest: 2.3 }, 0.25, 'high'],
    ['a first batch that was easy by chance', 0.2, { first: 0.15, lowest: 0.2 }, 0.25, 'fine'],
    ['a large lowest beside a small first batch', 0.24, { first: 0.11, lowest: 0.2 }, 0.25, 'fine'],
    ['losses below 0', -3, { first: -1, lowest: -4 }, 0.25, 'fine'],
    ['losses below 0, far up', -2.9, { first: -1, lowest: -4 }, 0.25, 'high'],
    ['without the guard', 14, { first: 2.4, lowest: 0.2 }, never, 'fine'],
    ['without the guard, NaN', Number.NaN, { first: 2.4, lowest: 0.2 }, never, 'fine'],
  ])('%s', (_, loss, losses, margin, expected) => {
    expect(standingOf(loss, losses, margin)).toBe(expected);
  });
});

it('what was learned before is learned, whatever the first batch was', () => {
  const losses = { first: 0.02, lowest: 0.1 };
  expect(standingOf(0.1, losses, 0.25)).toBe('unlearned');
  expect(standingOf(0.1, losses, 0.25, true)).toBe('fine');
  expect(standingOf(0.126, losses, 0.25, true)).toBe('high');
});

it('the lowest is kept, and what is no number passes', () => {
  const means = [3, 1, 2, Number.NaN, undefined];
  expect(means.map((mean) => withLoss({ first: 5, lowest: 1.5 }, mean).lowest)).toEqual([1.5, 1, 1.5, 1.5, 1.5]);
  expect(withLoss({}, 3)).toEqual({ lowest: 3 });
});

it('the limit goes by what there was to learn', () => {
  expect(limitOf(0.2, 2.4, 0.25)).toBeCloseTo(0.8, 12);
  expect(limitOf(3, undefined, 0.5)).toBe(4.5);
});

it('the first batches count until they hold 8 samples', () => {
  let losses: Losses = {};
  for (const [loss, samples] of [
    [4, 2],
    [Number.NaN, 2],
    [2, 6],
    [9, 2],
  ] as const) {
    losses = withFirstBatch(losses, loss, samples);
  }
  expect(losses).toEqual({ first: 2.5, firstSamples: 8 });
  expect(wantsFirst({ first: 1, firstSamples: 7 })).toBe(true);
  expect(wantsFirst(losses)).toBe(false);
  expect(withFirstBatch({}, 3, 0)).toEqual({});
});
