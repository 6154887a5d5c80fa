import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Checkpoint, planFor } from '../../src/farm/plan.js';
import { type TaskPool, taskPool } from '../../src/farm/task-pool.js';
import { testFolder } from '../files/saved-model.js';
import { saveCheckpoints, saveSamples } from './checkpoints.js';

const folder = testFolder();
let pool: TaskPool;
let checkpoint: Checkpoint;
beforeAll(async () => {
  // Its processes read TypeScript too.
  vi.stubEnv('NODE_OPTIONS', '--import tsx');
  const [model] = await saveCheckpoints(folder.path, 1, 256);
  const data = saveSamples(folder.at('x.npy'), 20_000);
  ({ checkpoint } = await (await planFor({ data, backend: 'cpu', method: 'exact' }, 2))(model!));
  pool = taskPool(1);
});
afterAll(() => pool.close());

const children = () =>
  execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('tinypool'))
    .map((line) => Number.parseInt(line, 10));

test('steps are taken in a process, whose progress is told; one that dies is a failure, and is replaced', async () => {
  const fractions: number[] = [];
  const killed = await pool.measure({ checkpoint, index: 0 }, (fraction) => {
    fractions.push(fraction);
    process.kill(children()[0]!, 'SIGKILL');
  });
  expect(killed).toMatchObject({ kind: 'failure', problem: expect.stringMatching(/^the process .* has ended/) });
  expect(fractions).toEqual([expect.any(Number)]);
  expect(fractions[0]).toBeGreaterThan(0);
  const shares = await Promise.all([0, 1].map((index) => pool.measure({ checkpoint, index })));
  expect(children()).toHaveLength(1);
  const values = shares.map((share) => ('value' in share ? share.value : undefined)!);
  expect(await pool.merge({ checkpoint, shares: values })).toMatchObject({ value: { reading: { samples: 20_000 } } });
  const given = pool.measure({ checkpoint, index: 0 });
  await pool.close();
  expect(await given).toEqual({ problem: 'stopped', kind: 'failure' });
  expect(children()).toEqual([]);
});

test('a step that does not end is ended, and its process with it', async () => {
  const endless = folder.at('endless.mjs');
  writeFileSync(endless, 'while (true) {}');
  const other = taskPool(1, 6000);
  const options = { ...checkpoint.options, require: [endless] };
  expect(await other.measure({ checkpoint: { ...checkpoint, options }, index: 0 })).toEqual({
    problem: 'it took longer than 0.1 min, and was ended',
    kind: 'failure',
    isEndless: true,
  });
  await vi.waitFor(() => expect(children()).toEqual([]), 5000);
  await other.close();
});

test('processes that cannot start are failures, and new ones are started for what comes later', async () => {
  vi.stubEnv('NODE_OPTIONS', '--import ./none.mjs');
  const other = taskPool(1);
  expect(await other.measure({ checkpoint, index: 0 })).toMatchObject({ kind: 'failure' });
  vi.stubEnv('NODE_OPTIONS', '--import tsx');
  expect(await other.measure({ checkpoint, index: 0 })).toHaveProperty('value');
  await other.close();
});

test('what was handed out is not kept: a worker runs for weeks', async () => {
  const other = taskPool(1);
  const handedOut = async () =>
    new WeakRef(await other.measure({ checkpoint: { ...checkpoint, version: 'x' }, index: 0 }));
  const first = await handedOut();
  // The last one may still be at hand.
  await handedOut();
  await handedOut();
  setFlagsFromString('--expose-gc');
  await wait(10);
  runInNewContext('gc')();
  expect(first.deref()).toBeUndefined();
  await other.close();
});
