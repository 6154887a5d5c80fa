import fc from 'fast-check';
import { expect, it } from 'vitest';
import { alignedRows } from '../../src/chart/aligned-rows.js';

it('steps in any order make ascending rows, each once, with what was put there', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -20, max: 20 })), (steps) => {
      const rows = alignedRows();
      const column = rows.addColumn();
      const values = new Map<number, number>();
      steps.forEach((step, i) => {
        rows.columns[column]![rows.rowAt(step)] = i;
        values.set(step, i);
      });
      const sorted = [...values].sort(([a], [b]) => a - b);
      expect(rows.x).toEqual(sorted.map(([step]) => step));
      expect(rows.columns[column]).toEqual(sorted.map(([, i]) => i));
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
  rows.rowAt(5);
  rows.rowAt(1);
  const later = rows.addColumn();
  expect(rows.columns[later]).toEqual([undefined, undefined]);
  rows.rowAt(3);
  expect(rows.x).toBe(x);
  expect(rows.columns[0]).toBe(first);
  expect([x.length, first!.length, rows.columns[later]!.length]).toEqual([3, 3, 3]);
});
