import { describe, expect, it } from 'vitest';
import { combinations, dependencies, difference, solutions, sum, unit } from '../../src/symmetry/elimination.js';

describe('linear forms', () => {
  it('are added coefficient by coefficient', () => {
    expect(unit(1, 3)).toEqual([0, 1, 0]);
    expect(sum([1, 2], [3, -4])).toEqual([4, -2]);
    expect(difference([1, 2], [3, -4])).toEqual([-2, 6]);
  });
});

describe('solutions', () => {
  it('writes every form over the unknowns that stay free', () => {
    // x0 + x1 = x2, x2 = 2 x3.
    const { freedom, substitute } = solutions(
      [
        [1, 1, -1, 0],
        [0, 0, 1, -2],
      ],
      4,
    );
    expect(freedom).toBe(2);
    const forms = Array.from({ length: 4 }, (_, i) => substitute(unit(i, 4)));
    expect(forms.every((form) => form.length === 2)).toBe(true);
    expect(sum(forms[0]!, forms[1]!)).toEqual(forms[2]);
    expect(forms[2]).toEqual(forms[3]!.map((c) => 2 * c));
    // As many forms as there are free unknowns are independent.
    expect(dependencies(forms)).toHaveLength(2);
  });

  it('leaves an equation that follows from the others aside', () => {
    const equations = [
      [1, -1, 0],
      [0, 1, -1],
      [1, 0, -1],
    ];
    const { freedom, dependent } = solutions(equations, 3);
    expect(freedom).toBe(1);
    expect(dependent).toEqual([[0, 0, 0]]);
  });

  it('takes rounding errors for 0', () => {
    const third = 1 / 3;
    const { freedom } = solutions(
      [
        [3, 1],
        [1, third + 1e-12],
      ],
      2,
    );
    expect(freedom).toBe(1);
  });
});

describe('combinations and dependencies', () => {
  const forms = [
    [1, 1, 0],
    [0, 1, 1],
    [1, 2, 1],
    [1, 0, 0],
  ];

  it('makes a form of others, and none of those that depend on earlier ones', () => {
    const factorsOf = combinations(forms, 3);
    for (const form of [[2, -1, 5], [1, 2, 1], unit(2, 3)]) {
      const factors = factorsOf(form);
      expect(factors[2]).toBeCloseTo(0, 12);
      const made = [0, 1, 2].map((k) => forms.reduce((total, each, i) => total + each[k]! * factors[i]!, 0));
      made.forEach((c, i) => {
        expect(c).toBeCloseTo(form[i]!, 12);
      });
    }
  });

  it('finds what cancels', () => {
    expect(dependencies(forms)).toEqual([[-1, -1, 1, 0]]);
    expect(dependencies([])).toEqual([]);
  });
});
