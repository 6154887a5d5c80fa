import { expect, it } from 'vitest';
import { thinned } from '../../src/report/thinned.js';

const value = ({ value: own }: { value: number }) => own;

it('leaves few points as they are', () => {
  const points = [3, 1, 2].map((own, at) => ({ at, value: own }));
  expect(thinned(points, 2, value)).toEqual({ points, total: 3 });
});

it('keeps the least and the greatest of each piece, both ends, and what is of another kind', () => {
  const points = Array.from({ length: 10_000 }, (_, at) => ({
    at,
    value: Math.sin(at),
    kind: at === 5432 ? 'rare' : '',
  }));
  points[777]!.value = 5;
  points[888]!.value = -5;
  const { points: kept, total } = thinned(points, 50, value, ({ kind }) => kind);
  expect(total).toBe(10_000);
  expect(kept.length).toBeLessThanOrEqual(103);
  expect(kept.length).toBeGreaterThan(95);
  for (const at of [0, 777, 888, 5432, 9999]) {
    expect(kept).toContain(points[at]);
  }
  expect(kept.map(({ at }) => at)).toEqual(kept.map(({ at }) => at).sort((a, b) => a - b));
});
