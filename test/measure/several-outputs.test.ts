import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { autodiffTraces, type ReferenceHead } from '../brute-force/autodiff-traces.js';
import { lossValue, outputHessian } from '../brute-force/output-hessian.js';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
const through = (x: Symbolic | Symbolic[], ...stack: tfl.layers.Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;

let counter = 0;
afterEach(() => {
  vi.restoreAllMocks();
});

function built(inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[], seed = 11): tfl.LayersModel {
  const model = tfl.model({ inputs, outputs });
  setGoldenWeights(model, seed);
  return model;
}

/** Deterministic numbers of [-1, 1]. */
const noise = (shape: number[], seed = 3) => tf.randomUniform(shape, -1, 1, 'float32', seed);

/** Measures, and checks every trace against the definition. */
async function expectTraces(
  model: tfl.LayersModel,
  inputs: tf.Tensor[],
  heads: readonly ReferenceHead[],
  options: MeasureOptions,
  measured: tfl.LayersModel = model,
): Promise<SharpnessReading> {
  const expected = await autodiffTraces(model, heads, inputs);
  const total = [...expected.values()].reduce((sum, trace) => sum + trace, 0);
  const tensors = tf.memory().numTensors;
  const reading = await measureSharpness(measured, inputs, options);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(reading.parameters.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
  for (const { name, trace } of reading.parameters) {
    const allowed = 1e-4 * expected.get(name)! + 1e-8 * total;
    expect(Math.abs(trace - expected.get(name)!), `${name}: ${trace}, not ${expected.get(name)}`).toBeLessThan(allowed);
  }
  expect(Math.abs(reading.trace / total - 1)).toBeLessThan(1e-4);
  expect(reading.minimumSharpness).toBeLessThanOrEqual(reading.trace * (1 + 1e-6));
  return reading;
}

/** A shared layer in a residual branch, and two outputs that hang on different places. */
function branching() {
  const x = tfl.input({ shape: [6] });
  const trunk = through(x, layers.dense({ units: 5, activation: 'relu', name: `trunk_${++counter}` }));
  const shared = layers.dense({ units: 5, activation: 'relu', name: `shared_${counter}` });
  const once = through(trunk, shared);
  const residual = through([trunk, through(once, shared)], layers.add());
  const first = through(once, layers.dense({ units: 3, name: `first_${counter}` }));
  const second = through(residual, layers.dense({ units: 4, name: `second_${counter}` }));
  return { model: built(x, [first, second]), names: [`first_${counter}`, `second_${counter}`] as const };
}

describe('several outputs', () => {
  const losses = ['softmaxCrossEntropy', 'meanSquaredError'] as const;

  it('add up with their weights, shared layers and residual branches included', async () => {
    const { model, names } = branching();
    const x = noise([4, 6]);
    const heads = [
      { loss: losses[0], lossWeight: 2 },
      { loss: losses[1], lossWeight: 0.25 },
    ];
    const listed = await expectTraces(model, [x], heads, { loss: losses, lossWeights: [2, 0.25] });
    const named = await measureSharpness(model, x, {
      loss: { [names[1]]: losses[1], [names[0]]: losses[0] },
      lossWeights: { [names[1]]: 0.25, [names[0]]: 2 },
    });
    expect(named.minimumSharpness).toBe(listed.minimumSharpness);
    expect(listed.assumptions.join(' ')).toContain(`'${names[0]}' (weight 2), '${names[1]}' (weight 0.25)`);
    expect(listed.exact).toBe(false); // a layer is called twice
    expect(listed.pairs).toBe(4 * (2 + 4));
    x.dispose();
  });

  it('take the compiled losses, each its own', async () => {
    const { model, names } = branching();
    const x = noise([4, 6]);
    const explicit = await measureSharpness(model, x, { loss: losses });
    for (const loss of [
      [tf.losses.softmaxCrossEntropy, losses[1]],
      { [names[1]]: losses[1], [names[0]]: tf.losses.softmaxCrossEntropy },
    ]) {
      model.compile({ optimizer: 'sgd', loss: loss as never });
      expect((await measureSharpness(model, x)).minimumSharpness).toBe(explicit.minimumSharpness);
      model.optimizer.dispose();
    }
    x.dispose();
  });

  it('that are left out do not count, nor the layers that only they need', async () => {
    const { model, names } = branching();
    const x = noise([4, 6]);
    const alone = tfl.model({ inputs: model.inputs, outputs: model.outputs[0]! });
    const expected = await measureSharpness(alone, x, { loss: losses[0] });
    for (const options of [{ loss: { [names[0]]: losses[0] } }, { loss: losses, lossWeights: [1, 0] }]) {
      const reading = await measureSharpness(model, x, options);
      expect(reading.parameters).toEqual(expected.parameters);
      expect(reading.minimumSharpness).toBe(expected.minimumSharpness);
      expect(reading.assumptions.join(' ')).toContain(`'${names[1]}' have no loss`);
    }
    x.dispose();
  });

  it('may read the z of each other, and end in softmax and sigmoid', async () => {
    const make = (softmax: boolean) => {
      const x = tfl.input({ shape: [5] });
      const a = layers.dense({ units: 3, name: `a_${++counter}` }).apply(x) as Symbolic;
      const b = through(a, layers.reLU(), layers.dense({ units: 2, name: `b_${counter}` }));
      const end = (z: Symbolic, activation: 'softmax' | 'sigmoid') => through(z, layers.activation({ activation }));
      return built(x, softmax ? [end(a, 'softmax'), end(b, 'sigmoid')] : [a, b]);
    };
    const x = noise([5, 5]);
    const heads = [{ loss: 'softmaxCrossEntropy' }, { loss: 'sigmoidCrossEntropy' }] as const;
    const [logits, probabilities] = [make(false), make(true)];
    const reading = await expectTraces(logits, [x], heads, { loss: heads.map(({ loss }) => loss) });
    const same = await measureSharpness(probabilities, x, { loss: ['categoricalCrossentropy', 'binaryCrossentropy'] });
    expect(same.minimumSharpness / reading.minimumSharpness).toBeCloseTo(1, 6);
    // Both heads pin the scale of `a`, which is z of one of them.
    expect(reading.scales).toEqual([]);
    // Neither blocks of `a`, which both heads reach, nor of `b` may be taken from a closed form that misses a head.
    const seeds = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((seed) =>
        measureSharpness(logits, x, { loss: heads.map(({ loss }) => loss), method: { pairs: 14 }, seed }),
      ),
    );
    const mean = seeds.reduce((sum, { trace }) => sum + trace, 0) / seeds.length;
    expect(Math.abs(mean / reading.trace - 1)).toBeLessThan(0.2);
    for (const { parameters } of seeds) {
      expect(parameters[0]!.standardError).toBeGreaterThan(0);
      expect(parameters[2]!.trace / reading.parameters[2]!.trace).toBeCloseTo(1, 5);
      expect(parameters[2]!.standardError).toBe(0);
    }
    x.dispose();
  });

  it('have weights of samples and classes each, by name', async () => {
    const { model, names } = branching();
    const x = noise([4, 6]);
    const ofFirst = [1, 0, 2, 0.5];
    const ofSecond = [0.25, 1, 0, 3];
    const heads = [
      { loss: losses[0], weights: ofFirst },
      { loss: losses[1], weights: ofSecond },
    ];
    const sampleWeight = { [names[0]]: ofFirst, [names[1]]: ofSecond };
    await expectTraces(model, [x], heads, { loss: losses, sampleWeight });
    const classes = [0, 2, 1, 1];
    const classWeight = { 0: 1, 1: 4, 2: 0.5 };
    const weights = classes.map((k, n) => classWeight[k as 0] * ofFirst[n]!);
    const labels = [tf.oneHot(classes, 3), tf.zeros([4, 4])];
    const column = [tf.tensor2d(classes, [4, 1]), labels[1]!];
    for (const given of [labels, column]) {
      await expectTraces(model, [x], [{ loss: losses[0], weights }, heads[1]!], {
        loss: losses,
        sampleWeight,
        classWeight: { [names[0]]: classWeight },
        labels: given,
      });
    }
    tf.dispose([x, labels, column]);
  });

  it('with losses of the wrong number or name get one line', async () => {
    const { model, names } = branching();
    const x = noise([2, 6]);
    const refused = (options: MeasureOptions) =>
      measureSharpness(model, x, options).catch((error: Error) => error.message);
    expect(await refused({ loss: ['meanSquaredError'] })).toMatch(/^loss: 1 are given for 2 outputs/);
    expect(await refused({ loss: { nobody: 'meanSquaredError' } })).toMatch(/no output 'nobody', only first/);
    expect(await refused({ loss: losses, lossWeights: [1] })).toMatch(/^lossWeights: 1 are given for 2 outputs/);
    expect(await refused({ loss: losses, lossWeights: [0, 0] })).toMatch(/^lossWeights: \[0,0\]/);
    expect(await refused({ loss: losses, lossWeights: [1, -1] })).toMatch(/^lossWeights/);
    expect(await refused({ loss: { [names[0]]: losses[0] }, lossWeights: { [names[0]]: 0, [names[1]]: 1 } })).toMatch(
      /No output has a loss/,
    );
    x.dispose();
  });
});

/** [N, 4, 3] -> logits [N, 4, 3] at every position, with neighbours in between. */
function tagger() {
  const x = tfl.input({ shape: [4, 3] });
  const hidden = through(
    x,
    layers.conv1d({ filters: 4, kernelSize: 2, padding: 'same', activation: 'relu', name: `conv_${++counter}` }),
    layers.dense({ units: 3, name: `tags_${counter}` }),
  );
  return built(x, hidden);
}

describe('outputs with positions', () => {
  it.each(['softmaxCrossEntropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const)(
    'count as the mean over positions: %s',
    async (loss) => {
      const model = tagger();
      const x = noise([3, 4, 3]);
      const reading = await expectTraces(model, [x], [{ loss }], { loss, memoryMB: 1 });
      expect(reading.pairs).toBe(3 * 4 * (loss === 'softmaxCrossEntropy' ? 2 : 3));
      expect(reading.assumptions.join(' ')).toContain('mean over positions');
      // In chunks of a few columns too.
      const small = await measureSharpness(model, x, { loss, memoryMB: 0.003 });
      expect(small.trace / reading.trace).toBeCloseTo(1, 5);
      x.dispose();
    },
  );

  it('take weights of samples, positions and classes, alone and together', async () => {
    const model = tagger();
    const x = noise([3, 4, 3]);
    const loss = 'softmaxCrossEntropy';
    const ofSamples = [0.5, 0, 2];
    const ofPositions = [1, 0, 2, 0.5, 1, 1, 0, 3, 0.25, 1, 1, 2];
    const classes = [0, 1, 2, 1, 0, 0, 2, 2, 1, 1, 0, 2];
    const classWeight = { 0: 1, 1: 3, 2: 0.5 };
    const everyPosition = (weights: number[]) => weights.flatMap((w) => [w, w, w, w]);
    const ofClasses = classes.map((k) => classWeight[k as 0]);
    const labels = tf.tensor(classes, [3, 4], 'int32');
    const oneHot = tf.oneHot(labels as tf.Tensor2D, 3);
    const positions = tf.tensor(ofPositions, [3, 4]);
    await expectTraces(model, [x], [{ loss, weights: everyPosition(ofSamples) }], { loss, sampleWeight: ofSamples });
    await expectTraces(model, [x], [{ loss, weights: ofPositions }], { loss, sampleWeight: positions });
    await expectTraces(model, [x], [{ loss, weights: ofClasses }], { loss, classWeight, labels });
    const both = ofPositions.map((w, i) => w * ofClasses[i]!);
    const reading = await expectTraces(model, [x], [{ loss, weights: both }], {
      loss,
      classWeight,
      labels: oneHot,
      sampleWeight: positions,
    });
    const mixed = everyPosition(ofSamples).map((w, i) => w * ofClasses[i]!);
    await expectTraces(model, [x], [{ loss, weights: mixed }], {
      loss,
      classWeight,
      labels: [oneHot],
      sampleWeight: ofSamples,
    });
    // The same from a dataset with labels, batch by batch.
    const one = (t: tf.Tensor, n: number) => tf.slice(t, n, 1);
    const batches = [0, 1, 2].map((n) => ({ xs: one(x, n), ys: one(oneHot, n) }));
    const dataset = {
      iterator: async () => {
        let i = 0;
        return {
          next: async () =>
            i < 3 ? { value: batches[i++], done: false as const } : { value: null, done: true as const },
        };
      },
    };
    const streamed = await measureSharpness(model, dataset, { loss, classWeight });
    const direct = await measureSharpness(model, x, { loss, classWeight, labels });
    expect(streamed.trace / direct.trace).toBeCloseTo(1, 6);
    expect(reading.trace).not.toBeCloseTo(direct.trace, 3);
    tf.dispose([x, labels, oneHot, positions]);
  });

  it('are sampled by (sample, position, column) triples', async () => {
    const model = tagger();
    const x = noise([60, 4, 3]);
    const loss = 'softmaxCrossEntropy';
    const exact = await measureSharpness(model, x, { loss });
    const readings = [];
    for (let seed = 0; seed < 12; seed++) {
      readings.push(await measureSharpness(model, x, { loss, method: { pairs: 96 }, seed }));
    }
    for (const read of [(r: SharpnessReading) => r.trace, (r: SharpnessReading) => r.minimumSharpness]) {
      const mean = readings.reduce((sum, r) => sum + read(r), 0) / 12;
      const error = Math.sqrt(readings.reduce((sum, r) => sum + r.standardError ** 2, 0)) / 12;
      expect(Math.abs(mean - read(exact))).toBeLessThan(4 * error);
    }
    expect(readings[0]!.pairs).toBe(96);
    expect(readings[0]!.standardError).toBeGreaterThan(0);
    expect(readings[0]!.standardError).toBeLessThan(0.3 * exact.minimumSharpness);
    x.dispose();
  });
});

describe('labels', () => {
  it('that are smoothed change nothing: the output Hessian does not know of them', () => {
    const z = Float64Array.from([0.4, -0.3, 1.2]);
    const h = 1e-4;
    const smoothed = [0, 1, 0].map((y) => 0.9 * y + 0.1 / 3);
    outputHessian('softmaxCrossEntropy', z).forEach((row, i) => {
      row.forEach((a, j) => {
        const value = (si: number, sj: number) => {
          const moved = z.slice();
          moved[i]! += si * h;
          moved[j]! += sj * h;
          return lossValue('softmaxCrossEntropy', moved, Float64Array.from(smoothed));
        };
        expect((value(1, 1) - value(1, -1) - value(-1, 1) + value(-1, -1)) / (4 * h * h)).toBeCloseTo(a, 6);
      });
    });
  });

  it('are needed for the weights of classes, in one line', async () => {
    const model = tagger();
    const x = noise([3, 4, 3]);
    const labels = tf.zeros([3, 4], 'int32');
    const refused = (options: MeasureOptions) =>
      measureSharpness(model, x, { loss: 'softmaxCrossEntropy', ...options }).catch((error: Error) => error.message);
    expect(await refused({ classWeight: { 0: 1 } })).toMatch(/needs labels/);
    expect(await refused({ classWeight: { 1: 1 }, labels })).toMatch(/no weight for class 0/);
    expect(await refused({ classWeight: { 0: -1 }, labels })).toMatch(/^classWeight: .* is not known/);
    expect(await refused({ classWeight: { 0: 1 }, labels: tf.slice(labels, 0, 2) })).toMatch(/2 rows for 3 samples/);
    expect(await refused({ sampleWeight: tf.ones([3, 5]) })).toMatch(
      /shape \[5\] a sample do not fit output .* \[4,3\]/,
    );
    x.dispose();
  });
});

describe('a factor of the output Hessian', () => {
  it('stands for a loss of the user', async () => {
    const x = tfl.input({ shape: [5] });
    const hidden = through(x, layers.dense({ units: 4, activation: 'relu', name: `hidden_${++counter}` }));
    const make = (activation: 'softmax' | 'linear') =>
      built(x, through(hidden, layers.dense({ units: 3, activation, name: `head_${++counter}` })));
    const data = noise([6, 5]);
    // diag(p) - p p^T = C C^T also with the K columns of diag(sqrt p) - p sqrt(p)^T.
    const columns = (k: number) => k;
    const factor = (z: tf.Tensor2D): tf.Tensor3D => {
      const p = tf.softmax(z);
      const u = tf.sqrt(p);
      const [rows, k] = z.shape;
      const eye = tf.reshape(tf.eye(k), [k, 1, k]);
      const uOfColumn = tf.reshape(tf.transpose(u), [k, rows, 1]);
      return tf.sub(tf.mul(eye, tf.expandDims(u, 0)), tf.mul(uOfColumn, tf.expandDims(p, 0))) as tf.Tensor3D;
    };
    const logits = make('linear');
    const own = await measureSharpness(logits, data, { loss: { columns, factor } });
    const builtIn = await measureSharpness(logits, data, { loss: 'softmaxCrossEntropy' });
    expect(own.minimumSharpness / builtIn.minimumSharpness).toBeCloseTo(1, 5);
    expect(own.pairs).toBe(18);
    const cut = await measureSharpness(make('softmax'), data, { loss: { activation: 'softmax', columns, factor } });
    expect(cut.pairs).toBe(18);
    const all = await measureSharpness(logits, data, { loss: { columns, factor }, method: { pairs: 17 } });
    expect(all.parameters.at(-1)!.trace / own.parameters.at(-1)!.trace).toBeCloseTo(1, 5);
    const wrong = measureSharpness(logits, data, { loss: { columns: () => 2, factor } });
    await expect(wrong).rejects.toThrow(/factor gave \[3,\d+,3\] .* \[2,\d+,3\] was announced/);
    await expect(measureSharpness(logits, data, { loss: { factor } as never })).rejects.toThrow(/comes with columns/);
    data.dispose();
  });
});
