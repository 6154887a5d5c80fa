import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { methodOfShare, type PlanOptions, planFor, seedOf } from '../../src/farm/plan.js';
import { VERSION } from '../../src/farm/version.js';
import { denseModel, npy, saveModel, testFolder } from '../files/saved-model.js';

const folder = testFolder();
let model: string;
let data: string;
beforeAll(async () => {
  model = await saveModel(denseModel(), folder.at('model'), { loss: 'categorical_crossentropy' });
  data = folder.at('x.npy');
  writeFileSync(data, npy([4, 3], [1, 2, 3, 0, 1, 0, 4, 5, 6, 1, 1, 1]));
});
const idOf = async (path: string, options: PlanOptions, shards = 2) =>
  (await (await planFor(options, shards))(path)).id;

test('what a reading depends on makes its id, and paths do not', async () => {
  const id = await idOf(model, { data, method: 'exact' });
  cpSync(model, folder.at('copy'), { recursive: true });
  copyFileSync(data, folder.at('copy.npy'));
  expect(await idOf(`${folder.at('copy')}/model.json`, { data: folder.at('copy.npy'), method: 'exact' })).toBe(id);
  const weights = readFileSync(folder.at('copy/weights.bin'));
  weights[0]! ^= 1;
  writeFileSync(folder.at('copy/weights.bin'), weights);
  writeFileSync(folder.at('other.npy'), npy([4, 3], [1, 2, 3, 0, 1, 0, 4, 5, 6, 1, 1, 2]));
  const others = await Promise.all([
    idOf(folder.at('copy'), { data, method: 'exact' }),
    idOf(model, { data: folder.at('other.npy'), method: 'exact' }),
    idOf(model, { data: { dense_input: data }, method: 'exact' }),
    idOf(model, { data, method: { pairs: 4 } }),
    idOf(model, { data, method: 'exact', seed: 1 }),
    idOf(model, { data, method: 'exact', limit: 3 }),
    idOf(model, { data, method: 'exact', backend: 'cpu' }),
    idOf(model, { data, method: 'exact', labels: data }),
    idOf(model, { data, method: 'exact' }, 3),
  ]);
  expect(new Set([id, ...others]).size).toBe(others.length + 1);
});

test('a checkpoint is plain data, with absolute paths and what files hold', async () => {
  const { checkpoint } = await (await planFor({ data: 'test/fixtures/keras3/../../farm/../../package.json' }, 1))(
    model,
  );
  expect(JSON.parse(JSON.stringify(checkpoint))).toEqual(JSON.parse(JSON.stringify(checkpoint)));
  expect(checkpoint).toMatchObject({ version: VERSION, model, options: { data: `${process.cwd()}/package.json` } });
  expect(Object.keys(checkpoint.files)).toEqual([`${process.cwd()}/package.json`]);
});

test('seeds of parts differ, in a plan and between plans', async () => {
  const seeds: number[] = [];
  for (const seed of [0, 1, 7]) {
    const { checkpoint } = await (await planFor({ data, seed }, 3))(model);
    seeds.push(...[0, 1, 2].map((index) => seedOf(checkpoint, index)));
  }
  expect(new Set(seeds).size).toBe(9);
});

test('pairs are shared out, a tolerance is not', async () => {
  const methodOf = async (method: PlanOptions['method']) =>
    methodOfShare((await (await planFor({ data, method }, 3))(model)).checkpoint);
  expect(await methodOf({ pairs: 256 })).toEqual({ pairs: 86 });
  expect(await methodOf({ tolerance: 0.1 })).toEqual({ tolerance: 0.1 });
  expect(await methodOf('exact')).toBe('exact');
});

describe('what cannot be measured in parts is refused at once', () => {
  test.each<[PlanOptions, number, RegExp]>([
    [{ data: 'x.mjs' }, 2, /^'x.mjs' is a module/],
    [{ data: 'none.npy' }, 2, /there is no such file/],
    [
      { random: 10, method: { hutchinson: 3 } },
      2,
      /^--method hutchinson goes without .* cannot be put together from parts/,
    ],
    [{ random: 10 }, 0, /^--shards must be a whole number/],
    [{}, 1, /pass either data/],
  ])('%j in %i', async (options, shards, message) => {
    await expect(planFor(options, shards)).rejects.toThrow(message);
  });
});
