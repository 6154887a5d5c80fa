import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { type WatchCommandOptions, watchCommand } from '../../src/files/watch-command.js';
import { eventFilesIn, readEventFiles } from '../../src/report/event-files.js';
import { readJsonLines } from '../../src/training/files/json-lines.js';
import { numberOfFile } from '../../src/training/tensorboard/other-writer.js';
import { denseModel, npy, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

function start(file: string, ...words: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', join(process.cwd(), file), ...words], { stdio: 'inherit' });
}

const ended = (child: ChildProcess) =>
  new Promise<[code: number | null, signal: string | null]>((resolve) =>
    child.once('close', (code, signal) => resolve([code, signal])),
  );

interface Line {
  model: string;
  step: number;
  savedMs: number;
  minimumSharpness: number;
}

test('a training saves, and watch is killed and begun again: each checkpoint is measured once', async () => {
  const [run, jsonl] = [folder.at('run'), folder.at('r.jsonl')];
  writeFileSync(folder.at('x.npy'), npy([2, 3], [1, 2, 3, 0, 1, 0]));
  const lines = (): Line[] =>
    existsSync(jsonl)
      ? readFileSync(jsonl, 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line))
      : [];
  const words = ['watch', run, '--data', folder.at('x.npy'), '--backend', 'cpu'];
  const watch = () => start('src/cli.ts', ...words, '--jsonl', jsonl, '--tensorboard', folder.at('logs'));
  const first = watch();
  const training = start('test/files/saving-training.ts', run, '4');
  const trained = ended(training);
  while (lines().length === 0) {
    await pause(20);
  }
  const killed = ended(first);
  first.kill('SIGKILL');
  await killed;
  expect(await trained).toEqual([0, null]);
  const second = watch();
  const all = ['epoch-1', 'epoch-2', 'epoch-3', 'epoch-4', 'last'].map((name) => join(run, name, 'model.json'));
  const newest = () => lines().findLast(({ model }) => model === all[4]);
  while (new Set(lines().map(({ model }) => model)).size < 5) {
    await pause(20);
  }
  const stopped = ended(second);
  second.kill('SIGINT');
  expect(await stopped).toEqual([null, 'SIGINT']);
  const found = lines();
  const keys = found.map(({ model, savedMs }) => `${model} ${savedMs}`);
  expect(new Set(keys).size).toBe(keys.length);
  const epochs = found.filter(({ model }) => model !== all[4]);
  expect(epochs.map(({ model }) => model).sort()).toEqual(all.slice(0, 4));
  expect(epochs.every(({ model, step }) => model.includes(`epoch-${step}/`))).toBe(true);
  // The last that was overwritten is the last epoch's.
  const last = epochs.find(({ step }) => step === 4)!;
  expect(newest()!.minimumSharpness).toBe(last.minimumSharpness);
  expect(readdirSync(folder.at('logs')).length).toBeGreaterThan(0);
}, 120_000);

async function run(path: string, options: WatchCommandOptions) {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const complaints: [string, number][] = [];
  const random = options.data === undefined && { random: 3 };
  await watchCommand(path, { backend: 'cpu', once: true, ...random, ...options }, (line, code) =>
    complaints.push([line, code]),
  );
  const printed = out.mock.calls.map(([text]) => String(text)).join('');
  const notes = error.mock.calls.map(([line]) => String(line)).filter((line) => /step \d/.test(line));
  vi.restoreAllMocks();
  return { out: printed, notes, complaints };
}

test('two checkpoints of one step are told, once a run', async () => {
  for (const name of ['epoch-1-batch-500', 'epoch-1-batch-1000', 'epoch-2-batch-500', 'epoch-2-batch-1000']) {
    await saveModel(denseModel(), folder.at('shared', name), { loss: 'mse' });
  }
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  await run(folder.at('shared'), {});
  const notes = error.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('too, of which'));
  error.mockRestore();
  expect(notes).toEqual([
    expect.stringMatching(
      /epoch-(\d)-batch-\d+\/model\.json: step \1 is that of \S+epoch-\1-batch-\d+\/model\.json, too/,
    ),
  ]);
});

test('lines on standard output, and steps that are counted on', async () => {
  await saveModel(denseModel(), folder.at('two', 'best'), { loss: 'mse' });
  await saveModel(denseModel(), folder.at('two', 'e7'), { loss: 'mse' });
  const { out, complaints } = await run(folder.at('two'), { jsonl: '-' });
  expect(complaints).toEqual([]);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ run, step }) => [run, step])).toEqual([
    ['best', 0],
    [undefined, 7],
  ]);
  expect((await run(folder.at('two'), {})).out).toMatch(
    /^\S+best\/model\.json, step 0: Minimum Sharpness [\d.]+ \(.*\n\S+/,
  );
});

test('a damaged one costs a line, and wrong words and data one before anything is measured', async () => {
  mkdirSync(folder.at('bad'));
  writeFileSync(folder.at('bad', 'model.json'), '<html>');
  const bad = folder.at('bad', 'model.json');
  expect((await run(folder.at('bad'), {})).complaints).toEqual([[`${bad}: it is not whole: it is no JSON.`, 2]]);
  expect((await run('none', {})).complaints).toEqual([["'none' is no folder: there is none of that name.", 2]]);
  expect((await run(folder.at('bad'), { data: ['none.npy'] })).complaints).toEqual([
    ["cannot read 'none.npy': there is no such file.", 2],
  ]);
  expect((await run(folder.at('bad'), { jsonl: 's3://a/b.jsonl' })).complaints).toHaveLength(1);
});

test('several trainings are a run each, and a restart hides nothing of them', async () => {
  const [root, logs, jsonl] = [folder.at('sweep'), folder.at('sweep logs'), folder.at('sweep.jsonl')];
  const save = (...names: string[]) => saveModel(denseModel(), folder.at('sweep', ...names), { loss: 'mse' });
  for (const names of [['sgd', 'epoch-1'], ['sgd', 'epoch-2'], ['sgd', 'epoch-3'], ['adam', 'epoch-1'], ['best']]) {
    await save(...names);
  }
  const watch = () => run(root, { jsonl, tensorboard: logs });
  const { notes, complaints } = await watch();
  expect(complaints).toEqual([]);
  expect(notes.map((line) => line.slice(line.indexOf('sweep/')))).toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^sweep\/sgd\/epoch-\d\/model.json, run 'sgd': step \d, the number at 'epoch' in its name$/,
      ),
      "sweep/adam/epoch-1/model.json, run 'adam': step 1, the number at 'epoch' in its name",
      "sweep/best/model.json, run 'best': step 0, counted, since its name has no number that changes",
    ]),
  );
  expect(notes).toHaveLength(3);
  // Overwritten while nobody looked.
  await save('sgd', 'epoch-2');
  await save('best');
  expect((await watch()).complaints).toEqual([]);
  const points = readJsonLines<Line & { run?: string }>(jsonl).map(({ run: name, step }) => `${name} ${step}`);
  expect(points.sort()).toEqual(['adam 1', 'best 0', 'best 1', 'sgd 1', 'sgd 2', 'sgd 2', 'sgd 3']);
  const steps = async (name: string) => {
    const found: number[] = [];
    for (const files of (await eventFilesIn(join(logs, name))).values()) {
      await readEventFiles(files, (reading) => found.push((reading as Line).step));
    }
    return found.sort();
  };
  expect(readdirSync(logs).sort()).toEqual(['adam', 'best', 'sgd']);
  expect([await steps('sgd'), await steps('best')]).toEqual([
    [1, 2, 2, 3],
    [0, 1],
  ]);
});

test('a --tensorboard that cannot be written to costs a line before anything is measured', async () => {
  await saveModel(denseModel(), folder.at('one', 'epoch-1'), { loss: 'mse' });
  writeFileSync(folder.at('notes.txt'), 'mine');
  const tried = (tensorboard: string) => run(folder.at('one'), { tensorboard });
  const file = await tried(folder.at('notes.txt'));
  expect(file.complaints).toEqual([
    [`--tensorboard: cannot write to '${folder.at('notes.txt')}': it is a file, name a folder.`, 2],
  ]);
  expect((await tried(folder.at('notes.txt', 'logs'))).complaints).toEqual([
    [expect.stringMatching(/^--tensorboard: cannot write to '.*logs': '.*notes\.txt' is no folder\.$/), 2],
  ]);
  mkdirSync(folder.at('trained'));
  // As another thread of this program would have it open.
  const name = `events.out.tfevents.1700000000.${hostname()}.${process.pid}.${numberOfFile(0, 5)}.v2`;
  const open = openSync(folder.at('trained', name), 'a');
  const other = await tried(folder.at('trained'));
  closeSync(open);
  if (process.platform === 'linux') {
    expect(other.complaints).toEqual([
      [
        `--tensorboard: cannot write to '${folder.at('trained')}': thread 5 of this program is writing to it, name another folder.`,
        2,
      ],
    ]);
    expect(other.out).toBe('');
  }
  expect([file.out, readdirSync(folder.at('trained'))]).toEqual(['', [name]]);
});

test('where TensorBoard cannot have the folder of a run, its readings are told and kept, and others go on', async () => {
  const [logs, jsonl] = [folder.at('broken logs'), folder.at('broken.jsonl')];
  for (const names of [
    ['sgd', 'epoch-1'],
    ['adam', 'epoch-1'],
  ]) {
    await saveModel(denseModel(), folder.at('broken', ...names), { loss: 'mse' });
  }
  mkdirSync(logs);
  writeFileSync(join(logs, 'sgd'), 'a file');
  const { complaints } = await run(folder.at('broken'), { jsonl, tensorboard: logs });
  expect(complaints).toEqual([
    [expect.stringMatching(/^--tensorboard misses .*sgd\/epoch-1\/model\.json, step 1: .*cannot write to/), 1],
  ]);
  // Those that were saved in one millisecond have no order.
  expect(
    readJsonLines<Line & { run: string }>(jsonl)
      .map((line) => line.run)
      .sort(),
  ).toEqual(['adam', 'sgd']);
  expect(readdirSync(join(logs, 'adam'))).toHaveLength(1);
});
