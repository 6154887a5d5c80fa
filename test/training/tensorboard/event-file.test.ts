import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventFilesOf, holdsTags, openEventFile } from '../../../src/training/tensorboard/event-file.js';
import { eventFiles, readRecords } from './event-reader.js';

vi.mock('node:fs', async (importOriginal) => {
  const actual = await importOriginal<typeof fs>();
  return { ...actual, writeSync: vi.fn(actual.writeSync), closeSync: vi.fn(actual.closeSync) };
});

let logdir: string;
beforeEach(() => {
  logdir = fs.mkdtempSync(join(tmpdir(), 'event-file-'));
});
afterEach(() => {
  vi.mocked(fs.writeSync).mockClear();
  vi.mocked(fs.closeSync).mockClear();
  fs.rmSync(logdir, { recursive: true });
});

const event = (step: number) => ({ wallTime: 1, step: BigInt(step), what: { case: undefined } as const });
const recordsOf = (file: string) => readRecords(fs.readFileSync(file));
const write = vi.mocked(fs.writeSync) as unknown as ReturnType<typeof vi.fn>;
const full = () => {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
};

describe('openEventFile', () => {
  it('makes the folder and a file in it that begins with its version', () => {
    const folder = join(logdir, 'run', 'train');
    openEventFile(folder).close();
    const [file, ...others] = eventFiles(folder);
    expect(others).toEqual([]);
    expect(file).toMatch(/events\.out\.tfevents\.\d{10}\.[^/]*\.v2$/);
    const [version, ...rest] = recordsOf(file!);
    expect(version!.includes('brain.Event:2')).toBe(true);
    expect(rest).toEqual([]);
    expect(fs.closeSync).toHaveBeenCalledTimes(1);
  });

  it('never writes to a file that exists: each has a name of its own, also within one second', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      for (let i = 0; i < 3; i++) {
        openEventFile(logdir).close();
      }
    } finally {
      vi.useRealTimers();
    }
    expect(eventFiles(logdir)).toHaveLength(3);
  });

  it('appends one record an event, which is in the file when append returns', () => {
    const file = openEventFile(logdir);
    for (let step = 1; step <= 3; step++) {
      file.append(event(step));
      expect(recordsOf(eventFiles(logdir)[0]!)).toHaveLength(1 + step);
    }
    file.close();
  });

  it('completes a record that was cut off before it writes the next', () => {
    const actual = write.getMockImplementation() as typeof fs.writeSync;
    const file = openEventFile(logdir);
    write.mockImplementationOnce((descriptor: number, bytes: Uint8Array) => actual(descriptor, bytes, 0, 5));
    write.mockImplementationOnce(full);
    expect(() => file.append(event(1))).toThrow('ENOSPC');
    expect(() => recordsOf(eventFiles(logdir)[0]!)).toThrow();
    file.append(event(2));
    file.close();
    expect(recordsOf(eventFiles(logdir)[0]!)).toHaveLength(3);
  });

  it('passes on what the folder or the disk says, and leaves no file open', () => {
    const blocked = join(logdir, 'file');
    fs.writeFileSync(blocked, '');
    expect(() => openEventFile(join(blocked, 'run'))).toThrow(/^ENOTDIR/);
    write.mockImplementationOnce(full);
    expect(() => openEventFile(join(logdir, 'run'))).toThrow('ENOSPC');
    expect(fs.closeSync).toHaveBeenCalledTimes(1);
  });
});

describe('holdsTags', () => {
  function holding(...tags: string[]): string {
    const file = openEventFile(logdir);
    for (const tag of tags) {
      file.append({ ...event(1), what: { case: 'summary', value: { value: [{ tag }] } } });
    }
    file.close();
    return eventFilesOf(logdir).sort().at(-1)!;
  }

  it('finds a prefix by each of its groups, as a whole', () => {
    for (const tag of ['train/minimum', 'train_logs/loss', 'train_control/rho', `train/${'x'.repeat(300)}`]) {
      const file = holding('loss', tag);
      expect(['train', 'tr', 'ain', 'train_logs', 't.ain'].filter((prefix) => holdsTags(file, prefix))).toEqual(
        tag.startsWith('train_logs') ? ['train', 'train_logs'] : ['train'],
      );
    }
    const file = holding('pretrain/minimum', 'train_2/minimum', 'x', '- train/minimum');
    expect(holdsTags(file, 'train')).toBe(false);
    for (const prefix of ['a/b', 'größe', '(a|b)*', '\\w+', 'x'.repeat(200)]) {
      expect(holdsTags(holding(`${prefix}/minimum`), prefix)).toBe(true);
    }
  });

  it('reads large files in parts, and takes what it cannot read for empty', () => {
    const filler = 'x'.repeat(2 ** 19 - 80);
    for (let shift = 0; shift < 64; shift += 4) {
      expect(holdsTags(holding(filler + 'x'.repeat(shift), filler, 'train/minimum'), 'train')).toBe(true);
    }
    fs.mkdirSync(join(logdir, 'events.out.tfevents.9999999999.a'));
    fs.symlinkSync('nowhere', join(logdir, 'events.out.tfevents.9999999999.b'));
    fs.writeFileSync(join(logdir, 'notes.txt'), '\n\rtrain/minimum');
    expect(
      eventFilesOf(logdir)
        .sort()
        .slice(-2)
        .map((file) => holdsTags(file, 'train')),
    ).toEqual([false, false]);
  });
});
