import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { unzipSync, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { disposeModel, loadModelFile } from '../../src/files/model-file.js';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

test('a model of tf.js has its weights and its loss back', async () => {
  const model = denseModel();
  const [kernel] = model.getWeights();
  const values = await kernel!.data();
  await saveModel(model, folder.at('dense'), { loss: 'mse' });
  const before = tf.memory().numTensors;
  const loaded = await loadModelFile(folder.at('dense'));
  expect(await loaded.model.getWeights()[0]!.data()).toEqual(values);
  expect([loaded.training, loaded.notes]).toEqual([{ loss: 'mse' }, []]);
  disposeModel(loaded.model);
  expect(tf.memory().numTensors).toBe(before);
});

test('an inner model that is called twice is freed whole', async () => {
  const inner = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [2] })] });
  const a = tfl.input({ shape: [2] });
  const once = inner.apply(a) as tfl.SymbolicTensor;
  await saveModel(tfl.model({ inputs: a, outputs: inner.apply(once) as tfl.SymbolicTensor }), folder.at('twice'));
  const before = tf.memory().numTensors;
  disposeModel((await loadModelFile(folder.at('twice'))).model);
  expect(tf.memory().numTensors).toBe(before);
});

test('batch normalization along another axis than the last is told: wasm and cpu compute it otherwise than Keras', async () => {
  const notes = async (axis: number) => {
    const layers = [tfl.layers.batchNormalization({ axis, inputShape: [4, 3] })];
    const loaded = await loadModelFile(await saveModel(tfl.sequential({ layers }), folder.at(`axis${axis}`)));
    disposeModel(loaded.model);
    return loaded.notes;
  };
  expect(await notes(1)).toEqual([
    expect.stringMatching(/^Layer '.*' is a BatchNormalization along axis 1, which tf\.js computes otherwise/),
  ]);
  expect([await notes(2), await notes(-1)]).toEqual([[], []]);
});

test('random weights are those of their seed, and none are read', async () => {
  await saveModel(denseModel(), folder.at('random'));
  writeFileSync(folder.at('random', 'weights.bin'), '');
  const drawn = async (randomWeights: number) => {
    const { model } = await loadModelFile(folder.at('random'), { randomWeights });
    const values = await model.getWeights()[0]!.data();
    disposeModel(model);
    return values;
  };
  expect(await drawn(1)).toEqual(await drawn(1));
  expect(await drawn(1)).not.toEqual(await drawn(2));
});

test('a Normalization that has seen data, whose count is a whole number in the file', async () => {
  registerBuiltInLayers();
  const { Normalization } = tf.serialization.SerializationMap.getMap().classNameMap;
  const [Class, fromConfig] = Normalization!;
  const layer = fromConfig(Class, { axis: [-1], batchInputShape: [null, 2] } as tf.serialization.ConfigDict);
  const model = tfl.sequential({ layers: [layer as tfl.layers.Layer] });
  tf.tidy(() => model.setWeights([tf.tensor1d([1, 2]), tf.tensor1d([4, 9]), tf.scalar(70, 'int32')]));
  await saveModel(model, folder.at('adapted'));
  const { weightsManifest } = JSON.parse(readFileSync(folder.at('adapted', 'model.json'), 'utf8'));
  expect(weightsManifest[0].weights.map(({ dtype }: { dtype: string }) => dtype)).toEqual([
    'float32',
    'float32',
    'int32',
  ]);
  const loaded = await loadModelFile(folder.at('adapted'));
  expect(loaded.model.getWeights().map((weight) => [...weight.dataSync()])).toEqual([[1, 2], [4, 9], [70]]);
  disposeModel(loaded.model);
});

test('recurrent weights at random, which are orthogonal, and initializers that are a name', async () => {
  const file = JSON.parse(readFileSync('test/fixtures/keras/gru/model.json', 'utf8'));
  const text = JSON.stringify(file).replace(
    /"kernel_initializer": ?\{[^{}]*"config": ?\{[^{}]*\}[^{}]*\}/,
    '"kernel_initializer":"glorot_uniform"',
  );
  expect(text.length).toBeLessThan(JSON.stringify(file).length);
  writeFileSync(folder.at('named.json'), text);
  const drawn = async () => {
    const { model } = await loadModelFile(folder.at('named.json'), { randomWeights: 1 });
    const values = model.getWeights().map((weight) => [...weight.dataSync()]);
    disposeModel(model);
    return values;
  };
  const [a, b] = [await drawn(), await drawn()];
  expect(a).toEqual(b);
  expect(a.flat().every(Number.isFinite)).toBe(true);
});

test.each<[name: string, content: string | Uint8Array, line: RegExp]>([
  ['a.h5', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10), /cut off or damaged/],
  ['b.h5', 'x', /./],
  ['a.pb', 'x', /is no model of tf\.js layers or Keras/],
  ['a.onnx', 'x', /is no model/],
  ['a.keras', 'x', /cut off or damaged/],
  [
    'a.json',
    '{"modelTopology": {"class_name": "Sequential"}, "weightsManifest": [{"paths": [], "weights": []}]}',
    /no class_name and config/,
  ],
  [
    'b.json',
    '{"modelTopology": {"class_name": "Sequential", "config": {"layers": [{"class_name": "Nope", "config": {}}]}}, "weightsManifest": [{"paths": [], "weights": []}]}',
    /class Nope, which tf\.js does not know: --require/,
  ],
  [
    'c.json',
    '{"modelTopology": {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": 1, "activation": "celu"}}]}}, "weightsManifest": [{"paths": [], "weights": []}]}',
    /^it has the activation celu, which tf\.js does not know: --require a module that registers it with tf\.serialization\.registerClass\.$/,
  ],
])('%s', async (name, content, line) => {
  writeFileSync(folder.at(name), content);
  const before = tf.memory().numTensors;
  await expect(loadModelFile(folder.at(name))).rejects.toThrow(line);
  expect(tf.memory().numTensors).toBe(before);
});

test('weights of other shapes than the layers have are told with their layer', async () => {
  const files = unzipSync(readFileSync('test/fixtures/keras3/reg.keras'));
  const config = Buffer.from(files['config.json']!).toString().replace('"units": 7', '"units": 6');
  writeFileSync(folder.at('units.keras'), zipSync({ ...files, 'config.json': Buffer.from(config) }));
  const before = tf.memory().numTensors;
  await expect(loadModelFile(folder.at('units.keras'))).rejects.toThrow(
    /^layer 'dense[_\d]*' has weights of shapes \[5,6\], \[6\] in tf\.js, but \[5,7\], \[7\] in the file\.$/,
  );
  expect(tf.memory().numTensors).toBe(before);
});
