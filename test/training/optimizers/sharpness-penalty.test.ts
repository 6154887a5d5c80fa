import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../../src/measure/measure-sharpness.js';
import { minimumSharpnessGradients } from '../../../src/measure/sharpness-gradients.js';
import {
  type SharpnessPenaltyOptimizer,
  type SharpnessPenaltyOptions,
  sharpnessPenalty,
} from '../../../src/training/optimizers/sharpness-penalty.js';

const values = (tensors: readonly tf.Tensor[]) =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
const weightsOf = (model: tfl.LayersModel) => values(model.getWeights());

let x: tf.Tensor2D;
let y: tf.Tensor2D;
beforeEach(() => {
  x = tf.randomNormal([12, 3], 0, 1, 'float32', 3);
  const classes = Array.from({ length: 12 }, (_, n) => n % 3);
  y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), 3), 'float32')) as tf.Tensor2D;
});
afterEach(() => tf.dispose([x, y]));

function network({ dropout = 0, normalizes = false } = {}): tfl.Sequential {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: 5 });
  return tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 5, inputShape: [3], kernelInitializer }),
      ...(normalizes ? [tfl.layers.batchNormalization()] : []),
      tfl.layers.reLU(),
      ...(dropout > 0 ? [tfl.layers.dropout({ rate: dropout })] : []),
      tfl.layers.dense({ units: 3, activation: 'softmax', kernelInitializer }),
    ],
  });
}

/** A compiled network, with a penalty where options are given. */
function trained(options?: Omit<SharpnessPenaltyOptions, 'model'> | null, model = network(), base = tf.train.sgd(0.1)) {
  const optimizer = options ? sharpnessPenalty(base, { model, ...options }) : base;
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return { model, optimizer: optimizer as SharpnessPenaltyOptimizer };
}

async function steps(model: tfl.LayersModel, count: number): Promise<unknown[]> {
  const logs: unknown[] = [];
  for (let step = 0; step < count; step++) {
    logs.push(await model.trainOnBatch(x, y));
  }
  return logs;
}

const difference = (a: number[][], b: number[][]) => Math.hypot(...a.flatMap((w, i) => w.map((v, j) => v - b[i]![j]!)));

/** d MS / d theta as the weights stand, by weight in the model's order. */
async function sharpnessGradient(model: tfl.LayersModel, inputs: tf.Tensor): Promise<number[][]> {
  const { parameters } = minimumSharpnessGradients(model, inputs, { loss: 'categoricalCrossentropy' });
  const byName = new Map(parameters.map(({ name, gradient }) => [name, gradient]));
  const gradients = await values(model.weights.map(({ name }) => byName.get(name)!));
  tf.dispose([...byName.values()]);
  return gradients;
}

describe('sharpnessPenalty', () => {
  it.each([
    ['the model given', true],
    ['the model found', false],
  ])('counts rows of labels and weights of classes as the loss does: %s', async (_, given) => {
    const rows = tf.tidy(() => tf.mul(y, tf.reshape(tf.range(0, y.shape[0]), [-1, 1])));
    const classWeight = { 0: 1, 1: 3, 2: 0.5 };
    const [plain, { model }] = [trained().model, trained({ lambda: 0.2, columns: 'all' })];
    if (!given) {
      model.compile({
        optimizer: sharpnessPenalty(tf.train.sgd(0.1), { lambda: 0.2, columns: 'all' }),
        loss: 'categoricalCrossentropy',
      });
    }
    const start = await weightsOf(model);
    for (const each of [plain, model]) {
      await each.fit(x, rows, { batchSize: x.shape[0], epochs: 1, verbose: 0, shuffle: false, classWeight });
    }
    const after = await weightsOf(model);
    const slope = (await weightsOf(plain)).map((w, b) => w.map((v, i) => (v - after[b]![i]!) / (0.1 * 0.2)));
    // Along this direction MS grows as the square of its length says.
    const at = async (step: number) => {
      tf.tidy(() =>
        plain.setWeights(
          start.map((w, b) =>
            tf.tensor(
              w.map((v, i) => v + step * slope[b]![i]!),
              plain.weights[b]!.shape as number[],
            ),
          ),
        ),
      );
      const { minimumSharpness } = await measureSharpness(plain, { xs: x, ys: rows }, { classWeight });
      return minimumSharpness;
    };
    const square = slope.flat().reduce((sum, v) => sum + v * v, 0);
    const h = 0.002 / Math.sqrt(square);
    expect(square).toBeGreaterThan(0.01);
    expect(((await at(h)) - (await at(-h))) / (2 * h) / square).toBeCloseTo(1, 1);
    rows.dispose();
  });

  it('takes a step along the gradient of loss + lambda MS', async () => {
    const plain = trained().model;
    const { model } = trained({ lambda: 0.2, columns: 'all' });
    const slope = await sharpnessGradient(model, x);
    await steps(plain, 1);
    await steps(model, 1);
    const expected = (await weightsOf(plain)).map((w, b) => w.map((v, i) => v - 0.1 * 0.2 * slope[b]![i]!));
    expect(Math.hypot(...slope.flat())).toBeGreaterThan(0.1);
    expect(difference(await weightsOf(model), expected)).toBeLessThan(1e-6);
  });

  it('computes the penalty on the first samples of the minibatch', async () => {
    const plain = trained().model;
    const { model } = trained({ lambda: 0.2, columns: 'all', samples: 5 });
    const part = tf.slice(x, 0, 5);
    const slope = await sharpnessGradient(model, part);
    await steps(plain, 1);
    await steps(model, 1);
    const expected = (await weightsOf(plain)).map((w, b) => w.map((v, i) => v - 0.1 * 0.2 * slope[b]![i]!));
    expect(difference(await weightsOf(model), expected)).toBeLessThan(1e-6);
    part.dispose();
  });

  it('comes in every k-th step, k times as strong', async () => {
    const { model, optimizer } = trained({ lambda: 0.1, every: 3, columns: 'all' });
    const once = trained({ lambda: 0.3, columns: 'all' });
    await steps(model, 1);
    await steps(once.model, 1);
    expect(await weightsOf(model)).toEqual(await weightsOf(once.model));
    once.optimizer.lambda = 0;
    await steps(model, 2);
    await steps(once.model, 2);
    expect(await weightsOf(model)).toEqual(await weightsOf(once.model));
    once.optimizer.lambda = 0.3;
    await steps(model, 1);
    await steps(once.model, 1);
    expect(await weightsOf(model)).toEqual(await weightsOf(once.model));
    expect(optimizer.iterations).toBe(4);
  });

  it('is plain training at lambda 0', async () => {
    const plain = trained(null, network({ normalizes: true }));
    const { model, optimizer } = trained({ lambda: 1 }, network({ normalizes: true }));
    optimizer.lambda = 0;
    expect(await steps(model, 3)).toEqual(await steps(plain.model, 3));
    expect(await weightsOf(model)).toEqual(await weightsOf(plain.model));
    // Nothing is asked of the model then, not even layers that could be penalized.
    const odd = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [3], activation: 'softplus' })] });
    odd.compile({ optimizer: sharpnessPenalty(tf.train.sgd(0.1), { lambda: 0 }), loss: 'meanSquaredError' });
    await steps(odd, 1);
  });

  it('trains several outputs from several inputs', async () => {
    const build = () => {
      const kernelInitializer = tfl.initializers.glorotUniform({ seed: 5 });
      const inputs = [tfl.input({ shape: [3] }), tfl.input({ shape: [2] })];
      const joined = tfl.layers.concatenate().apply(inputs);
      const hidden = tfl.layers.dense({ units: 4, activation: 'relu', kernelInitializer }).apply(joined);
      const outputs = (['softmax', 'linear'] as const).map(
        (activation) =>
          tfl.layers.dense({ units: 3, activation, kernelInitializer }).apply(hidden) as tfl.SymbolicTensor,
      );
      return tfl.model({ inputs, outputs });
    };
    const other = tf.randomNormal([12, 2], 0, 1, 'float32', 9);
    const loss = ['categoricalCrossentropy', 'meanSquaredError'] as const;
    const afterOneStep = async (optimizer: (model: tfl.LayersModel) => tf.Optimizer) => {
      const model = build();
      const { parameters } = minimumSharpnessGradients(model, [x, other], { loss });
      const slopes = await values(parameters.map(({ gradient }) => gradient));
      tf.dispose(parameters.map(({ gradient }) => gradient));
      model.compile({ optimizer: optimizer(model), loss: [...loss] });
      await model.trainOnBatch([x, other], [y, y]);
      return { slopes, weights: await weightsOf(model) };
    };
    const { weights } = await afterOneStep((model) =>
      sharpnessPenalty(tf.train.sgd(0.1), { model, lambda: 0.2, columns: 'all' }),
    );
    const plain = await afterOneStep(() => tf.train.sgd(0.1));
    const expected = plain.weights.map((w, b) => w.map((v, i) => v - 0.02 * plain.slopes[b]![i]!));
    expect(difference(plain.weights, expected)).toBeGreaterThan(1e-3);
    expect(difference(weights, expected)).toBeLessThan(1e-6);
    other.dispose();
  });

  it('leaves the reported loss, the metrics and the moving averages of the step to plain training', async () => {
    const plain = trained(null, network({ normalizes: true }));
    const { model } = trained({ lambda: 1 }, network({ normalizes: true }));
    expect(await steps(model, 1)).toEqual(await steps(plain.model, 1));
    const statistics = (of: tfl.LayersModel) =>
      values(of.weights.filter(({ name }) => /moving/.test(name)).map((weight) => weight.read()));
    expect(await statistics(model)).toEqual(await statistics(plain.model));
    expect(await weightsOf(model)).not.toEqual(await weightsOf(plain.model));
  });

  it('finds the model by itself, and then takes the same steps', async () => {
    const uniform = Math.random;
    const run = async (known: boolean) => {
      let state = 1;
      Math.random = () => {
        state = (state * 16807) % 2147483647;
        return state / 2147483647;
      };
      const model = network({ dropout: 0.4, normalizes: true });
      const optimizer = sharpnessPenalty(tf.train.sgd(0.1), { lambda: 0.1, ...(known ? { model } : {}) });
      model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
      const history = await model.fit(x, y, { epochs: 2, batchSize: 6, shuffle: false, verbose: 0 });
      return { history: history.history, weights: await weightsOf(model) };
    };
    try {
      expect(await run(false)).toEqual(await run(true));
    } finally {
      Math.random = uniform;
    }
  });

  it('leaves the layers as they were', async () => {
    const { model } = trained({ lambda: 0.1 });
    await steps(model, 2);
    for (const layer of model.layers) {
      expect(Object.hasOwn(layer, 'apply')).toBe(false);
    }
  });

  it('lowers Minimum Sharpness', async () => {
    const plain = trained();
    const penalized = trained({ lambda: 0.05 });
    await steps(plain.model, 150);
    await steps(penalized.model, 150);
    const sharpness = async (model: tfl.LayersModel) => (await measureSharpness(model, x)).minimumSharpness;
    expect(await sharpness(penalized.model)).toBeLessThan(0.7 * (await sharpness(plain.model)));
  });

  it('holds no more tensors after 1,000 steps (100 where they take long)', async () => {
    const { model } = trained({ lambda: 0.01, every: 2 }, network(), tf.train.momentum(0.01, 0.9) as tf.SGDOptimizer);
    await steps(model, 3);
    const before = tf.memory().numTensors;
    // A tensor that a step leaves is one on every backend; the others take seconds for it.
    await steps(model, tf.getBackend() === 'cpu' ? 1000 : 100);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('goes on bit for bit after saving and loading', async () => {
    for (const loss of [undefined, 'categoricalCrossentropy'] as const) {
      const options = { lambda: 0.1, every: 2, samples: 7, seed: 4, ...(loss ? { loss } : {}) };
      const { model, optimizer } = trained(options, network(), tf.train.adam(0.01) as unknown as tf.SGDOptimizer);
      await steps(model, 3);
      let artifacts: tf.io.ModelArtifacts | undefined;
      const save = async ({ weightData, ...rest }: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
        artifacts = { ...JSON.parse(JSON.stringify(rest)), weightData };
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      };
      await model.save({ save }, { includeOptimizer: true });
      const loaded = await tfl.loadLayersModel({ load: async () => artifacts! });
      expect(loaded.optimizer.getConfig()).toEqual(optimizer.getConfig());
      expect(await steps(loaded, 4)).toEqual(await steps(model, 4));
      expect(await weightsOf(loaded)).toEqual(await weightsOf(model));
    }
  });

  it.each<[string, Partial<SharpnessPenaltyOptions>]>([
    ['lambda must be a finite number of at least 0, but it is undefined.', {}],
    ['lambda must be a finite number of at least 0, but it is -1.', { lambda: -1 }],
    ['lambda must be a finite number of at least 0, but it is NaN.', { lambda: Number.NaN }],
    ['every must be a whole number of at least 1, but it is 0.', { lambda: 1, every: 0 }],
    ['samples must be a whole number of at least 1, but it is 1.5.', { lambda: 1, samples: 1.5 }],
    ["columns must be 'sign' or 'all', but it is 'some'.", { lambda: 1, columns: 'some' as 'all' }],
    ['seed must be a whole number, but it is 0.5.', { lambda: 1, seed: 0.5 }],
    ["loss: 'focal' is not known.", { lambda: 1, loss: 'focal' as 'meanSquaredError' }],
    ['model must be a tf.LayersModel', { lambda: 1, model: 'mlp' as unknown as tfl.LayersModel }],
    ['The model is not built', { lambda: 1, model: tfl.sequential() }],
  ])('refuses bad options in one line: %s', (message, options) => {
    const make = () => sharpnessPenalty(tf.train.sgd(0.1), options as SharpnessPenaltyOptions);
    expect(make).toThrow(message);
  });

  it('refuses a layer that it cannot differentiate: at once where it knows the model, else in the first step', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, inputShape: [3], activation: 'softplus', name: 'soft' }),
        tfl.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const refusal = "Layer 'soft' (softplus activation) has no second derivative";
    expect(() => sharpnessPenalty(tf.train.sgd(0.1), { model, lambda: 1 })).toThrow(refusal);
    model.compile({ optimizer: sharpnessPenalty(tf.train.sgd(0.1), { lambda: 1 }), loss: 'categoricalCrossentropy' });
    const before = await weightsOf(model);
    const tensors = tf.memory().numTensors;
    await expect(steps(model, 1)).rejects.toThrow(refusal);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(await weightsOf(model)).toEqual(before);
  });

  it.each([
    [
      'is not known',
      (y: tf.Tensor, z: tf.Tensor) => tf.sum(tf.mul(y, z), -1),
      "The model's loss is a function of your own",
    ],
    ['has no curvature', 'meanAbsoluteError', "The loss 'meanAbsoluteError' is made of straight pieces"],
  ] as const)('refuses a loss that %s in the first step, before a weight has moved', async (_, loss, refusal) => {
    const model = network();
    model.compile({ optimizer: sharpnessPenalty(tf.train.sgd(0.1), { model, lambda: 1 }), loss: loss as 'hinge' });
    const before = await weightsOf(model);
    const tensors = tf.memory().numTensors;
    await expect(steps(model, 1)).rejects.toThrow(refusal);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(await weightsOf(model)).toEqual(before);
  });

  it('refuses a step of another model', async () => {
    const { model } = trained({ lambda: 1 });
    const other = network();
    other.compile({ optimizer: model.optimizer, loss: 'categoricalCrossentropy' });
    await expect(steps(other, 1)).rejects.toThrow('saw no minibatch');
  });

  it('notices that other layers are trained than before', async () => {
    const options = { lambda: 0.2, columns: 'all' } as const;
    const { model, optimizer } = trained(options);
    await steps(model, 1);
    const other = network();
    other.setWeights(model.getWeights());
    model.layers[0]!.trainable = false;
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    other.layers[0]!.trainable = false;
    trained(options, other);
    await steps(model, 1);
    await steps(other, 1);
    expect(await weightsOf(model)).toEqual(await weightsOf(other));
  });

  it.each<[string, number, () => tfl.layers.Layer[], RegExp]>([
    [
      'a trace is beyond float32',
      1e20,
      () => [tfl.layers.dense({ units: 2, inputShape: [1], kernelInitializer: 'zeros' })],
      /^tfjs-sharpness, sharpnessPenalty: .* trace of .* is Infinity/,
    ],
    [
      'the gradient is beyond float32',
      1e15,
      () => [
        tfl.layers.dense({
          units: 1,
          inputShape: [1],
          useBias: false,
          kernelInitializer: tfl.initializers.constant({ value: 1e-10 }),
        }),
        tfl.layers.dense({ units: 2, useBias: false, kernelInitializer: 'ones' }),
      ],
      /^tfjs-sharpness, sharpnessPenalty: .* trace of .* (is 0, or has underflowed|is .*, where float32 loses digits)/,
    ],
  ])('goes on with plain steps, and warns once, where %s', async (_, input, layers, message) => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      const run = async (penalized: boolean) => {
        const model = tfl.sequential({ layers: layers() });
        const base = tf.train.sgd(1e-30);
        const optimizer = penalized ? sharpnessPenalty(base, { model, lambda: 1 }) : base;
        model.compile({ optimizer, loss: 'meanSquaredError' });
        const huge = tf.tensor2d([[input]]);
        const target = tf.tensor2d([[1, 2]]);
        await model.trainOnBatch(huge, target);
        const before = tf.memory().numTensors;
        await model.trainOnBatch(huge, target);
        expect(tf.memory().numTensors).toBe(before);
        tf.dispose([huge, target]);
        return weightsOf(model);
      };
      expect(await run(true)).toEqual(await run(false));
      expect(warn.mock.calls).toEqual([[expect.stringMatching(message)]]);
    } finally {
      warn.mockRestore();
    }
  });
});
