import { PassThrough } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { progressLine } from '../../src/files/progress-line.js';

function terminal(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => String(stream.read() ?? '') };
}

const progress = { samples: 8, total: 8, rows: 10, totalRows: 40, timeLeftMs: 61_500 };

test('a pipe gets nothing', () => {
  const { stream, text } = terminal(false);
  const line = progressLine(stream);
  line.show(progress);
  line.end();
  expect(text()).toBe('');
});

test('a terminal gets rows and time left, not too often, and has its line back at the end', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const { stream, text } = terminal(true);
  const line = progressLine(stream);
  line.show(progress);
  expect(text()).toMatch(/10 of 40 rows, 62 s left$/);
  line.show({ ...progress, rows: 11 });
  expect(text()).toBe('');
  now.mockReturnValue(1000);
  line.show({ ...progress, rows: 20, timeLeftMs: 200_000 });
  expect(text()).toMatch(/20 of 40 rows, 4 min left$/);
  line.end();
  const back = text();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told is made of them.
  expect(back.replace(/\u001b\[[\dGK]*/g, '')).toBe('');
  expect(back).not.toBe('');
  line.end();
  expect(text()).toBe('');
  now.mockRestore();
});

test('before the first row it counts samples', () => {
  const { stream, text } = terminal(true);
  progressLine(stream).show({ samples: 3, total: undefined, rows: 0, totalRows: undefined, timeLeftMs: undefined });
  expect(text()).toMatch(/3 samples$/);
});
