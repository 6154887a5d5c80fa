import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimizeExponentials } from '../../src/symmetry/exponential-sum.js';
import { lcg } from '../measure/golden-network.js';
import { slowMinimum } from './slow-minimum.js';

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, c, i) => total + c * b[i], 0);

/** Sparse forms with coefficients of -2 to 2 over up to `most` unknowns, some equal, some 0, some unknowns in none. */
const randomForms = (most: number) =>
  fc.integer({ min: 1, max: most }).chain((unknowns) =>
    fc.array(
      fc
        .array(fc.tuple(fc.nat(unknowns - 1), fc.integer({ min: -2, max: 2 })), { minLength: 1, maxLength: 3 })
        .map((entries) => {
          const form = new Array<number>(unknowns).fill(0);
          for (const [j, c] of entries) {
            form[j] = c;
          }
          return form;
        }),
      { minLength: 1, maxLength: 3 * unknowns },
    ),
  );

/** Coefficients of 10^-decades to 10^decades, or 0. */
const randomProblem = (most: number, decades: number) =>
  randomForms(most).chain((forms) =>
    fc
      .array(
        fc.oneof(
          { weight: 5, arbitrary: fc.double({ min: -decades, max: decades, noNaN: true }).map((d) => 10 ** d) },
          { weight: 1, arbitrary: fc.constant(0) },
        ),
        { minLength: forms.length, maxLength: forms.length },
      )
      .map((coefficients) => ({ forms, coefficients })),
  );

/** Which way a form moves on the way to the infimum. */
const away = (limit: number) => (Number.isFinite(limit) ? 0 : Math.sign(limit));

describe('minimizeExponentials', () => {
  it('finds the geometric mean of two opposite terms', () => {
    const { value, exponents, steps } = minimizeExponentials([[1], [-1]], [8, 2]);
    expect(value).toBeCloseTo(8, 13);
    expect(exponents[0]).toBeCloseTo(Math.log(2) / 2, 13);
    expect(steps).toBeLessThan(3);
  });

  it('proves itself: stationary on the terms that stay, and the others vanish together', () => {
    fc.assert(
      fc.property(randomProblem(12, 20), ({ forms, coefficients }) => {
        const { value, exponents, attained, limitOf, steps } = minimizeExponentials(forms, coefficients);
        expect(steps).toBeLessThan(30);
        const terms = coefficients.map((t, b) => (t > 0 ? t * Math.exp(-2 * exponents[b]) : 0));
        const total = terms.reduce((a, b) => a + b, 0);
        expect(Math.abs(value - total)).toBeLessThanOrEqual(1e-12 * total);
        // The sum is convex, so that no x gives the kept terms less, up to first order in what is left of the gradient.
        forms[0].forEach((_, j) => {
          const gradient = forms.reduce((sum, g, b) => sum + terms[b] * g[j], 0);
          expect(Math.abs(gradient)).toBeLessThanOrEqual(1e-6 * total);
        });
        // And one walk to infinity takes the others to 0 and leaves these where they are.
        forms.forEach((form, b) => {
          if (coefficients[b] > 0) {
            const limit = limitOf(form);
            expect(away(limit)).toBe(exponents[b] === Infinity ? 1 : 0);
            if (exponents[b] < Infinity) {
              expect(limit).toBeCloseTo(exponents[b], 9);
            }
          }
        });
        expect(attained).toBe(coefficients.every((t, b) => t === 0 || exponents[b] < Infinity));
      }),
      { numRuns: 1500 },
    );
  });

  it('agrees with a slow minimiser', () => {
    fc.assert(
      fc.property(randomProblem(4, 3), ({ forms, coefficients }) => {
        const slow = slowMinimum(forms, coefficients);
        const { value } = minimizeExponentials(forms, coefficients);
        expect(Math.abs(value - slow)).toBeLessThanOrEqual(1e-9 * slow + 1e-12);
      }),
      { numRuns: 300 },
    );
  });

  it('does not change when the unknowns are shifted, over forty decades', () => {
    fc.assert(
      fc.property(
        randomProblem(8, 3),
        fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 8, maxLength: 8 }),
        ({ forms, coefficients }, shift) => {
          const here = minimizeExponentials(forms, coefficients);
          const moved = minimizeExponentials(
            forms,
            coefficients.map((t, b) => t * Math.exp(2 * dot(forms[b], shift))),
          );
          expect(Math.abs(moved.value - here.value)).toBeLessThanOrEqual(1e-12 * here.value);
          expect(moved.exponents.map(away)).toEqual(here.exponents.map(away));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not depend on the choice of unknowns, nor does what it leaves undetermined', () => {
    fc.assert(
      fc.property(randomProblem(5, 3), fc.infiniteStream(fc.integer({ min: -1, max: 1 })), (problem, stream) => {
        const { forms, coefficients } = problem;
        // A triangle with ones on its diagonal has an inverse of integers: the same problem in other words.
        const mix = forms[0].map((_, i) => forms[0].map((_, j) => (i === j ? 1 : i < j ? stream.next().value : 0)));
        const mixed = forms.map((g) => g.map((_, j) => g.reduce((total, c, i) => total + c * mix[i][j], 0)));
        const one = minimizeExponentials(forms, coefficients);
        const other = minimizeExponentials(mixed, coefficients);
        expect(Math.abs(one.value - other.value)).toBeLessThanOrEqual(1e-12 * one.value);
        forms.forEach((form, b) => {
          const [limit, same] = [one.limitOf(form), other.limitOf(mixed[b])];
          expect(away(same)).toBe(away(limit));
          if (away(limit) === 0) {
            expect(same).toBeCloseTo(limit, 6);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('takes few steps on deep chains with biases, over forty decades', () => {
    const depth = 60;
    const unit = (l: number) => Array.from({ length: depth - 1 }, (_, j) => (j === l ? 1 : 0));
    const kernels = Array.from({ length: depth }, (_, l) => unit(l).map((c, j) => c - unit(l - 1)[j]));
    const forms = [...kernels, ...kernels.slice(1).map((_, l) => unit(l))];
    for (let seed = 0; seed < 12; seed++) {
      const coefficients = lcg(seed, forms.length).map((u) => 10 ** (40 * u - 20));
      expect(minimizeExponentials(forms, coefficients).steps).toBeLessThan(22);
    }
  });

  it('drops terms in two directions at once, and terms that vanish only after others', () => {
    const two = minimizeExponentials(
      [
        [1, 0],
        [0, -1],
        [0, 0],
      ],
      [3, 4, 5],
    );
    expect(two).toMatchObject({ value: 5, exponents: [Infinity, Infinity, 0], attained: false });
    expect(two.limitOf([1, 0])).toBe(Infinity);
    expect(two.limitOf([0, 1])).toBe(-Infinity);
    // (1, 1) and (-1, -1) hold each other; (1, 0) goes alone, and takes the second unknown the other way.
    const coupled = minimizeExponentials(
      [
        [1, 1],
        [-1, -1],
        [1, 0],
      ],
      [1, 4, 9],
    );
    expect(coupled.value).toBeCloseTo(4, 12);
    expect(coupled.exponents[2]).toBe(Infinity);
    expect(coupled.limitOf([0, 1])).toBe(-Infinity);
    // No direction at first sight: x >= y >= z >= x, held together, with w above all of them.
    const cycle = [
      [1, -1, 0, 0],
      [0, 1, -1, 0],
      [-1, 0, 1, 0],
      [-1, 0, 0, 1],
    ];
    const held = minimizeExponentials(cycle, [1, 1, 1, 1]);
    expect(held.value).toBeCloseTo(3, 12);
    expect(held.exponents[3]).toBe(Infinity);
  });

  it('is not led astray by directions that only rounding errors see', () => {
    // Rows s_to - s_from and their coefficients; tensor 12 is held at 0, and nothing that stays holds the others to it.
    const edges = [
      [0, 1, 1.42e-11],
      [1, 2, 0.211],
      [2, 3, 3.57e17],
      [3, 4, 1.74e13],
      [4, 5, 1.3e-17],
      [5, 6, 7.24e-9],
      [6, 7, 6.22e19],
      [7, 8, 1.97e13],
      [8, 9, 8.87e-10],
      [9, 10, 4.43e9],
      [10, 11, 551],
      [12, 0, 9.23e-6],
      [5, 9, 7.83e12],
      [11, 5, 1.15e-17],
      [3, 9, 6.96e-15],
      [11, 8, 2.56e-15],
      [3, 7, 153000],
      [4, 5, 3.89e19],
      [0, 4, 1.31e18],
      [0, 3, 0.00303],
      [5, 3, 3.56e-7],
      [12, 4, 1.02e-17],
      [9, 10, 6.04e-5],
      [9, 3, 4.59e15],
      [6, 0, 1.88e19],
      [6, 2, 3.75e-5],
      [6, 4, 29.8],
      [8, 2, 9.67e-17],
      [6, 10, 2.02e-18],
    ];
    const forms = edges.map(([from, to]) =>
      Array.from({ length: 12 }, (_, j) => Number(j === to) - Number(j === from)),
    );
    const { exponents, value, steps } = minimizeExponentials(
      forms,
      edges.map(([, , t]) => t),
    );
    expect(steps).toBeLessThan(30);
    forms[0].forEach((_, j) => {
      const gradient = forms.reduce((sum, g, b) => sum + g[j] * edges[b][2] * Math.exp(-2 * exponents[b]), 0);
      expect(Math.abs(gradient)).toBeLessThanOrEqual(1e-9 * value);
    });
  });

  it('keeps a tiny term that is not 0', () => {
    const { value, attained } = minimizeExponentials([[1], [-1]], [1e-300, 1]);
    expect(attained).toBe(true);
    expect(Math.abs(value / 2e-150 - 1)).toBeLessThan(1e-12);
  });

  it('takes the largest and the smallest numbers that there are', () => {
    const chain = [
      [1, 0],
      [1, 0],
      [-1, 1],
      [0, 1],
      [0, -1],
    ];
    const { value, steps } = minimizeExponentials(chain, [1e308, 5e-324, 1e-308, 1e300, 1e308]);
    expect(value).toBeGreaterThan(0);
    expect(steps).toBeLessThan(30);
    expect(minimizeExponentials([[0], [0]], [1e308, 1e308]).value).toBe(Infinity);
  });

  it('is not led astray by steps that rounding makes of terms far below the others', () => {
    // A layer with a bias, one of two kernels with a bias, another with a bias, and a last kernel.
    const forms = [
      [1, 0, 0, 0],
      [1, 0, 0, 0],
      [-1, 0, 0, 1],
      [0, 1, 0, -1],
      [0, 1, 0, 0],
      [0, -1, 1, 0],
      [0, 0, 1, 0],
      [0, 0, -1, 0],
    ];
    const coefficients = [1e-121, 2e-123, 1e-95, 2e-95, 6e-62, 2e-33, 4e-31, 0.3];
    const { steps, value } = minimizeExponentials(forms, coefficients);
    // That of the last two terms: the others are nothing beside them.
    expect(Math.abs(value / (2 * Math.sqrt(4e-31 * 0.3)) - 1)).toBeLessThan(1e-12);
    expect(steps).toBeLessThan(20);
  });

  it('has nothing to do without terms or unknowns', () => {
    expect(minimizeExponentials([], [])).toMatchObject({ value: 0, attained: true, steps: 0 });
    expect(minimizeExponentials([[], []], [1, 2])).toMatchObject({ value: 3, exponents: [0, 0], attained: true });
    expect(minimizeExponentials([[1, 0]], [0])).toMatchObject({ value: 0, attained: true });
  });

  it('solves a part of tiny terms as exactly as the part of huge ones beside it', () => {
    const forms = [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ];
    const { exponents } = minimizeExponentials(forms, [4e20, 1e20, 1e-20, 9e-20]);
    expect(exponents[0]).toBeCloseTo(Math.log(2) / 2, 12);
    expect(exponents[3]).toBeCloseTo(Math.log(3) / 2, 12);
  });
});
