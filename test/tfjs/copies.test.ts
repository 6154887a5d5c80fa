import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { checkSameEngine, secondCopyOfLayers } from '../../src/tfjs/copies.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { sam } from '../../src/training/optimizers/sam.js';

const require = createRequire(import.meta.url);
let folder: string;

/** A freshly copied and loaded tf.js: other modules, other classes. */
function secondCopy(name: string): { core: typeof tf; layers: typeof tfl } {
  const copy = join(folder, name);
  for (const project of ['tfjs-core', 'tfjs-layers', 'tfjs-backend-cpu']) {
    const from = dirname(require.resolve(`@tensorflow/${project}/package.json`));
    const { main } = require(join(from, 'package.json')) as { main: string };
    for (const file of ['package.json', main]) {
      cpSync(join(from, file), join(copy, 'node_modules', '@tensorflow', project, file));
    }
  }
  const load = createRequire(join(copy, 'index.js'));
  return { core: load('@tensorflow/tfjs-core'), layers: load('@tensorflow/tfjs-layers') };
}

function regression(layers: typeof tfl): tfl.LayersModel {
  const model = layers.sequential({ layers: [layers.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
}

beforeAll(() => {
  // Inside node_modules: the copies find what they depend on in the folders above.
  mkdirSync('node_modules/.cache', { recursive: true });
  folder = mkdtempSync(join(process.cwd(), 'node_modules/.cache/second-tfjs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a model of the same tf.js passes', () => {
  const model = regression(tfl);
  expect(() => checkSameEngine(model.weights, [tf.ones([1, 2])])).not.toThrow();
  model.dispose();
});

test('a disposed input is left to the check that names it', () => {
  const model = regression(tfl);
  const x = tf.ones([1, 2]);
  x.dispose();
  expect(() => checkSameEngine(model.weights, [x])).not.toThrow();
  model.dispose();
});

test('a second copy that shares the engine passes', () => {
  const second = secondCopy('shared');
  expect(second.core).not.toBe(tf);
  const model = regression(second.layers);
  expect(model).not.toBeInstanceOf(tfl.LayersModel);
  expect(() => checkSameEngine(model.weights, [second.core.ones([1, 2])])).not.toThrow();
  model.dispose();
});

test('a model of a second copy that shares the engine measures the same', async () => {
  const x = tf.randomNormal([16, 2]);
  const readings = [];
  for (const layers of [tfl, secondCopy('measured').layers]) {
    const model = layers.sequential();
    model.add(layers.layers.dense({ units: 4, inputShape: [2], activation: 'relu' }));
    model.add(layers.layers.batchNormalization());
    model.add(layers.layers.dense({ units: 3, activation: 'softmax' }));
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    model.setWeights(model.weights.map(({ shape }, i) => tf.randomUniform(shape as number[], 0.5, 1.5, 'float32', i)));
    const { minimumSharpness, parameters } = await measureSharpness(model, x);
    readings.push([minimumSharpness, ...parameters.map(({ trace }) => trace)]);
    model.dispose();
  }
  expect(readings[0]).toHaveLength(7);
  expect(readings[0]![0]).toBeGreaterThan(0);
  expect(readings[1]).toEqual(readings[0]);
});

test('a second copy with an engine of its own is refused in one line that says how to mend it', async () => {
  const scope = globalThis as { window?: unknown };
  scope.window = {};
  const second = secondCopy('separate');
  createRequire(join(folder, 'separate', 'index.js'))('@tensorflow/tfjs-backend-cpu');
  delete scope.window;
  await second.core.setBackend('cpu');
  const theirs = regression(second.layers);
  const ours = regression(tfl);
  const line = /^the model and tfjs-sharpness load different copies of tf\.js.*npm dedupe[^\n]*$/;
  expect(() => checkSameEngine(theirs.weights)).toThrow(line);
  await expect(measureSharpness(theirs, tf.ones([1, 2]))).rejects.toThrow(line);
  expect(() => checkSameEngine(ours.weights, [second.core.ones([1, 2])])).toThrow(line);
  expect(() => checkSameEngine(ours.weights, [tf.ones([1, 2])])).not.toThrow();
  ours.dispose();

  const optimizerLine = /^the optimizer and tfjs-sharpness load different copies of tf\.js.*npm dedupe[^\n]*$/;
  expect(() => sam(second.core.train.adam(), { rho: 0.1 })).toThrow(optimizerLine);
  // This one holds no tensor before its first step, and the model has none of ours.
  theirs.compile({ optimizer: sam(second.core.train.rmsprop(0.1), { rho: 0.1 }), loss: 'meanSquaredError' });
  await expect(theirs.trainOnBatch(second.core.ones([1, 2]), second.core.ones([1, 1]))).rejects.toThrow(line);
});

test('fit of a second tfjs-layers is told from a plain object standing first', async () => {
  const receivers: unknown[] = [];
  class Unbound extends tfl.Callback {
    override async onTrainBegin(): Promise<void> {
      receivers.push(this);
    }
  }
  const train = async (layers: typeof tfl, callbacks: tfl.Callback[]) => {
    const model = regression(layers);
    await model.fit(tf.ones([4, 2]), tf.ones([4, 1]), { epochs: 1, verbose: 0, callbacks });
    model.dispose();
  };
  await train(tfl, [new Unbound()]);
  await train(tfl, [{} as tfl.Callback, new Unbound()]);
  await train(secondCopy('fit').layers, [new Unbound()]);
  expect(receivers.map(secondCopyOfLayers)).toEqual([
    undefined,
    undefined,
    expect.stringMatching(/^the model and tfjs-sharpness load different copies of tfjs-layers[^\n]*npm dedupe[^\n]*$/),
  ]);
});

test('the callback says so, and training goes on', async () => {
  const model = regression(secondCopy('callback').layers);
  const sharpness = minimumSharpness({ data: tf.ones([4, 2]) });
  const messages: string[] = [];
  sharpness.problems$.subscribe(({ message }) => messages.push(message));
  const { epoch } = await model.fit(tf.ones([4, 2]), tf.ones([4, 1]), {
    epochs: 2,
    verbose: 0,
    callbacks: [sharpness],
  });
  expect(epoch).toEqual([0, 1]);
  expect(messages).toEqual([expect.stringMatching(/different copies of tfjs-layers/)]);
  sharpness.dispose();
  model.dispose();
});
