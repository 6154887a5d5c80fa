import { join } from 'node:path';
import { of, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FileEvents, fileObserver } from '../../../src/training/files/file-observer.js';

let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());
const lines = () => warn.mock.calls.map(([line]: unknown[]) => line);

describe('fileObserver', () => {
  it('hands on values, and throws for none', () => {
    const written: object[] = [];
    const observer = fileObserver('sink', 'a.txt', () => (value) => {
      if ('broken' in value) {
        throw new Error('it is broken');
      }
      written.push(value);
    });
    of({ a: 1 }, { broken: true }, null as never, 5 as never, { a: 2 }).subscribe(observer);
    expect(written).toEqual([{ a: 1 }, { a: 2 }]);
    expect(lines()).toEqual(
      ['it is broken', 'null is no reading', '5 is no reading'].map(
        (reason) => `sink: 'a.txt' misses readings, writing failed: ${reason}`,
      ),
    );
  });

  it('says what befalls the file and the stream', () => {
    let events: FileEvents | undefined;
    const observer = fileObserver('sink', 'a.txt', (told) => {
      events = told;
      return () => {};
    });
    events!.onCut(`{"a":"${'x'.repeat(300)}`);
    events!.onReplaced();
    throwError(() => new Error('out of memory')).subscribe(observer);
    expect(lines()).toEqual([
      `sink: the last line of 'a.txt' was cut off when it was written, and is taken away: ${JSON.stringify(`{"a":"${'x'.repeat(194)}...`)}`,
      "sink: 'a.txt' was removed, replaced or shortened: later readings go to the file that has its name now",
      "sink: no more readings for 'a.txt', their stream failed: out of memory",
    ]);
  });

  it('is not made where the file cannot be opened', () => {
    const open = () => {
      throw new Error('EACCES: permission denied');
    };
    expect(() => fileObserver('sink', 'a.txt', open)).toThrow(
      /^sink: cannot write to 'a.txt': EACCES: permission denied$/,
    );
  });

  it('gives the path in full, for programs change their folder', () => {
    let found: string | undefined;
    fileObserver('sink', join('runs', 'a.txt'), (_, absolute) => {
      found = absolute;
      return () => {};
    });
    expect(found).toBe(join(process.cwd(), 'runs', 'a.txt'));
  });
});
