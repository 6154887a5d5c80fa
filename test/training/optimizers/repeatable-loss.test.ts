import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asam } from '../../../src/training/optimizers/asam.js';
import { sam } from '../../../src/training/optimizers/sam.js';

let tensorsBefore: number;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

/** From now on `Math.random` starts the same sequence. */
function seedRandom(): void {
  let state = 1;
  vi.spyOn(Math, 'random').mockImplementation(() => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  });
}

const values = (tensors: tf.Tensor[]) => Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));

/** What a layer gives at every call. */
function outputsOf(layer: tfl.layers.Layer): tf.Tensor[] {
  const outputs: tf.Tensor[] = [];
  const { call } = layer;
  layer.call = (inputs, kwargs) => {
    const output = call.call(layer, inputs, kwargs) as tf.Tensor;
    outputs.push(tf.keep(tf.clone(output)));
    return output;
  };
  return outputs;
}

function batch(shape: number[]): [tf.Tensor, tf.Tensor] {
  return [tf.randomUniform(shape, 0.5, 1.5, 'float32', 1), tf.randomNormal([shape[0]!, 2], 0, 1, 'float32', 2)];
}

const noisy: Record<string, () => tfl.layers.Layer> = {
  Dropout: () => tfl.layers.dropout({ rate: 0.5, inputShape: [4, 3] }),
  SpatialDropout1D: () => tfl.layers.spatialDropout1d({ rate: 0.5, inputShape: [4, 3] }),
  GaussianNoise: () => tfl.layers.gaussianNoise({ stddev: 0.5, inputShape: [4, 3] }),
  GaussianDropout: () => tfl.layers.gaussianDropout({ rate: 0.5, inputShape: [4, 3] }),
  AlphaDropout: () => tfl.layers.alphaDropout({ rate: 0.5, inputShape: [4, 3] }),
};

describe('both passes of a step see the same noise, and no two steps do', () => {
  it.each(Object.entries(noisy))('of %s', async (_, layer) => {
    const model = tfl.sequential();
    model.add(layer());
    model.add(tfl.layers.flatten());
    model.add(tfl.layers.dense({ units: 2 }));
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.1 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const outputs = outputsOf(model.layers[0]!);
    const [x, y] = batch([5, 4, 3]);
    for (let step = 0; step < 2; step++) {
      await model.trainOnBatch(x, y);
    }
    const [first, again, second, secondAgain] = await values(outputs);
    expect(outputs).toHaveLength(4);
    expect(first).not.toEqual([...(await x.data())]);
    expect(again).toEqual(first);
    expect(secondAgain).toEqual(second);
    expect(second).not.toEqual(first);
    tf.dispose([x, y, outputs]);
    model.dispose();
    optimizer.dispose();
  });

  it.each([
    ['SimpleRNN', tfl.layers.simpleRNN],
    ['GRU', tfl.layers.gru],
    ['LSTM', tfl.layers.lstm],
  ] as const)('of the dropout inside of %s', async (_, recurrent) => {
    const layer = recurrent({
      units: 3,
      recurrentInitializer: 'glorotUniform',
      dropout: 0.5,
      recurrentDropout: 0.5,
      inputShape: [4, 3],
    });
    const model = tfl.sequential({ layers: [layer, tfl.layers.dense({ units: 2 })] });
    const optimizer = sam(tf.train.sgd(0), { rho: 0.1 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    type Masked = { cell: { dropoutMask: tf.Tensor | tf.Tensor[]; recurrentDropoutMask: tf.Tensor | tf.Tensor[] } };
    const { cell } = layer as unknown as Masked;
    const masks: tf.Tensor[] = [];
    const { call } = layer;
    layer.call = (inputs, kwargs) => {
      const output = call.call(layer, inputs, kwargs);
      for (const mask of [cell.dropoutMask, cell.recurrentDropoutMask].flat()) {
        masks.push(tf.keep(tf.clone(mask)));
      }
      return output;
    };
    const [x, y] = batch([5, 4, 3]);
    for (let step = 0; step < 2; step++) {
      await model.trainOnBatch(x, y);
    }
    const seen = (await values(masks)).map((mask) => mask.join());
    const [first, again, second, secondAgain] = [0, 1, 2, 3].map((i) =>
      seen.slice((i * seen.length) / 4, ((i + 1) * seen.length) / 4),
    );
    expect(first!.length).toBeGreaterThanOrEqual(2);
    expect(again).toEqual(first);
    expect(secondAgain).toEqual(second);
    expect(second).not.toEqual(first);
    tf.dispose([x, y, masks, cell.dropoutMask, cell.recurrentDropoutMask]);
    model.dispose();
    optimizer.dispose();
  });

  it('of several layers one after the other', async () => {
    const model = tfl.sequential({ layers: [...Object.values(noisy).map((layer) => layer()), tfl.layers.flatten()] });
    model.add(tfl.layers.dense({ units: 2 }));
    const optimizer = asam(tf.train.sgd(0.1), { rho: 0.1 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const outputs = outputsOf(model.layers[4]!);
    const [x, y] = batch([5, 4, 3]);
    await model.trainOnBatch(x, y);
    const [first, again] = await values(outputs);
    expect(outputs).toHaveLength(2);
    expect(again).toEqual(first);
    tf.dispose([x, y, outputs]);
    model.dispose();
    optimizer.dispose();
  });

  it('and Math.random is its own again, also after a step that threw', async () => {
    const { random } = Math;
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.1 });
    const weight = tf.tidy(() => tf.variable(tf.scalar(1)));
    for (const failingCall of [1, 2, 3]) {
      let call = 0;
      const loss = () => {
        expect(Math.random).not.toBe(random);
        if (++call === failingCall) {
          throw new Error('no loss');
        }
        return tf.square(weight) as tf.Scalar;
      };
      const step = () => tf.dispose(optimizer.minimize(loss, true, [weight])!);
      if (failingCall === 3) {
        step();
      } else {
        expect(step).toThrow('no loss');
      }
      expect(Math.random).toBe(random);
    }
    weight.dispose();
    optimizer.dispose();
  });
});

describe('what a step reports and leaves behind is that of the first pass', () => {
  function network(optimizer: tf.Optimizer): tfl.LayersModel {
    const kernelInitializer = tfl.initializers.glorotUniform({ seed: 5 });
    const input = tfl.input({ shape: [3] });
    // A model inside of the model, a regularizer, dropout and a moving average.
    const inner = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, inputShape: [3], activation: 'relu', kernelInitializer }),
        tfl.layers.batchNormalization(),
        tfl.layers.dropout({ rate: 0.3 }),
      ],
    });
    const kernelRegularizer = tfl.regularizers.l2({ l2: 0.1 });
    const head = tfl.layers.dense({ units: 2, activation: 'softmax', kernelInitializer, kernelRegularizer });
    const model = tfl.model({ inputs: input, outputs: head.apply(inner.apply(input)) as tfl.SymbolicTensor });
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy', 'mse'] });
    return model;
  }
  const data = (): [tf.Tensor, tf.Tensor] => [
    tf.randomNormal([12, 3], 0, 1, 'float32', 3),
    tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1], 'int32'), 2)),
  ];
  const averages = (model: tfl.LayersModel) =>
    values(model.weights.filter(({ name }) => name.includes('moving')).map((weight) => weight.read()));

  it('loss, metrics, moving averages: as plain training has them', async () => {
    const seen = [];
    const [x, y] = data();
    for (const wrap of [(base: tf.Optimizer) => base, (base: tf.Optimizer) => sam(base, { rho: 0.5 })]) {
      seedRandom();
      const optimizer = wrap(tf.train.sgd(0.1));
      const model = network(optimizer);
      const reported = await model.trainOnBatch(x, y);
      seen.push({ reported, averages: await averages(model), kernel: (await values([model.getWeights()[0]!]))[0] });
      model.dispose();
      optimizer.dispose();
    }
    tf.dispose([x, y]);
    expect(seen[0]!.reported).toHaveLength(3);
    expect(seen[0]!.averages).toHaveLength(2);
    expect(seen[1]!.reported).toEqual(seen[0]!.reported);
    expect(seen[1]!.averages).toEqual(seen[0]!.averages);
    expect(seen[1]!.kernel).not.toEqual(seen[0]!.kernel);
  });

  it('1,000 steps (100 where they take long) with metrics, dropout and batch normalization leave no tensor', async () => {
    const optimizer = asam(tf.train.momentum(0.01, 0.9), { rho: 0.5 });
    const model = network(optimizer);
    const [x, y] = data();
    await model.trainOnBatch(x, y); // makes the base's state
    const before = tf.memory().numTensors;
    // A tensor that a step leaves is one on every backend; the others take seconds for it.
    const epochs = tf.getBackend() === 'cpu' ? 250 : 25;
    await model.fit(x, y, { epochs, batchSize: 3, verbose: 0, yieldEvery: 'never' });
    expect(optimizer.iterations).toBe(1 + 4 * epochs);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
    optimizer.dispose();
    // tf.js' momentum optimizer leaves the tensor of its learning rate behind.
    tf.dispose([x, y, (optimizer.base as unknown as { c: tf.Tensor }).c]);
  });

  it('each output has its metrics, once', async () => {
    const input = tfl.input({ shape: [3] });
    const outputs = [1, 2].map((units) => tfl.layers.dense({ units }).apply(input) as tfl.SymbolicTensor);
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.1 });
    const model = tfl.model({ inputs: input, outputs });
    const loss = ['meanSquaredError', 'meanSquaredError'];
    model.compile({ optimizer, loss, metrics: ['mse'] });
    const [x, a, b] = [tf.ones([4, 3]), tf.ones([4, 1]), tf.ones([4, 2])];
    const reported = (await model.trainOnBatch(x, [a, b])) as number[];
    expect(reported).toHaveLength(model.metricsNames.length);
    expect(reported[0]).toBeCloseTo(reported[1]! + reported[2]!, 5);
    tf.dispose([x, a, b]);
    model.dispose();
    optimizer.dispose();
  });

  it('the model has its metrics and its methods back, also after a step that threw', async () => {
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.1 });
    const model = network(optimizer);
    const { metricsTensors } = model;
    const [x, y] = data();
    for (const failingCall of [1, 2]) {
      let call = 0;
      model.layers[1]!.call = () => {
        if (++call === failingCall) {
          throw new Error('no output');
        }
        return tf.ones([12, 4]);
      };
      await expect(model.trainOnBatch(x, y)).rejects.toThrow('no output');
      expect(call).toBe(failingCall);
      expect(model.metricsTensors).toBe(metricsTensors);
      expect(Object.hasOwn(tfl.LayersModel.prototype, 'calculateLosses')).toBe(false);
    }
    // tf.js disposes metrics of a batch only where the batch ends well.
    tensorsBefore += metricsTensors.length;
    tf.dispose([x, y]);
    model.dispose();
    optimizer.dispose();
  });

  it('a stateful recurrent layer, which a second pass would move on, is refused in one line', async () => {
    const layer = tfl.layers.simpleRNN({
      units: 2,
      recurrentInitializer: 'glorotUniform',
      stateful: true,
      batchInputShape: [2, 3, 1],
    });
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.1 });
    const model = tfl.sequential({ layers: [layer] });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([2, 3, 1]), tf.ones([2, 2])];
    const before = await values(model.getWeights());
    await expect(model.trainOnBatch(x, y)).rejects.toThrow(/^Stateful recurrent layers[^\n]*$/);
    expect(await values(model.getWeights())).toEqual(before);
    layer.resetStates();
    tf.dispose([x, y, (layer as unknown as { states_: tf.Tensor[] }).states_]);
    model.dispose();
    optimizer.dispose();
  });
});
