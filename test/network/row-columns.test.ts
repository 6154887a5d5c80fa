import { describe, expect, it } from 'vitest';
import {
  givenColumns,
  type RowColumns,
  sigmoidColumns,
  softmaxColumns,
  squaredErrorColumns,
} from '../../src/network/row-columns.js';

const z = [0.3, -1.2, 2.1, 0.4];
const factors = [0.5, 3, 2, 7];

/** In front of the row stand other numbers. */
const behind = (all: readonly number[]) => ({ all: [9, 9, ...all], from: 2 });

const ways: [string, RowColumns, number[], number][] = [
  ['softmax', softmaxColumns, z, 3],
  ['softmax of a sure row', softmaxColumns, [40, 0, -3, 1], 3],
  ['sigmoid', sigmoidColumns, z, 4],
  ['squared error', squaredErrorColumns, z, 4],
  ['given columns', givenColumns, [1, 2, 3, 4, -1, 0, 2, 0.5], 2],
];

describe.each(ways)('%s', (_, columns, numbers, count) => {
  const all = Array.from({ length: count }, (__, r) => columns.column(behind(numbers), 4, r));

  it('has the squared norms of its columns in closed form, with factors and without', () => {
    const [norms, moved] = [new Float64Array(count), new Float64Array(count)];
    columns.squaredNorms(behind(numbers), 4, behind(factors), norms, moved);
    all.forEach((column, r) => {
      const square = column.reduce((sum, c) => sum + c * c, 0);
      const withFactors = column.reduce((sum, c, i) => sum + factors[i]! * c * c, 0);
      expect(Math.abs(norms[r]! / square - 1)).toBeLessThan(1e-12);
      expect(Math.abs(moved[r]! / withFactors - 1)).toBeLessThan(1e-12);
    });
  });
});

it('makes diag p - p p^T of the columns of softmax', () => {
  const exps = z.map(Math.exp);
  const sum = exps.reduce((a, b) => a + b, 0);
  const p = exps.map((each) => each / sum);
  const columns = [0, 1, 2].map((r) => softmaxColumns.column(behind(z), 4, r));
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      const product = columns.reduce((total, column) => total + column[i]! * column[j]!, 0);
      expect(product).toBeCloseTo((i === j ? p[i]! : 0) - p[i]! * p[j]!, 12);
    }
  }
});

it('keeps the digits of what is nearly sure', () => {
  expect(sigmoidColumns.column({ all: [80], from: 0 }, 1, 0)[0]! ** 2 / Math.exp(-80)).toBeCloseTo(1, 10);
  const [norms] = [new Float64Array(1)];
  softmaxColumns.squaredNorms({ all: [80, 0], from: 0 }, 2, null, norms, norms);
  expect(norms[0]! / (2 * Math.exp(-80))).toBeCloseTo(1, 10);
});
