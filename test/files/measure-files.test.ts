import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MeasureFilesOptions, measureFiles } from '../../src/files/measure-files.js';
import { disposeModel, loadModelFile } from '../../src/files/model-file.js';
import { readNpy } from '../../src/files/npy.js';
import { measureSharpness } from '../../src/index.js';
import { autodiffTraces } from '../brute-force/autodiff-traces.js';

const keras = 'test/fixtures/keras';
const keras3 = 'test/fixtures/keras3';

async function first(model: string, options: MeasureFilesOptions) {
  for await (const result of measureFiles(model, options)) {
    return 'problem' in result ? result.problem : result;
  }
  throw new Error('nothing came');
}

const cases: [model: string, data: MeasureFilesOptions['data']][] = [
  ['audio', `${keras}/audio/x0.bin`],
  ['gru', `${keras}/gru/x0.bin`],
  ['k3', `${keras}/k3/x0.bin`],
  ['k3/model.keras3.json', `${keras}/k3/x0.bin`],
  ['resnet', `${keras}/resnet/x0.bin`],
  ['unet', `${keras}/unet/x0.bin`],
  ['siamese', { left: `${keras}/siamese/x0.bin`, right: `${keras}/siamese/x1.bin` }],
];

test.each(cases)('%s has the Minimum Sharpness of the reference', async (model, data) => {
  const { minimumSharpness, trace } = JSON.parse(readFileSync(`${keras}/${model.split('/')[0]}/expected.json`, 'utf8'));
  const before = tf.memory().numTensors;
  const reading = await first(`${keras}/${model}`, { data });
  expect(tf.memory().numTensors).toBe(before);
  expect(reading).toMatchObject({ model: `${keras}/${model}` });
  const found = reading as { minimumSharpness: number; trace: number };
  expect(Math.abs(found.minimumSharpness / minimumSharpness - 1)).toBeLessThan(1e-3);
  expect(Math.abs(found.trace / trace - 1)).toBeLessThan(1e-3);
});

test.each([
  ['reg', 'reg_x.npy'],
  ['two', 'two.npz'],
])('%s.keras predicts what Keras predicts', async (name, data) => {
  const reading = await first(`${keras3}/${name}.keras`, {
    data: `${keras3}/${data}`,
    expect: `${keras3}/${name}_y.npy`,
  });
  expect(reading).toMatchObject({ exact: expect.any(Boolean) });
});

const hdf5 = 'test/fixtures/keras-h5';

test.each([
  ...['images', 'steps', 'chain', 'frozen'].flatMap((name) => [`${name}-keras2`, `${name}-keras3`]),
  'blocks-keras3',
])('%s.h5 predicts what Keras predicts', async (name) => {
  const before = tf.memory().numTensors;
  const data = { data: `${hdf5}/${name}-x.npy`, expect: `${hdf5}/${name}-y.npy` };
  const reading = (await first(`${hdf5}/${name}.h5`, data)) as {
    minimumSharpness: number;
    assumptions: readonly string[];
  };
  expect(tf.memory().numTensors).toBe(before);
  expect(reading).toMatchObject({ minimumSharpness: expect.any(Number) });
  // The file says it.
  expect(reading.assumptions.join()).not.toContain('does not say what the model was trained by');
});

test.each(['images', 'blocks'])('%s is the same as an archive and in HDF5', async (name) => {
  const data = `${hdf5}/${name}-keras3-x.npy`;
  const [archive, file] = [
    await first(`${hdf5}/${name}-keras3.keras`, { data }),
    await first(`${hdf5}/${name}-keras3.h5`, { data }),
  ] as { minimumSharpness: number; parameters: readonly object[] }[];
  expect(file!.parameters).toEqual(archive!.parameters);
  expect(file!.minimumSharpness).toBe(archive!.minimumSharpness);
});

test('layers that Keras has and tf.js has not have the traces that tf.js gradients give', async () => {
  const { model } = await loadModelFile(`${hdf5}/blocks-keras3.keras`);
  const { shape, values } = readNpy('x', readFileSync(`${hdf5}/blocks-keras3-x.npy`));
  const x = tf.tensor(values as Float32Array, [...shape]);
  // Of all that the model puts out, its softmax included.
  const loss = 'meanSquaredError';
  const expected = await autodiffTraces(model, [{ loss }], [x]);
  const { parameters } = await measureSharpness(model, x, { loss });
  expect(parameters.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
  for (const { name, trace } of parameters) {
    expect(expected.get(name)).toBeGreaterThan(1e-7);
    expect(trace / expected.get(name)!).toBeCloseTo(1, 3);
  }
  x.dispose();
  disposeModel(model);
});

test('labels are the column of that name, whatever stands beside it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'labels-'));
  try {
    const { shape } = readNpy('x', readFileSync(`${keras3}/reg_x.npy`));
    const rows = Array.from({ length: shape[0]! }, (_, i) => i);
    writeFileSync(join(folder, 'alone.csv'), `label\n${rows.map(() => '0\n').join('')}`);
    writeFileSync(join(folder, 'ids.csv'), `id,label\n${rows.map((i) => `${i},0\n`).join('')}`);
    writeFileSync(join(folder, 'both.json'), JSON.stringify({ xs: rows.map((i) => [i]), ys: rows.map(() => [0]) }));
    const lossBy = async (name: string) =>
      (await first(`${keras3}/reg.keras`, { data: `${keras3}/reg_x.npy`, labels: join(folder, name) })) as {
        loss: number;
      };
    const { loss } = await lossBy('alone.csv');
    expect(loss).toEqual(expect.any(Number));
    expect((await lossBy('ids.csv')).loss).toBe(loss);
    expect((await lossBy('both.json')).loss).toBe(loss);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the same seed gives the same random weights and samples', async () => {
  const options = { random: 4, randomWeights: true, seed: 3 };
  const [a, b] = [await first(`${keras}/k3`, options), await first(`${keras}/k3`, options)];
  expect((a as { trace: number }).trace).toBe((b as { trace: number }).trace);
  const other = await first(`${keras}/k3`, { ...options, seed: 4 });
  expect((a as { trace: number }).trace).not.toBe((other as { trace: number }).trace);
});

describe('of wrong files one line says what is wrong', () => {
  let folder: string;
  const data = `${keras}/k3/x0.bin`;
  const model = () => JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const write = (change: (file: ReturnType<typeof model>) => void) => {
    const file = model();
    change(file);
    writeFileSync(join(folder, 'changed.json'), JSON.stringify(file));
    return join(folder, 'changed.json');
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'measure-files-'));
    cpSync(`${keras}/k3`, folder, { recursive: true });
    cpSync(join(folder, 'w.bin'), join(folder, 'short.bin'));
    truncateSync(join(folder, 'short.bin'), 100);
    writeFileSync(join(folder, 'page.json'), '<!doctype html><html></html>');
    writeFileSync(join(folder, 'cut.json'), '{"modelTopology": {');
    writeFileSync(join(folder, 'broken.keras'), readFileSync(`${keras3}/reg.keras`).subarray(0, 900));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each<[kind: string, path: () => string, line: RegExp]>([
    ['none', () => join(folder, 'none.json'), /there is no such file/],
    ['HTML', () => join(folder, 'page.json'), /a page of HTML/],
    ['cut JSON', () => join(folder, 'cut.json'), /cut off or damaged/],
    ['cut archive', () => join(folder, 'broken.keras'), /cut off or damaged/],
    [
      'cut shard',
      () => write((m) => (m.weightsManifest[0].paths = ['short.bin'])),
      /100 bytes of weights, but .* 1856/,
    ],
    ['no shard', () => write((m) => (m.weightsManifest[0].paths = ['none.bin'])), /there is no such file/],
    ['path outside', () => write((m) => (m.weightsManifest[0].paths = ['../x'])), /outside of the model's folder/],
    [
      'absolute path',
      () => write((m) => (m.weightsManifest[0].paths = ['/etc/hosts'])),
      /outside of the model's folder/,
    ],
    ['no weights', () => write((m) => delete m.weightsManifest), /weights are missing/],
    ['graph model', () => write((m) => (m.format = 'graph-model')), /is a graph model/],
    ['no topology', () => write((m) => delete m.modelTopology), /no modelTopology/],
    [
      'a strange layer',
      () => write((m) => (m.modelTopology.model_config.config.layers[1].class_name = 'Mine')),
      /class Mine, which tf\.js does not know: --require/,
    ],
  ])('%s', async (_, path, line) => {
    const problem = await first(path(), { data });
    expect(problem).toMatch(line);
    expect(problem).not.toContain('\n');
  });
});
