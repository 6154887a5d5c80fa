import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import * as backend from '../../src/files/backend.js';
import { type MeasureCommandOptions, measureCommand } from '../../src/files/measure-command.js';
import { denseModel, npy, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();
let models: string[];
beforeAll(async () => {
  models = [
    await saveModel(denseModel(), folder.at('one'), { loss: 'categorical_crossentropy' }),
    await saveModel(denseModel(), folder.at('two, "quoted"'), { loss: 'categorical_crossentropy' }),
  ];
  writeFileSync(folder.at('x.npy'), npy([2, 3], [1, 2, 3, 0, 1, 0]));
  writeFileSync(folder.at('y.npy'), npy([2], [0, 1]));
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function run(paths: string[], options: MeasureCommandOptions) {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const complaints: [string, number][] = [];
  out.mockClear();
  error.mockClear();
  const handlers = process.listenerCount('SIGINT');
  await measureCommand(paths, { backend: 'cpu', data: [folder.at('x.npy')], ...options }, (line, code) =>
    complaints.push([line, code]),
  );
  expect(process.listenerCount('SIGINT')).toBe(handlers);
  return {
    out: out.mock.calls.map(([text]) => String(text)).join(''),
    notes: error.mock.calls.map(([line]) => String(line)),
    complaints,
  };
}

test('a line for each reading, with its model where there are several', async () => {
  const { out, notes, complaints } = await run(models, {});
  const line = 'Minimum Sharpness [\\d.]+ \\(trace [\\d.]+, 2 samples, exact\\)';
  expect(out).toMatch(new RegExp(`^${models[0]}: ${line}\n.*two, "quoted": ${line}\n$`));
  expect([notes, complaints]).toEqual([[], []]);
  expect((await run(models.slice(0, 1), {})).out).toMatch(new RegExp(`^${line}\n$`));
});

test('JSON of one is the reading, of several a list, also where all but one are wrong', async () => {
  expect(JSON.parse((await run(models.slice(0, 1), { json: true })).out)).toMatchObject({
    model: models[0],
    samples: 2,
  });
  const { out, complaints } = await run(['none', models[0]!], { json: true });
  expect(JSON.parse(out)).toMatchObject([{ model: models[0] }]);
  expect(complaints).toEqual([["none: cannot read 'none': there is no such file.", 2]]);
  expect((await run(['none'], { json: true })).out).toBe('');
});

test('rows of CSV and JSON lines, printed or in files', async () => {
  const { out } = await run(models, { csv: '-' });
  const [header, first, second, ...rest] = out.split('\n');
  expect(header).toMatch(/^model,minimumSharpness,standardError,/);
  expect(first!.startsWith(`${models[0]},`)).toBe(true);
  expect(second).toContain('two, ""quoted""",');
  expect(rest).toEqual(['']);
  const lines = (await run(models, { jsonl: '-' })).out.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).model)).toEqual(models);
  expect((await run(models, { jsonl: folder.at('r.jsonl') })).out).toBe('');
  await run(models, { csv: folder.at('r.csv') });
  expect(readFileSync(folder.at('r.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
  const [columns, ...rows] = readFileSync(folder.at('r.csv'), 'utf8').trim().split('\n');
  expect(columns!.split(',')).toContain('model');
  expect(rows).toHaveLength(2);
});

test('no file is made where no model is measured, and a reading that a file misses is a failure', async () => {
  await run(['none.json'], { csv: folder.at('new/r.csv') });
  expect(existsSync(folder.at('new'))).toBe(false);
  // What is there at the start is gone, and a folder has its name, when the reading comes.
  writeFileSync(folder.at('taken.jsonl'), '');
  vi.spyOn(backend, 'backendStart').mockReturnValueOnce(async () => {
    rmSync(folder.at('taken.jsonl'));
    mkdirSync(folder.at('taken.jsonl'));
  });
  const { complaints } = await run(models.slice(0, 1), { jsonl: folder.at('taken.jsonl') });
  expect(complaints).toEqual([[expect.stringMatching(/^--jsonl: '.*' misses .*, Minimum Sharpness [\d.]+ .*: /), 1]]);
});

test('a file whose name has an equals sign is a file, and no input', async () => {
  copyFileSync(folder.at('x.npy'), folder.at('epoch=10.npy'));
  const back = process.cwd();
  process.chdir(folder.path);
  try {
    expect((await run(models.slice(0, 1), { data: ['epoch=10.npy'] })).complaints).toEqual([]);
  } finally {
    process.chdir(back);
  }
});

test('wrong files are told before the backend starts', async () => {
  const start = vi.fn(async () => {});
  vi.spyOn(backend, 'backendStart').mockReturnValue(start);
  await run(['none.json'], {});
  await run(models.slice(0, 1), { data: [folder.at('none.npy')] });
  await run(models.slice(0, 1), { expect: folder.at('none.bin') });
  expect(start).not.toHaveBeenCalled();
  await run(models, {});
  // For each model: what starts it knows whether it has.
  expect(start).toHaveBeenCalled();
});

test('a loss that was guessed is told once and stands in the reading', async () => {
  const model = await saveModel(denseModel(), folder.at('guessed'));
  const { out, notes } = await run([model], { json: true });
  const note =
    'The file does not say what the model was trained by: categoricalCrossentropy is taken, by its last activation.';
  expect(notes).toEqual([`tfjs-sharpness: ${model}: ${note}`]);
  expect(JSON.parse(out).assumptions).toContain(note);
});

test('methods', async () => {
  const reading = async (options: MeasureCommandOptions) =>
    JSON.parse((await run(models.slice(0, 1), { json: true, ...options })).out);
  expect(await reading({ random: 20, data: undefined, tolerance: 0.5 })).toMatchObject({ samples: 20 });
  expect(await reading({ method: 'hutchinson=2', labels: [folder.at('y.npy')] })).toMatchObject({
    method: 'hutchinson',
  });
  expect(await reading({ limit: 1, scale: 2, memory: 100 })).toMatchObject({ samples: 1 });
});

test.each<[options: MeasureCommandOptions, line: RegExp]>([
  [{ json: true, csv: '-' }, /^choose one of --json, --csv and --jsonl\.$/],
  [{ method: 'fast' }, /--method fast is not known: exact, pairs=256 or hutchinson=30/],
  [{ method: 'pairs' }, /--method pairs is not known/],
  [{ method: 'exact=3' }, /is not known/],
  [{ method: 'exact', tolerance: 0.1 }, /--tolerance is a method/],
  [{ random: 3 }, /^give either --data, .* or --random, how many to draw\.$/],
  [{ random: 3, scale: 2, data: undefined }, /leave --scale out/],
  [{ scale: 0 }, /^--scale 0 leaves nothing/],
  [{ data: ['a=1.npy', 'a=2.npy'] }, /^--data a=2\.npy: 'a' has a file already, 1\.npy\.$/],
  [{ csv: 'package.json' }, /^--csv: cannot write to 'package\.json': it is there, and no file of readings/],
  [{ data: ['a=x.npy', 'y.npy'] }, /--data y\.npy: of several files each is given with its name, --data NAME=FILE/],
  [{ limit: 1.5 }, /^--limit must be/],
  [{ require: ['./none.js'] }, /cannot load '\.\/none\.js'/],
  [{ jsonl: '/dev/null/x.jsonl' }, /^--jsonl: cannot write to '\/dev\/null\/x\.jsonl': '\/dev\/null' is no folder$/],
])('%j is refused in one line', async (options, line) => {
  const { out, complaints } = await run(models, options);
  expect(out).toBe('');
  expect(complaints).toEqual([[expect.stringMatching(line), 2]]);
  expect(complaints[0]![0]).not.toContain('\n');
});
