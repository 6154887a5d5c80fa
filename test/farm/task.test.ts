import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { type Checkpoint, type PlanOptions, planFor } from '../../src/farm/plan.js';
import { type MeasuredShare, measureShare, mergeShares, runTask } from '../../src/farm/task.js';
import { type FileReading, measureFiles } from '../../src/files/measure-files.js';
import { npy, testFolder } from '../files/saved-model.js';
import { saveCheckpoints, saveSamples } from './checkpoints.js';

/** It has no types of its own. */
const { PNG } = (await import('pngjs' as string)) as {
  readonly PNG: {
    new (size: { width: number; height: number }): object;
    readonly sync: { write(picture: object): Uint8Array };
  };
};

const folder = testFolder();
let model: string;
let data: string;
beforeAll(async () => {
  [model] = (await saveCheckpoints(folder.path, 1)) as [string];
  data = saveSamples(folder.at('x.npy'), 43);
});

const planned = async (options: PlanOptions, shards: number): Promise<Checkpoint> =>
  (await (await planFor({ backend: 'cpu', ...options }, shards))(model)).checkpoint;

async function inParts(options: PlanOptions, shards: number) {
  const checkpoint = await planned(options, shards);
  const shares: MeasuredShare[] = [];
  for (let index = 0; index < shards; index++) {
    // As they come over a wire.
    shares.unshift(JSON.parse(JSON.stringify(await measureShare(checkpoint, index))));
  }
  return (await mergeShares(checkpoint, shares)).reading;
}

async function whole(options: PlanOptions): Promise<FileReading> {
  for await (const result of measureFiles(model, { backend: 'cpu', ...options } as object)) {
    return result as FileReading;
  }
  throw new Error('no result');
}

test('exact readings in parts are those of one process', async () => {
  const classes = Array.from({ length: 43 }, (_, i) => i % 4);
  writeFileSync(folder.at('y.npy'), npy([43], classes));
  for (const options of [
    { data },
    { data, labels: folder.at('y.npy') },
    { data, limit: 17 },
    { random: 12, seed: 4 },
  ]) {
    const before = tf.memory().numTensors;
    const { durationMs: _, model: __, ...alone } = await whole({ ...options, method: 'exact' });
    const { loss, ...expected } = alone;
    const found = await inParts({ ...options, method: 'exact' }, 5);
    expect(found).toMatchObject(expected);
    // A mean of means.
    expect(found.loss ?? 0).toBeCloseTo(loss ?? 0, 12);
    expect(tf.memory().numTensors).toBe(before);
  }
});

test('sampled readings in parts are within their errors, and by the same seed the same', async () => {
  const options = { data, method: { pairs: 60 } } as const;
  const exact = await whole({ data, method: 'exact' });
  const [one, again, other] = [
    await inParts({ ...options, seed: 1 }, 3),
    await inParts({ ...options, seed: 1 }, 3),
    await inParts({ ...options, seed: 2 }, 3),
  ];
  expect(one.pairs).toBe(60);
  expect(one.standardError).toBeGreaterThan(0);
  expect(Math.abs(one.minimumSharpness - exact.minimumSharpness)).toBeLessThan(4 * one.standardError);
  expect(again.minimumSharpness).toBe(one.minimumSharpness);
  expect(other.minimumSharpness).not.toBe(one.minimumSharpness);
});

test('another version, and other bytes than those planned, are failures of the machine', async () => {
  const checkpoint = await planned({ data }, 2);
  const outcome = (changes: Partial<Checkpoint>) => runTask({ checkpoint: { ...checkpoint, ...changes }, index: 0 });
  expect(await outcome({ version: '9.9.9' })).toEqual({
    problem: expect.stringMatching(/^planned by tfjs-sharpness 9\.9\.9, which .* refuses/),
    kind: 'failure',
  });
  const other = { problem: expect.stringMatching(/^'.*' has other bytes than it had/), kind: 'failure' };
  expect(await outcome({ hash: '0' })).toEqual(other);
  expect(await runTask({ checkpoint: { ...checkpoint, hash: '0' }, shares: [] })).toEqual(other);
  expect(await outcome({ files: { [data]: '0' } })).toEqual(other);
  expect(await outcome({ model: '/none' })).toEqual({
    problem: expect.stringMatching(/^'\/none' cannot be read as it could/),
    kind: 'failure',
  });
  expect(await outcome({})).toHaveProperty('value');
});

test('data that changed under their name are not measured, though they were read before', async () => {
  const path = saveSamples(folder.at('changing.npy'), 9);
  const checkpoint = await planned({ data: path }, 1);
  expect(await runTask({ checkpoint, index: 0 })).toHaveProperty('value');
  saveSamples(path, 9, 8);
  const changed = await planned({ data: path }, 1);
  expect(await runTask({ checkpoint: changed, index: 0 })).toHaveProperty('value');
  expect(await runTask({ checkpoint, index: 0 })).toMatchObject({ kind: 'failure' });
});

test('images are read once, and are those of the plan', async () => {
  const images = folder.at('images');
  mkdirSync(`${images}/cat`, { recursive: true });
  const save = (name: string, value: number) =>
    writeFileSync(
      `${images}/cat/${name}.png`,
      PNG.sync.write(Object.assign(new PNG({ width: 4, height: 2 }), { data: Buffer.alloc(32, value) })),
    );
  save('1', 10);
  save('2', 20);
  // Each limit is read anew.
  const [first, second, third] = await Promise.all([1, 2, 3].map((limit) => planned({ data: images, limit }, 1)));
  expect(await runTask({ checkpoint: first!, index: 0 })).toMatchObject({ value: { sample: { samples: 1 } } });
  const other = { problem: expect.stringMatching(/^'.*images' has other bytes than it had/), kind: 'failure' };
  save('2', 30);
  expect(await runTask({ checkpoint: second!, index: 0 })).toEqual(other);
  writeFileSync(`${images}/cat/2.png`, 'damaged');
  expect(await runTask({ checkpoint: third!, index: 0 })).toEqual(other);
  // Planned as it is, it is what is wrong.
  expect(await runTask({ checkpoint: await planned({ data: images, limit: 4 }, 1), index: 0 })).toMatchObject({
    problem: expect.stringMatching(/is not an image that can be read/),
    kind: 'input',
  });
});

test('an array that is cut off was so when it was planned', async () => {
  const cut = folder.at('cut.npy');
  writeFileSync(cut, readFileSync(data).subarray(0, 200));
  expect(await runTask({ checkpoint: await planned({ data: cut }, 1), index: 0 })).toMatchObject({ kind: 'input' });
});

test('wrong input is told as such, and the tensors go', async () => {
  writeFileSync(folder.at('narrow.npy'), npy([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]));
  writeFileSync(folder.at('few.npy'), npy([2], [1, 2]));
  const outcome = async (options: PlanOptions, shards = 2) =>
    runTask({ checkpoint: await planned(options, shards), index: 1 });
  const before = tf.memory().numTensors;
  expect(await outcome({ data: folder.at('narrow.npy') })).toMatchObject({
    kind: 'input',
    problem: expect.stringMatching(/have shape \[4, 2\]/),
  });
  expect(await outcome({ data, labels: folder.at('few.npy') })).toMatchObject({
    kind: 'input',
    problem: expect.stringMatching(/has 2 samples/),
  });
  expect(await outcome({ data, expect: folder.at('narrow.npy') })).toMatchObject({
    problem: expect.stringMatching(/has 4 samples/),
  });
  expect(await outcome({ data }, 44)).toMatchObject({
    kind: 'input',
    problem: expect.stringMatching(/cannot be measured in 44 parts/),
  });
  expect(tf.memory().numTensors).toBe(before);
});
