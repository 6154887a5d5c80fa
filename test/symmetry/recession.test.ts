import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dot, norm } from '../../src/symmetry/least-squares.js';
import { recession, surelyBounded } from '../../src/symmetry/recession.js';

describe('recession', () => {
  it('finds no direction where every term is held by others', () => {
    expect(recession([[1], [-2]])).toEqual({ directions: [], survives: [true, true] });
    const triangle = [
      [1, 0],
      [0, 1],
      [-1, -1],
    ];
    expect(recession(triangle)).toEqual({ directions: [], survives: [true, true, true] });
    expect(surelyBounded(triangle)).toBe(true);
  });

  it('lets what nothing holds vanish', () => {
    const { directions, survives } = recession([
      [1, 0],
      [-1, 0],
      [0, 3],
    ]);
    expect(survives).toEqual([true, true, false]);
    expect(directions).toHaveLength(1);
    expect(directions[0]![0]).toBeCloseTo(0, 12);
    expect(directions[0]![1]).toBeCloseTo(1, 12);
  });

  it('goes on with what is left, direction after direction', () => {
    // Along x the second and third are level; once the first is gone, they go along y.
    const { directions, survives } = recession([
      [1, -5],
      [0, 1],
      [0, 2],
    ]);
    expect(survives).toEqual([false, false, false]);
    expect(directions.length).toBeGreaterThan(0);
  });

  const forms = fc.integer({ min: 1, max: 4 }).chain((unknowns) =>
    fc.array(
      fc
        .array(fc.integer({ min: -2, max: 2 }), { minLength: unknowns, maxLength: unknowns })
        .filter((form) => form.some((c) => c !== 0)),
      { minLength: 1, maxLength: 7 },
    ),
  );

  it('makes no surviving term grow or shrink, and every other one vanish before it can grow', () => {
    fc.assert(
      fc.property(forms, (terms) => {
        const { directions, survives } = recession(terms);
        terms.forEach((form, b) => {
          const along = directions.map((direction) => dot(form, direction) / norm(form));
          const first = along.find((slope) => Math.abs(slope) > 1e-9) ?? 0;
          expect(survives[b]).toBe(first === 0);
          expect(first).toBeGreaterThanOrEqual(0);
        });
      }),
    );
  });

  it('is not asked for where a few Newton steps show that nothing vanishes', () => {
    fc.assert(
      fc.property(forms, (terms) => {
        fc.pre(surelyBounded(terms));
        expect(recession(terms).survives).not.toContain(false);
      }),
    );
    expect(surelyBounded([[1, 0]])).toBe(false);
    expect(surelyBounded([])).toBe(true);
  });
});
