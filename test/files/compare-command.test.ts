import { writeFileSync } from 'node:fs';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test, vi } from 'vitest';
import { type CompareCommandOptions, compareCommand } from '../../src/files/compare-command.js';
import { denseModel, npy, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();
let models: string[];
beforeAll(async () => {
  const training = { loss: 'categorical_crossentropy' };
  models = [
    await saveModel(denseModel(), folder.at('one'), training),
    await saveModel(denseModel('softmax', 3), folder.at('two'), training),
    await saveModel(denseModel(), folder.at('one again'), training),
  ];
  writeFileSync(folder.at('x.npy'), npy([2, 3], [1, 2, 3, 0, 1, 0]));
});

async function run(given: string[], options: CompareCommandOptions) {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const complaints: [string, number][] = [];
  await compareCommand(given, { backend: 'cpu', ...options }, (line, code) => complaints.push([line, code]));
  const printed = {
    out: out.mock.calls.map(([text]) => String(text)).join(''),
    notes: error.mock.calls.map(([line]) => String(line)),
    complaints,
  };
  vi.restoreAllMocks();
  return printed;
}

const data = () => [folder.at('x.npy')];

test('a table, with the difference to the first and the flattest', async () => {
  const { out, notes, complaints } = await run(models, { data: data() });
  const [head, one, two, again, , difference, best] = out.split('\n');
  expect(head).toMatch(/^model +Minimum Sharpness +trace +difference$/);
  expect(one).toMatch(/one +[\d.]+ +[\d.]+$/);
  expect(two).toMatch(/two +[\d.]+ +[\d.]+ +[+-][\d.]+ {2}(sharper|flatter)$/);
  expect(again).toMatch(/one again +[\d.]+ +[\d.]+ +0 {2}within noise$/);
  expect(difference).toBe(`Differences are to ${models[0]}.`);
  expect(best).toMatch(/^Flattest, whatever its loss, which --labels would bring: /);
  expect([notes, complaints]).toEqual([[], []]);
});

test('to another model, as JSON and CSV', async () => {
  const rows = JSON.parse((await run(models, { data: data(), json: true, to: models[1] })).out);
  expect(rows.map(({ model }: { model: string }) => model)).toEqual(models);
  expect(rows[0].difference).toBe(rows[0].minimumSharpness - rows[1].minimumSharpness);
  expect(rows[0]).toMatchObject({ differenceError: 0, parameters: expect.any(Array) });
  expect(rows[1]).not.toHaveProperty('difference');
  const lines = (await run(models, { data: data(), csv: true })).out.trim().split('\n');
  expect(lines[0]).toMatch(/^model,.*,difference,differenceError,paired,verdict$/);
  expect(lines[3]).toMatch(/,0,0,false,same$/);
});

test('readings that are there already, by model or step; the last of a model counts', async () => {
  const line = (more: object) =>
    `${JSON.stringify({ minimumSharpness: 2, standardError: 0, reliable: true, trace: 3, samples: 4, exact: true, ...more })}\n`;
  writeFileSync(
    folder.at('r.jsonl'),
    line({ model: 'a', minimumSharpness: 7 }) +
      line({ model: 'b', minimumSharpness: 3, standardError: 0.3 }) +
      '{"logs":{"loss":1}}\n' +
      line({ model: 'a' }) +
      line({ step: 5 }),
  );
  const table = await run([folder.at('r.jsonl')], {});
  expect(table.out).toMatch(/\nb +3\.00 ± 0\.30 +3 +\+1\.00 ± 0\.30 {2}sharper\n/);
  expect(table.out).toContain(', their errors the root of the sum of both squared.');
  const { out, complaints } = await run([folder.at('r.jsonl')], { json: true });
  expect(complaints).toEqual([]);
  expect(JSON.parse(out)).toMatchObject([
    { model: 'a', minimumSharpness: 2 },
    { model: 'b', difference: 1, verdict: 'sharper' },
    { model: `${folder.at('r.jsonl')}: step 5`, difference: 0 },
  ]);
  const both = await run([models[0]!, folder.at('r.jsonl')], { data: data(), json: true });
  expect(JSON.parse(both.out).map(({ model }: { model: string }) => model)).toEqual([
    models[0],
    'a',
    'b',
    expect.any(String),
  ]);
  expect(both.notes).toEqual(['tfjs-sharpness: Readings are of 2, 4 samples: compare those of the same data.']);
});

test('before and now: a reading of a file stands beside the one of the same model that is measured', async () => {
  const [model] = models as [string];
  const path = folder.at('before.jsonl');
  const before = { minimumSharpness: 0.5, standardError: 0, reliable: true, trace: 3, samples: 2, exact: true };
  writeFileSync(path, [model, 'none'].map((name) => `${JSON.stringify({ model: name, ...before })}\n`).join(''));
  const { out, complaints } = await run([path, model, 'none'], { data: data(), json: true, to: `${path}: ${model}` });
  const rows: { model: string; minimumSharpness: number; difference?: number }[] = JSON.parse(out);
  expect(rows.map((row) => row.model)).toEqual([`${path}: ${model}`, `${path}: none`, model]);
  expect(rows[2]!.difference).toBe(rows[2]!.minimumSharpness - 0.5);
  // It was not measured: its reading of before is not its own.
  expect(complaints).toEqual([[expect.stringMatching(/^none: /), 2]]);
});

test('a wrong model costs a line, and the others are compared', async () => {
  const { out, complaints } = await run(['none', ...models], { data: data() });
  expect(out).toContain(`Differences are to ${models[0]}.`);
  expect(complaints).toEqual([["none: cannot read 'none': there is no such file.", 2]]);
  const to = await run(['none', ...models.slice(0, 2)], { data: data(), to: 'none' });
  expect(to.out).not.toContain('difference');
  expect(to.out).toContain(models[1]);
  expect(to.complaints).toContainEqual(['--to none: it has no reading, so that there are no differences.', 2]);
});

test.each<[given: string[], options: CompareCommandOptions, line: RegExp]>([
  [['a'], { json: true, csv: true }, /^choose one of --json and --csv\.$/],
  [['a', 'b'], { to: 'c' }, /^--to c is none of what is compared: a, b\.$/],
  [['none.jsonl'], {}, /none\.jsonl/],
  [['package.jsonl'], { random: 3 }, /leave --random out/],
  [['package.jsonl'], { part: 0.1 }, /leave --part out/],
])('%j with %j is refused in one line', async (given, options, line) => {
  expect(await run(given, options)).toEqual({ out: '', notes: [], complaints: [[expect.stringMatching(line), 2]] });
});

test('sampled readings of models that are measured now have the error of the pairs that both have drawn', async () => {
  const twoLayers = () =>
    tfl.sequential({
      layers: [
        tfl.layers.dense({ inputShape: [3], units: 4, kernelInitializer: tfl.initializers.heNormal({ seed: 1 }) }),
        tfl.layers.reLU(),
        tfl.layers.dense({
          units: 3,
          activation: 'softmax',
          kernelInitializer: tfl.initializers.heNormal({ seed: 2 }),
        }),
      ],
    });
  const training = { loss: 'categorical_crossentropy' };
  const one = await saveModel(twoLayers(), folder.at('w1'), training);
  const other = await saveModel(twoLayers(), folder.at('w2'), training);
  const sampled = { random: 2000, method: 'pairs=200', json: true };
  const { out, complaints } = await run([one, other], sampled);
  expect(complaints).toEqual([]);
  const [first, second] = JSON.parse(out);
  expect(first.standardError).toBeGreaterThan(0);
  // The same network draws the same pairs.
  expect(second).toMatchObject({ difference: 0, differenceError: 0, paired: true, verdict: 'same' });
});

test('the loss is a column, and the flattest is one of those with a low one', async () => {
  const line = (model: string, minimumSharpness: number, loss: number) =>
    `${JSON.stringify({ model, minimumSharpness, loss, standardError: 0, reliable: true, trace: 3, samples: 4, exact: true })}\n`;
  writeFileSync(folder.at('l.jsonl'), line('start', 0.6, 1.6) + line('middle', 3, 0.109) + line('end', 4, 0.1));
  const { out } = await run([folder.at('l.jsonl')], {});
  expect(out).toMatch(/^model +Minimum Sharpness +trace +loss +difference\n/);
  expect(out.trim().split('\n').slice(-2)).toEqual([
    'Flattest at a loss of at most 10% above the lowest, 0.1: middle.',
    'Flatter, but at a higher loss, as networks are that have learned less: start (16 times the lowest).',
  ]);
});
