import type { Cell } from './aligned-rows.js';

/** What one column of pixels has of a line: it comes in at `first`, goes between `least` and `most`, and leaves from `last`. */
export interface PixelColumn {
  readonly x: number;
  /** Of how many values. */
  count: number;
  readonly first: number;
  last: number;
  least: number;
  most: number;
}

/**
 * All that a line can show in pixels, however many values it has; in pieces between its gaps.
 *
 * @param pixelOf the column of pixels of an x: whole, and ascending as `xs` are.
 */
export function pixelColumns(
  xs: readonly number[],
  values: readonly Cell[],
  pixelOf: (x: number) => number,
): PixelColumn[][] {
  const pieces: PixelColumn[][] = [];
  let piece: PixelColumn[] = [];
  let column: PixelColumn | undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === undefined) {
      continue;
    }
    if (value === null) {
      column = undefined;
      continue;
    }
    const x = pixelOf(xs[row]!);
    if (column?.x === x) {
      column.count++;
      column.last = value;
      column.least = Math.min(column.least, value);
      column.most = Math.max(column.most, value);
      continue;
    }
    if (column === undefined) {
      piece = [];
      pieces.push(piece);
    }
    column = { x, count: 1, first: value, last: value, least: value, most: value };
    piece.push(column);
  }
  return pieces;
}

type Ends = [first: number, last: number, bottom: number, top: number];

/** How a line is drawn: its shapes, in pixels. */
export interface LineShapes {
  /** Points joined by lines, each x, y. */
  readonly strokes: readonly (readonly (readonly [number, number])[])[];
  /** Columns that the line goes through to and fro, as bars: left, top, width, height. Stroked, they would take a page ten times as long. */
  readonly bars: readonly (readonly [number, number, number, number])[];
  /** Values alone between gaps: a line from a pixel to itself would not be seen. */
  readonly dots: readonly (readonly [number, number])[];
}

/** Dots closer than this many pixels, along both axes, would hide each other: the first is drawn. */
const CLOSE = 4;

/**
 * The shapes of a line, which cover the pixels that it would cover if each of its values was a point of it.
 *
 * @param yOf the pixel of a value.
 * @param width of the line in pixels.
 */
export function lineShapes(
  pieces: readonly (readonly PixelColumn[])[],
  yOf: (value: number) => number,
  width: number,
): LineShapes {
  const strokes: (readonly [number, number])[][] = [];
  const bars: [number, number, number, number][] = [];
  const dots: [number, number][] = [];
  const taken = new Set<string>();
  for (const piece of pieces) {
    if (piece.length === 1 && yOf(piece[0]!.least) === yOf(piece[0]!.most)) {
      const [x, y] = [piece[0]!.x, yOf(piece[0]!.first)];
      const place = `${Math.round(x / CLOSE)} ${Math.round(y / CLOSE)}`;
      if (!taken.has(place)) {
        taken.add(place);
        dots.push([x, y]);
      }
      continue;
    }
    let stroke: (readonly [number, number])[] = [];
    /** The bar before. */
    let before: { readonly x: number; readonly top: number; readonly bottom: number } | undefined;
    for (const { x, count, ...values } of piece) {
      const [first, last, bottom, top] = [values.first, values.last, values.least, values.most].map(yOf) as Ends;
      if (count <= 2 || bottom - top <= width) {
        const ways = first > last ? [first, bottom, top, last] : [first, top, bottom, last];
        for (const y of ways.filter((each, i) => i === 0 || each !== ways[i - 1])) {
          stroke.push([x, y]);
        }
        before = undefined;
        continue;
      }
      bars.push([x - width / 2, top - width / 2, width, bottom - top + width]);
      const touches = before && x - before.x <= width && top <= before.bottom + width && bottom >= before.top - width;
      if (!touches) {
        stroke.push([x, first]);
      }
      if (stroke.length > 1) {
        strokes.push(stroke);
      }
      stroke = [[x, last]];
      before = { x, top, bottom };
    }
    if (stroke.length > 1) {
      strokes.push(stroke);
    }
  }
  return { strokes, bars, dots };
}

/**
 * The outlines of a band, x and y of each point in pixels: in each column of pixels, from the least of its low ends to the most of its high
 * ones. One between two gaps is as wide as a line.
 */
export function bandOutlines(
  high: readonly (readonly PixelColumn[])[],
  low: readonly (readonly PixelColumn[])[],
  yOf: (value: number) => number,
  width: number,
): [number, number][][] {
  return high.map((piece, i) => {
    const top = piece.map(({ x, most }): [number, number] => [x, yOf(most)]);
    const bottom = low[i]!.map(({ x, least }): [number, number] => [x, yOf(least)]);
    if (top.length > 1) {
      return [...top, ...bottom.reverse()];
    }
    const [[x, from], [, to]] = [top[0]!, bottom[0]!];
    const [left, right] = [x - width / 2, x + width / 2];
    return [
      [left, from],
      [right, from],
      [right, to],
      [left, to],
    ];
  });
}
