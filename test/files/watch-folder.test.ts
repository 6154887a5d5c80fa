import { chmodSync, cpSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import type { FileProblem, FileReading } from '../../src/files/measure-files.js';
import { type WatchOptions, watchFolder } from '../../src/files/watch-folder.js';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();
let root: string;
let number = 0;
let events: string[];
beforeEach(async () => {
  root = folder.at(`run${number++}`);
  events = [];
});

const options = (more: Partial<WatchOptions> = {}): WatchOptions => ({
  once: true,
  isKnown: () => false,
  onReading: ({ model }) => events.push(model.slice(root.length + 1)),
  onProblem: ({ model, problem }) => events.push(`${model.slice(root.length + 1)}: ${problem}`),
  everyMs: 5,
  settledMs: 20,
  patienceMs: 20,
  ...more,
});
const reading = (model: string) => ({ model }) as FileReading;
const save = (name: string) => saveModel(denseModel(), `${root}/${name}`);
const measure = async (model: string, onRead?: () => void) => {
  onRead?.();
  return reading(model);
};

test('all that is there, but what is known; what is not whole costs a line', async () => {
  await save('a');
  await save('b');
  await save('c');
  truncateSync(`${root}/c/weights.bin`, 3);
  await watchFolder(root, measure, options({ isKnown: ({ path }) => path.includes('/b/') }));
  expect(events).toEqual(['a/model.json', "c/model.json: it is not whole: 'weights.bin' is cut off."]);
});

test('what was measured is not measured again when its rights change', async () => {
  await save('a');
  await watchFolder(
    root,
    measure,
    options({
      onReading: ({ model }) => {
        events.push(model.slice(root.length + 1));
        if (events.length === 1) {
          chmodSync(`${root}/a/weights.bin`, 0o600);
          // For another look.
          cpSync(`${root}/a`, `${root}/b`, { recursive: true });
        }
      },
    }),
  );
  expect(events).toEqual(['a/model.json', 'b/model.json']);
});

test('what is overwritten while it is read is read again, and what is taken away is forgotten', async () => {
  await save('a');
  await save('b');
  let calls = 0;
  await watchFolder(
    root,
    async (model, onRead) => {
      if (calls++ === 0) {
        writeFileSync(`${root}/a/weights.bin`, new Uint8Array(32));
        rmSync(`${root}/b`, { recursive: true });
        try {
          onRead?.();
        } catch {
          return { model, problem: 'changed', kind: 'input' };
        }
      }
      return measure(model, onRead);
    },
    options(),
  );
  expect(events).toEqual(['a/model.json']);
  expect(calls).toBe(2);
});

test('a wrong one is tried again when it has changed, and one overwritten in place is measured again', async () => {
  await save('a');
  let wrong = true;
  const stop = new Error('stop');
  const problem = (model: string): FileProblem => ({ model, problem: 'wrong', kind: 'input' });
  const run = watchFolder(
    root,
    async (model, onRead) => (wrong ? problem(model) : measure(model, onRead)),
    options({
      once: false,
      onProblem: () => {
        events.push('wrong');
        wrong = false;
        setTimeout(() => cpSync('test/fixtures/keras/k3/model.json', `${root}/a/model.json`), 60);
        // Until all of the other model is there it is not whole.
        setTimeout(() => save('a'), 120);
      },
      onReading: () => {
        events.push('read');
        if (events.length === 3) {
          throw stop;
        }
        writeFileSync(`${root}/a/weights.bin`, new Uint8Array(32));
      },
      patienceMs: 1e6,
    }),
  );
  await expect(run).rejects.toThrow(stop);
  expect(events).toEqual(['wrong', 'read', 'read']);
});
