import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AsamOptimizer, asam } from '../../../src/training/optimizers/asam.js';
import { type SamOptimizer, sam } from '../../../src/training/optimizers/sam.js';
import type { WrappedOptimizer } from '../../../src/training/optimizers/wrapped-optimizer.js';

const values = (tensors: readonly tf.Tensor[]) =>
  Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
const allVariables = () => values(Object.values(tf.engine().registeredVariables));

let x: tf.Tensor;
let y: tf.Tensor;
beforeEach(() => {
  x = tf.randomNormal([12, 3], 0, 1, 'float32', 3);
  y = tf.randomNormal([12, 2], 0, 1, 'float32', 4);
});
afterEach(() => tf.dispose([x, y]));

function network(optimizer: tf.Optimizer): tfl.Sequential {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: 5 });
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 4, inputShape: [3], activation: 'tanh', kernelInitializer }),
      tfl.layers.batchNormalization(),
      tfl.layers.dense({ units: 2, kernelInitializer }),
    ],
  });
  model.compile({ optimizer, loss: 'meanSquaredError', metrics: ['mse'] });
  return model;
}

/** Keeps a saved model in memory, as text where a file would have text. */
async function saved(model: tfl.LayersModel): Promise<tf.io.IOHandler> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  const save = async (given: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    const { weightData, ...rest } = given;
    artifacts = { ...JSON.parse(JSON.stringify(rest)), weightData };
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  };
  await model.save({ save }, { includeOptimizer: true });
  return { load: async () => artifacts! };
}

describe('a model saved with its optimizer goes on bit for bit', () => {
  const bases: Record<string, () => tf.Optimizer> = {
    sgd: () => tf.train.sgd(0.1),
    momentum: () => tf.train.momentum(0.1, 0.9, true),
    adam: () => tf.train.adam(0.03),
    rmsprop: () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-7, true),
    adagrad: () => tf.train.adagrad(0.1),
    adadelta: () => tf.train.adadelta(0.5),
  };

  it.each(Object.entries(bases))('with %s as the base', async (_, base) => {
    for (const optimizer of [sam(base(), { rho: 0.2 }), asam(base(), { rho: 0.7, eta: 0.05 })]) {
      const model = network(optimizer);
      for (let step = 0; step < 5; step++) {
        await model.trainOnBatch(x, y);
      }
      const loaded = await tfl.loadLayersModel(await saved(model));
      const restored = loaded.optimizer as SamOptimizer & AsamOptimizer;
      expect(restored).not.toBe(optimizer);
      expect(restored.getClassName()).toBe(optimizer.getClassName());
      expect(restored.getConfig()).toEqual(optimizer.getConfig());
      expect(restored.base.getClassName()).toBe(optimizer.base.getClassName());
      expect(restored.rho).toBe(optimizer.rho);
      expect(restored.iterations).toBe(5);
      for (let step = 0; step < 3; step++) {
        expect(await loaded.trainOnBatch(x, y)).toEqual(await model.trainOnBatch(x, y));
      }
      expect(await values(loaded.getWeights())).toEqual(await values(model.getWeights()));
      expect(restored.iterations).toBe(8);
      model.dispose();
      loaded.dispose();
      optimizer.dispose();
      restored.dispose();
    }
  });

  it('with the options that it had when it was saved', async () => {
    const optimizer = asam(tf.train.sgd(0.1), { rho: 0.7, eta: 0.05 });
    optimizer.rho = 0.3;
    optimizer.learningRate = 0.02;
    const model = network(optimizer);
    const { optimizer: restored } = await tfl.loadLayersModel(await saved(model));
    const { rho, eta, learningRate } = restored as AsamOptimizer;
    expect({ rho, eta, learningRate }).toEqual({ rho: 0.3, eta: 0.05, learningRate: 0.02 });
  });

  it("where the base cannot be saved, tf.js' own line says so", async () => {
    const model = network(sam(tf.train.adamax(0.01), { rho: 0.1 }));
    await expect(saved(model)).rejects.toThrow('not implemented for Adamax');
  });
});

describe('training', () => {
  it('goes through fit, fitDataset and trainOnBatch, and lowers the loss', async () => {
    const optimizer = sam(tf.train.adam(0.03), { rho: 0.05 });
    const model = network(optimizer);
    const [before] = (await model.trainOnBatch(x, y)) as number[];
    const { history } = await model.fit(x, y, { epochs: 10, batchSize: 4, verbose: 0 });
    expect(history.mse).toHaveLength(10);
    const dataset = { size: 2, iterator: async () => iterate(2), map: () => dataset } as never;
    const { history: second } = await model.fitDataset(dataset, { epochs: 10, verbose: 0 });
    expect(second.loss!.at(-1)).toBeLessThan(before! / 2);
    expect(optimizer.iterations).toBe(1 + 30 + 20);
    model.dispose();
    optimizer.dispose();

    function iterate(count: number) {
      let left = count;
      const next = async () =>
        left-- > 0 ? { done: false, value: { xs: tf.clone(x), ys: tf.clone(y) } } : { done: true, value: null };
      return { next };
    }
  });

  it('of variables by hand, with and without a list of them', async () => {
    for (const listed of [true, false]) {
      const optimizer = sam(tf.train.sgd(0.25), { rho: 0.5 });
      const weight = tf.tidy(() => tf.variable(tf.tensor1d([2, 0])));
      const frozen = tf.tidy(() => tf.variable(tf.scalar(1), false));
      const loss = () => tf.mul(tf.sum(tf.square(weight)), frozen) as tf.Scalar;
      const value = optimizer.minimize(loss, true, listed ? [weight, frozen] : undefined)!;
      expect((await value.data())[0]).toBe(4);
      // The gradient 2 w at w = 2 + 0.5.
      expect([...(await weight.data())]).toEqual([2 - 0.25 * 5, 0]);
      expect(optimizer.minimize(loss)).toBeNull();
      tf.dispose([weight, frozen, value]);
      optimizer.dispose();
    }
  });

  it.each([
    ['sam', () => sam(tf.train.adam(0.1), { rho: 0.5 })],
    ['asam', () => asam(tf.train.adam(0.1), { rho: 0.5, eta: 0 })],
  ])('%s takes a gradient of zero for what it is', async (_, make) => {
    const optimizer = make();
    const weight = tf.tidy(() => tf.variable(tf.tensor1d([0, 0])));
    for (let step = 0; step < 2; step++) {
      optimizer.minimize(() => tf.sum(tf.square(weight)) as tf.Scalar, false, [weight]);
    }
    expect([...(await weight.data())]).toEqual([0, 0]);
    weight.dispose();
    optimizer.dispose();
  });
});

describe('options', () => {
  it.each<[string, (base: tf.Optimizer) => WrappedOptimizer & { rho: number }]>([
    ['sam', (base) => sam(base, { rho: 0.1 })],
    ['asam', (base) => asam(base, { rho: 0.1 })],
  ])('the learning rate of %s is that of its base, in the next step too', async (_, wrap) => {
    for (const base of [tf.train.sgd(0.5), tf.train.momentum(0.5, 0.9), tf.train.rmsprop(0.5)]) {
      const optimizer = wrap(base);
      optimizer.rho = 0;
      expect(optimizer.base).toBe(base);
      expect(optimizer.learningRate).toBe(0.5);
      optimizer.learningRate = 0;
      expect(optimizer.learningRate).toBe(0);
      const weight = tf.tidy(() => tf.variable(tf.scalar(2)));
      optimizer.minimize(() => tf.square(weight) as tf.Scalar, false, [weight]);
      expect((await weight.data())[0]).toBe(2);
      weight.dispose();
      optimizer.dispose();
    }
  });

  it('a base without a learning rate has none to set', () => {
    class Plain extends tf.Optimizer {
      static className = 'Plain';
      applyGradients() {}
      getConfig() {
        return {};
      }
    }
    const optimizer = sam(new Plain(), { rho: 0.1 });
    expect(optimizer.learningRate).toBeUndefined();
    expect(() => {
      optimizer.learningRate = 1;
    }).toThrow(/^Plain has no learning rate that could be set\.$/);
  });

  const base = () => tf.train.sgd(0.1);
  it.each<[string, () => unknown, RegExp]>([
    ['no rho', () => asam(base(), {} as never), /^rho must/],
    ['no options', () => asam(base(), undefined as never), /^rho must/],
    ['a negative rho', () => sam(base(), { rho: -0.1 }), /^rho must.* -0\.1\.$/],
    ['NaN', () => asam(base(), { rho: Number.NaN }), /^rho must.* NaN\.$/],
    ['an infinite rho', () => asam(base(), { rho: Number.POSITIVE_INFINITY }), /^rho must/],
    ['a rho that is text', () => sam(base(), { rho: '0.1' as never }), /^rho must/],
    ['a negative eta', () => asam(base(), { rho: 0.1, eta: -1 }), /^eta must.* -1\.$/],
    ['a rho set to NaN', () => Object.assign(sam(base(), { rho: 0.1 }), { rho: Number.NaN }), /^rho must/],
    ['a name', () => sam('adam' as never, { rho: 0.1 }), /tf\.train\.adam.* the name 'adam'\.$/],
    ['nothing', () => asam(undefined as never, { rho: 0.1 }), /must be one such as tf\.train\.adam/],
    ['a factory', () => sam(tf.train.adam as never, { rho: 0.1 }), /must be one such as tf\.train\.adam/],
    ['a wrapped optimizer', () => sam(sam(base(), { rho: 0.1 }), { rho: 0.1 }), /wrapped already, by SAM:/],
    ['another wrapped one', () => sam(asam(base(), { rho: 0.1 }), { rho: 0.1 }), /wrapped already, by ASAM:/],
  ])('%s: refused in one line', (_, make, line) => {
    expect(make).toThrow(line);
    expect(make).toThrow(/^[^\n]{1,200}$/);
  });
});

describe('a step that throws', () => {
  /** A base that fails half way through applying, when told to. */
  class Failing extends tf.MomentumOptimizer {
    fails = false;
    override applyGradients(gradients: Parameters<tf.MomentumOptimizer['applyGradients']>[0]): void {
      if (!Array.isArray(gradients)) {
        throw new Error('fit hands over a list');
      }
      super.applyGradients(this.fails ? gradients.slice(0, 3) : gradients);
      if (this.fails) {
        throw new Error('not applied');
      }
    }
  }

  it.each(['first pass', 'second pass', 'applyGradients'])(
    'in the %s leaves weights, moving averages and state as they were',
    async (where) => {
      const base = new Failing(0.1, 0.9);
      const optimizer = sam(base, { rho: 0.5 });
      const model = network(optimizer);
      await model.trainOnBatch(x, y);
      const before = await allVariables();
      const [, , head] = model.layers;
      const { call } = head!;
      let calls = 0;
      if (where === 'applyGradients') {
        base.fails = true;
      } else {
        head!.call = (inputs, kwargs) => {
          if (++calls === (where === 'first pass' ? 1 : 2)) {
            throw new Error('not applied');
          }
          return call.call(head, inputs, kwargs);
        };
      }
      await expect(model.trainOnBatch(x, y)).rejects.toThrow('not applied');
      const after = await allVariables();
      expect(after).toEqual(before);
      // And training goes on.
      base.fails = false;
      head!.call = call;
      await model.trainOnBatch(x, y);
      expect(await allVariables()).not.toEqual(before);
      model.dispose();
      optimizer.dispose();
    },
  );
});

it('computeGradients by hand leaves what it returns', () => {
  const optimizer = asam(tf.train.sgd(0.1), { rho: 0.5 });
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([2, 1])));
  const before = tf.memory().numTensors;
  const { value, grads } = optimizer.computeGradients(() => tf.sum(tf.square(weight)) as tf.Scalar, [weight]);
  expect(Object.keys(grads)).toEqual([weight.name]);
  expect(tf.memory().numTensors).toBe(before + 2);
  tf.dispose([value, grads, weight]);
  optimizer.dispose();
});

it('disposing leaves nothing of the base', async () => {
  const before = tf.memory().numTensors;
  const optimizer = sam(tf.train.adam(0.1), { rho: 0.1 });
  const model = network(optimizer);
  await model.trainOnBatch(x, y);
  model.dispose();
  optimizer.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
