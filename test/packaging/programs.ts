import type * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect } from 'vitest';
import { type GoldenCase, goldenCases, goldenInputs, goldenModel } from '../measure/golden-network.js';
import type { PackedProject } from './packed-project.js';

/** What the program `everyDoor` finds: the same numbers wherever it runs. */
export interface EveryDoor {
  /** Minimum Sharpness of golden cases, by name. */
  readonly golden: Readonly<Record<string, number>>;
  /** A reading of a network with a layer whose rule came through `tfjs-sharpness/layers`. */
  readonly withRule: number;
  readonly history: Readonly<Record<string, readonly number[]>>;
  readonly streams: Readonly<Record<string, readonly number[]>>;
  readonly saved: SavedModel;
}

/** What `model.save` hands over, as JSON: of a model that is trained by SAM. */
export interface SavedModel {
  readonly weights: readonly number[];
}

/** What the program `loadSaved` finds. */
export interface Loaded {
  readonly optimizer: string;
  readonly minimumSharpness: number;
  /** Of one more epoch. */
  readonly loss: number;
}

export const goldenCase = (name: string): GoldenCase => goldenCases().find((golden) => golden.name === name)!;

const plain = (tensor: tf.Tensor) => ({ shape: tensor.shape, values: [...tensor.dataSync()] });

/** Models, weights and inputs of golden cases as plain data. */
async function goldenData(cases: readonly GoldenCase[]): Promise<string> {
  const data = [];
  for (const golden of cases) {
    const model = await goldenModel(golden);
    const { name, loss, topology } = golden;
    data.push({
      name,
      loss,
      topology,
      weights: model.getWeights().map(plain),
      inputs: plain(goldenInputs(golden, model)),
    });
  }
  return JSON.stringify(data);
}

/**
 * The text of an ES module that measures golden cases, and trains with something from each entry that runs in a page. Like
 * the other program, it leaves a promise of what it found in `globalThis.outcome`.
 */
export async function everyDoor(cases: readonly GoldenCase[], tfjs = '@tensorflow/tfjs'): Promise<string> {
  return `
import * as tf from '${tfjs}';
import { earlyStopping, measureSharpness, minimumSharpness } from 'tfjs-sharpness';
import { learningRateOf, lowerWhenRising, steer } from 'tfjs-sharpness/control';
import { registerLayerRule } from 'tfjs-sharpness/layers';
import { sam } from 'tfjs-sharpness/optimizers';
import { exponentialMovingAverage, layerTrace, withEpochLogs } from 'tfjs-sharpness/streams';

const cases = ${await goldenData(cases)};
const loss = 'categoricalCrossentropy';

async function measured() {
  const golden = {};
  for (const { name, loss, topology, weights, inputs } of cases) {
    const model = await tf.models.modelFromJSON({ modelTopology: topology });
    model.setWeights(weights.map(({ shape, values }) => tf.tensor(values, shape)));
    const reading = await measureSharpness(model, tf.tensor(inputs.values, inputs.shape), { loss });
    golden[name] = reading.minimumSharpness;
  }
  return golden;
}

function network(between = []) {
  const hidden = tf.layers.dense({ units: 2, activation: 'relu', inputShape: [2], name: 'hidden' });
  const head = tf.layers.dense({ units: 3, activation: 'softmax', name: 'head' });
  const model = tf.sequential({ layers: [hidden, ...between, head] });
  const weights = [[[0.5, -0.3], [0.2, 0.8]], [0.1, -0.2], [[0.7, -0.5, 0.1], [-0.4, 0.6, 0.3]], [0, 0.1, -0.1]];
  model.setWeights(weights.map((values) => tf.tensor(values)));
  return model;
}

class Passing extends tf.layers.Layer {
  call(inputs) {
    return Array.isArray(inputs) ? inputs[0] : inputs;
  }
  getClassName() {
    return 'Passing';
  }
}

async function everyDoor() {
  await tf.setBackend('cpu');
  const golden = await measured();
  const x = tf.tensor([[1, 2], [0.5, -1], [3, 1], [-1, 1]]);
  const y = tf.tensor([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]]);
  // Taken apart into nothing: it passes its input on, and with it the scale.
  registerLayerRule('Passing', () => []);
  const withRule = (await measureSharpness(network([new Passing({})]), x, { loss })).minimumSharpness;

  const model = network();
  model.compile({ optimizer: sam(tf.train.sgd(0.5), { rho: 0.05 }), loss });
  const sharpness = minimumSharpness({ data: x });
  const streams = { averages: [], traces: [], losses: [], learningRates: [] };
  const failed = (error) => { throw error; };
  sharpness.problems$.subscribe(({ message }) => failed(new Error(message)));
  sharpness.readings$.pipe(exponentialMovingAverage({ smoothing: 0.5 })).subscribe(({ smoothed }) => streams.averages.push(smoothed));
  sharpness.readings$.pipe(layerTrace('hidden')).subscribe(({ trace }) => streams.traces.push(trace));
  sharpness.readings$.pipe(withEpochLogs(sharpness.logs$)).subscribe(({ logs }) => streams.losses.push(logs.loss));
  const steering = steer(sharpness.readings$, lowerWhenRising({ window: 3, confidence: 0.6 }), learningRateOf(model));
  steering.values$.subscribe(({ value }) => streams.learningRates.push(value));
  const stopping = earlyStopping({
    monitor: 'minimumSharpness',
    patience: 3,
    restoreBestWeights: true,
    lossMargin: false,
  });
  const options = { epochs: 9, batchSize: 2, shuffle: false, verbose: 0, callbacks: [sharpness, stopping] };
  const { history } = await model.fit(x, y, options);

  let saved;
  const keep = ({ weightData, ...rest }) => {
    saved = { ...rest, weights: [...new Float32Array(weightData)] };
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  };
  await model.save({ save: async (artifacts) => keep(artifacts) }, { includeOptimizer: true });
  return { golden, withRule, history, streams, saved };
}

globalThis.outcome = everyDoor();
`;
}

/** The text of an ES module that loads a model that was saved with SAM, and trains it on. */
export function loadSaved(saved: SavedModel, tfjs = '@tensorflow/tfjs'): string {
  return `
import * as tf from '${tfjs}';
import { measureSharpness } from 'tfjs-sharpness';
import { registerOptimizers } from 'tfjs-sharpness/optimizers';

registerOptimizers();
const { weights, ...rest } = ${JSON.stringify(saved)};

async function loadSaved() {
  await tf.setBackend('cpu');
  const model = await tf.loadLayersModel({ load: async () => ({ ...rest, weightData: Float32Array.from(weights).buffer }) });
  const x = tf.tensor([[1, 2], [0.5, -1], [3, 1], [-1, 1]]);
  const y = tf.tensor([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]]);
  const { minimumSharpness } = await measureSharpness(model, x);
  const { history } = await model.fit(x, y, { epochs: 1, batchSize: 2, shuffle: false, verbose: 0 });
  return { optimizer: model.optimizer.getClassName(), minimumSharpness, loss: history.loss[0] };
}

globalThis.outcome = loadSaved();
`;
}

/** The same module for `require`. */
export const commonJs = (module: string): string =>
  module
    .replace(/^import \* as (\w+) from ('.*');$/gm, 'const $1 = require($2);')
    .replace(/^import (\{.*\}) from ('.*');$/gm, 'const $1 = require($2);');

/** Runs a program in Node, in a project where it is written. */
export function outcomeInNode<Outcome>(project: PackedProject, file: string): Outcome {
  const load = file.endsWith('.cjs') ? `require('./${file}');` : `await import('./${file}');`;
  const script = `(async () => { ${load} console.log(JSON.stringify(await globalThis.outcome)); })();`;
  // tf.js writes an advertisement before it.
  return JSON.parse(project.run(process.execPath, '-e', script).trim().split('\n').at(-1)!) as Outcome;
}

/** The same numbers to 1e-6, and something of each kind. */
export function expectSame(outcome: EveryDoor | Loaded, expected: EveryDoor | Loaded): void {
  const [found, wanted] = [outcome, expected].map((all) =>
    // The rest of a saved model says which version of tf.js wrote it.
    numbersOf('saved' in all ? { ...all, saved: all.saved.weights } : all),
  );
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  for (const [path, value] of wanted) {
    expect(Math.abs(found.get(path)! - value), path).toBeLessThanOrEqual(1e-6 * Math.abs(value));
  }
}

/** All that is in a value, by path; JSON's null is no number. */
function numbersOf(value: unknown, path = ''): Map<string, number> {
  if (typeof value === 'object' && value !== null) {
    return new Map(Object.entries(value).flatMap(([key, inner]) => [...numbersOf(inner, `${path}/${key}`)]));
  }
  return new Map(typeof value === 'number' ? [[path, value]] : [[`${path} is ${value}`, 0]]);
}
