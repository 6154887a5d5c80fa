import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { triedWriting } from '../../../src/training/files/tried-writing.js';

let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

it('says when writing begins to fail, and for each other reason, in one line', () => {
  const attempt = triedWriting('sink: lost');
  const done: string[] = [];
  const fail = (message: string) => () => {
    throw new Error(message);
  };
  const full = fail('full');
  const torn = fail('torn\n  in two');
  const works = () => void done.push('works');
  for (const action of [works, full, full, torn, full, works, full]) {
    attempt(action);
  }
  expect(done).toHaveLength(2);
  expect(warn.mock.calls.map(([line]: unknown[]) => line)).toEqual(
    ['full', 'torn in two', 'full', 'full'].map((reason) => `sink: lost, writing failed: ${reason}`),
  );
});
