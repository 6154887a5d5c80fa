import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import { measureOnPool, planProgress, resultOf } from '../../src/farm/measure-on-pool.js';
import { Failure, problemOf } from '../../src/files/failure.js';
import { type FileReading, measureFiles } from '../../src/files/measure-files.js';
import type { PlanProgress } from '../../src/files/progress-line.js';
import { denseModel, saveModel, testFolder } from '../files/saved-model.js';
import { saveCheckpoints, saveSamples } from './checkpoints.js';

const folder = testFolder();
beforeAll(() => {
  // Its processes read TypeScript too.
  vi.stubEnv('NODE_OPTIONS', '--import tsx');
});

test('readings of several processes are those of one, in the order of the models', async () => {
  const models = await saveCheckpoints(folder.path, 3);
  const narrow = await saveModel(denseModel(), folder.at('narrow'));
  const data = saveSamples(folder.at('x.npy'), 53);
  const options = { data, backend: 'cpu', method: 'exact' } as const;
  const given = [models[0]!, 'none', models[1]!, narrow, models[2]!];
  const seen: PlanProgress[] = [];
  const notes: string[] = [];
  const results = [];
  const events = {
    onProgress: (each: PlanProgress) => seen.push(each),
    onNote: (model: string, line: string) => notes.push(`${model}: ${line}`),
  };
  for await (const result of measureOnPool(given, options, { workers: 2, shards: 3 }, events)) {
    results.push(result);
  }
  expect(results.map(({ model }) => model)).toEqual(given);
  expect(results[1]).toEqual({ model: 'none', problem: expect.stringMatching(/there is no such file/), kind: 'input' });
  expect(results[3]).toMatchObject({ problem: expect.stringMatching(/have shape \[53, 8\]/), kind: 'input' });
  for await (const alone of measureFiles(models, options)) {
    const { durationMs, ...reading } = alone as FileReading;
    const found = results.find(({ model }) => model === alone.model)!;
    expect(found).toMatchObject(reading);
    expect(String(found)).toBe(String(alone));
  }
  // What cannot be read takes no time.
  expect(seen.at(-1)).toMatchObject({ totalParts: 12, workers: 2 });
  expect(notes).toEqual([]);
});

test('progress counts parts that are on their way, and tells the time that is left', () => {
  const seen: PlanProgress[] = [];
  const tell = planProgress({ totalParts: 4, before: 0 }, { onProgress: (each) => seen.push(each) });
  tell('a', 0, 2);
  tell('a', 0.5, 2);
  tell('b', 1, 2);
  tell('a', 1, 2);
  expect(seen.map(({ parts }) => parts)).toEqual([0, 0.5, 1.5, 2]);
  expect(seen[0]!.timeLeftMs).toBeUndefined();
  expect(seen[3]!.timeLeftMs).toBeGreaterThanOrEqual(0);
});

test('parts that were there before tell nothing of the time that is left', async () => {
  const seen: PlanProgress[] = [];
  const tell = planProgress({ totalParts: 10_000, before: 9000 }, { onProgress: (each) => seen.push(each) });
  tell('', 9000, 1);
  await wait(20);
  tell('', 9001, 1);
  expect(seen[0]!.timeLeftMs).toBeUndefined();
  expect(seen[1]!.timeLeftMs).toBeGreaterThan(19 * 999);
});

test('outcomes in the form of results', () => {
  expect(problemOf(new Failure('a\nb'))).toEqual({ problem: 'a b', kind: 'failure' });
  expect(resultOf('m', { problem: 'p', kind: 'input' }, {})).toEqual({ model: 'm', problem: 'p', kind: 'input' });
});
