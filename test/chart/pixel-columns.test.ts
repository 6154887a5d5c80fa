import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Cell } from '../../src/chart/aligned-rows.js';
import { bandOutlines, type LineShapes, lineShapes, pixelColumns } from '../../src/chart/pixel-columns.js';

type Point = readonly [number, number];

/** Of each column of pixels, the rows of pixels that a line of this width covers, as a text of what is from where to where. */
function covered(strokes: readonly (readonly Point[])[], bars: LineShapes['bars'], width: number): Map<number, string> {
  const spans = new Map<number, [number, number][]>();
  const cover = (x: number, top: number, bottom: number) => {
    const span: [number, number] = [Math.floor(top), Math.ceil(bottom)];
    spans.set(x, [...(spans.get(x) ?? []), span]);
  };
  for (const points of strokes) {
    for (const [i, [x, y]] of points.entries()) {
      const [toX, toY] = points[i + 1] ?? [x, y];
      // Of the ways between columns, the ends are compared.
      const end = x === toX ? toY : y;
      cover(x, Math.min(y, end) - width / 2, Math.max(y, end) + width / 2);
    }
  }
  for (const [left, top, , height] of bars) {
    cover(left + width / 2, top, top + height);
  }
  const merged = (all: [number, number][]) => {
    const found: [number, number][] = [];
    for (const [from, to] of all.sort((a, b) => a[0] - b[0])) {
      const last = found.at(-1);
      if (last && from <= last[1]) {
        last[1] = Math.max(last[1], to);
      } else {
        found.push([from, to]);
      }
    }
    return found.map(([from, to]) => `${from} to ${to}`).join(', ');
  };
  return new Map([...spans].sort(([a], [b]) => a - b).map(([x, all]) => [x, merged(all)]));
}

const yOf = (value: number) => Math.round(200 - value);
const vertices = ({ strokes, bars, dots }: LineShapes) => strokes.flat().length + 4 * bars.length + dots.length;

it('covers the pixels that a line through all values covers, whatever these and the gaps are', () => {
  const cell = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 200 }) },
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
  fc.assert(
    fc.property(fc.array(cell, { maxLength: 80 }), fc.constantFrom(0.05, 0.3, 1, 4), (cells: Cell[], perRow) => {
      const xs = cells.map((_, row) => row);
      const pixelOf = (x: number) => Math.round(perRow * x);
      const pieces: Point[][] = [[]];
      for (const [row, value] of cells.entries()) {
        if (value === null) {
          pieces.push([]);
        } else if (value !== undefined) {
          pieces.at(-1)!.push([pixelOf(row), yOf(value)]);
        }
      }
      const shapes = lineShapes(pixelColumns(xs, cells, pixelOf), yOf, 2);
      const dots = shapes.dots.map((dot) => [dot]);
      // A dot that would hide behind another one is left out: seen from afar, it is covered.
      const alone = pieces.filter((piece) => new Set(piece.map(String)).size === 1).length;
      expect(shapes.dots.length).toBeLessThanOrEqual(alone);
      expect(shapes.dots.length > 0).toBe(alone > 0);
      if (shapes.dots.length === alone) {
        expect(covered([...shapes.strokes, ...dots], shapes.bars, 2)).toEqual(covered(pieces, [], 2));
      }
    }),
    { seed: 1, numRuns: 500 },
  );
});

it('ten thousand and a hundred thousand values take no more shapes than there are pixels', () => {
  const counts = [1000, 10_000, 100_000].map((count) => {
    const xs = Array.from({ length: count }, (_, row) => row);
    const values = xs.map((x) => 100 + 40 * Math.sin((9 * x) / count) + 20 * Math.sin(1.7 * x));
    return vertices(
      lineShapes(
        pixelColumns(xs, values, (x) => Math.round((700 * x) / count)),
        yOf,
        2,
      ),
    );
  });
  expect(counts[0]).toBeLessThanOrEqual(1400);
  expect(counts[1]).toBeLessThanOrEqual(4 * 701 + 10);
  expect(counts[2]).toBe(counts[1]);
});

it('the way between two bars is drawn where they do not touch, and a spike is as high as it is', () => {
  const values = [10, 60, 20, 50, 150, 190, 150, 180, 150, 150, 150, 199];
  const xs = values.map((_, row) => row);
  const { strokes, bars } = lineShapes(
    pixelColumns(xs, values, (x) => Math.floor(x / 4)),
    yOf,
    2,
  );
  expect(bars).toEqual([
    [-1, 139, 2, 52],
    [0, 9, 2, 42],
    [1, 0, 2, 51],
  ]);
  expect(strokes).toEqual([
    [
      [0, 150],
      [1, 50],
    ],
  ]);
});

it('a smooth line stays a line, however dense: its dashes are seen', () => {
  const xs = Array.from({ length: 1000 }, (_, row) => row);
  const { strokes, bars } = lineShapes(
    pixelColumns(
      xs,
      xs.map((x) => 100 + x / 500),
      (x) => Math.round(x / 10),
    ),
    yOf,
    2,
  );
  expect(bars).toEqual([]);
  expect(strokes).toHaveLength(1);
  expect(strokes[0]!.length).toBeLessThan(110);
});

it('a gap breaks a line where rows of other runs are between, and inside a column of pixels', () => {
  const cells = [1, undefined, 2, null, 3, undefined, 4, null, undefined, 5];
  const pieces = pixelColumns(
    cells.map((_, row) => row),
    cells,
    (x) => x,
  );
  expect(pieces.map((piece) => piece.map(({ x, first }) => [x, first]))).toEqual([
    [
      [0, 1],
      [2, 2],
    ],
    [
      [4, 3],
      [6, 4],
    ],
    [[9, 5]],
  ]);
  expect(pixelColumns([0, 1, 2, 3, 4], [5, 50, null, 90, 100], () => 7).map(([column]) => column!.most)).toEqual([
    50, 100,
  ]);
});

it('a band goes from the least low end to the most high one, and between two gaps it is as wide as a line', () => {
  const outline = (high: Cell[], low: Cell[]) => {
    const columns = (cells: Cell[]) =>
      pixelColumns(
        cells.map((_, row) => row),
        cells,
        (x) => Math.floor(x / 2),
      );
    return bandOutlines(columns(high), columns(low), yOf, 2);
  };
  expect(outline([50, 60, 70, null, 80], [10, 5, 20, null, 30])).toEqual([
    [
      [0, 140],
      [1, 130],
      [1, 180],
      [0, 195],
    ],
    [
      [1, 120],
      [3, 120],
      [3, 170],
      [1, 170],
    ],
  ]);
});
