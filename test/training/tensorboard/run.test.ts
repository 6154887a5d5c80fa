import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinRun } from '../../../src/training/tensorboard/run.js';
import { eventFiles, readLogdir, readStarts, readTexts } from './event-reader.js';

let logdir: string;
beforeEach(() => {
  logdir = mkdtempSync(join(tmpdir(), 'run-'));
});
afterEach(() => rmSync(logdir, { recursive: true }));

const never = () => {
  throw new Error('removed');
};
const point = (value: number) => ({ tag: `p/${value}`, value, description: 'A point.' });

it('one event holds all that is written at once: points, a text and a layout', () => {
  const run = joinRun(join(logdir, 'a'), 'p', never);
  run.write([point(1), point(2)], 7, 'text');
  run.write([point(3)], 8);
  run.write([point(1)], 9, 'text');
  run.leave();
  const folder = join(logdir, 'a');
  expect(readLogdir(folder).map(({ tag, step, description }) => [tag, step, description])).toEqual([
    ['p/1', 7, 'A point.'],
    ['p/2', 7, 'A point.'],
    ['p/3', 8, 'A point.'],
    ['p/1', 9, undefined],
  ]);
  expect(readLogdir(folder, readTexts).map(({ tag, step }) => [tag, step])).toEqual([
    ['p/reading', 7],
    ['custom_scalars__config__', 7],
  ]);
  expect(readLogdir(folder, readStarts)).toEqual([7]);
});

it('who has left may come again, to a file of its own', () => {
  for (const step of [1, 2]) {
    const run = joinRun(logdir, 'p', never);
    expect(() => joinRun(logdir, 'p', never)).toThrow(/^another writer of this program draws into the same charts/);
    run.write([point(1)], step);
    run.leave();
  }
  expect(eventFiles(logdir)).toHaveLength(2);
});
