import { beforeEach, expect, it } from 'vitest';
import { type AlignedRows, alignedRows } from '../../src/chart/aligned-rows.js';
import { type ReadingCursor, readingCursor } from '../../src/chart/reading-cursor.js';

let rows: AlignedRows;
let cursor: ReadingCursor;
let moves: (number | null)[];
let place: EventTarget;
let latest: number | undefined;

beforeEach(() => {
  rows = alignedRows();
  moves = [];
  place = new EventTarget();
  cursor = readingCursor(
    place as HTMLElement,
    rows,
    () => latest ?? rows.x.length - 1,
    (row) => moves.push(row),
  );
  latest = undefined;
});

function press(key: string, held: object = {}): boolean {
  const event = new Event('keydown', { cancelable: true });
  return !place.dispatchEvent(Object.assign(event, { key, ...held }));
}

it('keys move over the rows, to the ends and no further', () => {
  rows.addRows(Array.from({ length: 41 }, (_, i) => 10 * i));
  for (const key of [
    'ArrowRight',
    'ArrowLeft',
    'PageDown',
    'Home',
    'ArrowDown',
    'ArrowUp',
    'PageUp',
    'End',
    'PageUp',
  ]) {
    expect(press(key), key).toBe(true);
  }
  expect(moves).toEqual([40, 39, 35, 0, 0, 1, 5, 40, 40]);
});

it('it stays at its step while rows come in before it, and goes back to the last', () => {
  rows.addRows([10, 20]);
  press('Home');
  press('ArrowRight');
  rows.addRows([5, 30]);
  expect(cursor.selected()).toBe(2);
  press('Escape');
  expect(cursor.selected()).toBe(undefined);
  press('Home');
  place.dispatchEvent(new Event('blur'));
  expect(moves).toEqual([0, 1, null, 0, null]);
  press('Home');
  cursor.release();
  press('Escape');
  expect(moves).toHaveLength(6);
});

it("other keys are the browser's, and all of them without rows", () => {
  expect(press('Home')).toBe(false);
  rows.addRows([1]);
  expect([press('Tab'), press('ArrowLeft', { altKey: true }), press('Home', { ctrlKey: true })]).toEqual([
    false,
    false,
    false,
  ]);
  expect(moves).toEqual([]);
});

it('keys begin at what came last, which is not always the last row', () => {
  rows.addRows([10, 20, 30, 40]);
  latest = 1;
  press('ArrowLeft');
  press('Escape');
  press('ArrowRight');
  expect(moves).toEqual([0, null, 2]);
});

it('is left as by escape, once', () => {
  rows.addRows([10, 20]);
  press('Home');
  cursor.leave();
  cursor.leave();
  expect([cursor.selected(), moves]).toEqual([undefined, [0, null]]);
});
