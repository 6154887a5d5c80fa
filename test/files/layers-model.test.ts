import { expect, test } from 'vitest';
import { readLayersModel } from '../../src/files/layers-model.js';

const topology = { class_name: 'Sequential', config: {} };
const shard = (length: number) => Uint8Array.from({ length }, (_, i) => i);
const files: Record<string, Uint8Array> = { a: shard(8), b: shard(4), page: Buffer.from('<!DOCTYPE html><p>') };
const place = { read: async (name: string) => files[name]! };
const read = (file: unknown, withWeights = true) =>
  readLayersModel('m.json', place, Buffer.from(JSON.stringify(file)), withWeights);
const weight = (name: string, shape: number[], more = {}) => ({ name, shape, dtype: 'float32', ...more });

test('topology, loss and weights of all groups, in whichever of the known places', async () => {
  const weightsManifest = [
    { paths: ['a', 'b'], weights: [weight('k', [3])] },
    { paths: ['b'], weights: [weight('q', [4], { quantization: { dtype: 'uint8', min: 0, scale: 1 } })] },
  ];
  const { weights, ...content } = await read({
    modelTopology: { model_config: topology, training_config: { loss: 'mse' } },
    weightsManifest,
  });
  expect(content).toEqual({ topology, training: { loss: 'mse' } });
  expect(weights!.specs.map(({ name }) => name)).toEqual(['k', 'q']);
  expect([...new Uint8Array(weights!.data)]).toEqual([...shard(8), ...shard(4), ...shard(4)]);
  expect(await read({ modelTopology: topology, trainingConfig: { loss: 'mae' } }, false)).toEqual({
    topology,
    training: { loss: 'mae' },
  });
  expect((await read(topology, false)).topology).toEqual(topology);
});

const manifest = (...weightsManifest: unknown[]) => ({ modelTopology: topology, weightsManifest });

test.each<[kind: string, file: unknown, line: RegExp]>([
  ['a list', [], /is JSON, but not a model/],
  [
    'weights of face-api.js',
    [{ weights: [], paths: ['x'] }],
    /'m\.json' lists weights, and does not say what the layers are/,
  ],
  ['a graph model', { format: 'graph-model', modelTopology: {} }, /is a graph model, which has no layers/],
  ['a graph model of old', { modelTopology: { node: [], library: {} } }, /is a graph model/],
  ['something else', { a: 1 }, /has no modelTopology/],
  ['no weights', { modelTopology: topology }, /its weights are missing: --random-weights/],
  ['a group without paths', manifest({ weights: [] }), /Manifest is damaged: every group has paths/],
  ['a path that is none', manifest({ paths: [3], weights: [] }), /a path is 3\./],
  [
    'a weight without a shape',
    manifest({ paths: ['a'], weights: [{ name: 'k', dtype: 'float32' }] }),
    /a weight is \{"name":"k"/,
  ],
  [
    'a weight of a type that there is not',
    manifest({ paths: ['a'], weights: [weight('k', [2], { dtype: 'float8' })] }),
    /a weight is/,
  ],
  ['a negative shape', manifest({ paths: ['a'], weights: [weight('k', [-2])] }), /a weight is/],
  [
    'a shard cut off',
    manifest({ paths: ['a'], weights: [weight('k', [3])] }),
    /'a': 8 bytes of weights, but 'm\.json' speaks of 12: cut off/,
  ],
  [
    'a shard of another model',
    manifest({ paths: ['a'], weights: [weight('k', [1])] }),
    /8 bytes .* of 4: of another model/,
  ],
  [
    'a page for a shard',
    manifest({ paths: ['page'], weights: [weight('k', [3])] }),
    /'page' is not weights but a page of HTML/,
  ],
])('%s', async (_, file, line) => {
  await expect(read(file)).rejects.toThrow(line);
  await expect(read(file)).rejects.toThrow(/^[^\n]*$/);
});
