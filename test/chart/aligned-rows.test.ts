import fc from 'fast-check';
import { expect, it } from 'vitest';
import { alignedRows, aloneBetweenGaps, type Cell } from '../../src/chart/aligned-rows.js';

it('steps in any order and in lots of any size make ascending rows, each once, with what was put there', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.integer({ min: -20, max: 20 }))), (lots) => {
      const rows = alignedRows();
      const column = rows.addColumn();
      const values = new Map<number, number>();
      for (const lot of lots) {
        rows.addRows(lot);
        for (const step of lot) {
          const value = values.size;
          rows.columns[column]![rows.lastAtOrBefore(step)] = value;
          values.set(step, value);
        }
      }
      const sorted = [...values].sort(([a], [b]) => a - b);
      expect(rows.x).toEqual(sorted.map(([step]) => step));
      expect(rows.columns[column]).toEqual(sorted.map(([, value]) => value));
      for (let at = -21; at <= 21; at++) {
        expect(rows.lastAtOrBefore(at)).toBe(sorted.filter(([step]) => step <= at).length - 1);
      }
    }),
  );
});

it('a column that comes later is as long as the others, and arrays stay the same objects', () => {
  const rows = alignedRows();
  const { x } = rows;
  const first = rows.columns[rows.addColumn()];
  rows.addRows([5, 1]);
  const later = rows.addColumn();
  expect(rows.columns[later]).toEqual([undefined, undefined]);
  rows.addRows([3]);
  expect(rows.x).toBe(x);
  expect(rows.columns[0]).toBe(first);
  expect([x.length, first!.length, rows.columns[later]!.length]).toEqual([3, 3, 3]);
});

it('a value is alone between two gaps, where rows of other runs are none', () => {
  const cases: [Cell[], number[]][] = [
    [[], []],
    [[null], []],
    [[1], [0]],
    [[1, 2], []],
    [
      [null, 1, undefined, null, 2],
      [1, 4],
    ],
    [[1, undefined, 2, null, undefined, null, 3, null], [6]],
  ];
  for (const [column, alone] of cases) {
    expect(aloneBetweenGaps(column), String(column)).toEqual(alone);
  }
});
