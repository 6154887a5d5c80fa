import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { learningRateOf, setLearningRate } from '../../../src/training/control/learning-rate.js';

const optimizers: [string, (learningRate: number) => tf.Optimizer][] = [
  ['sgd', (rate) => tf.train.sgd(rate)],
  ['momentum', (rate) => tf.train.momentum(rate, 0.9)],
  ['momentum, Nesterov', (rate) => tf.train.momentum(rate, 0.9, true)],
  ['adam', (rate) => tf.train.adam(rate)],
  ['adamax', (rate) => tf.train.adamax(rate, undefined, undefined, undefined, 0.1)],
  ['adagrad', (rate) => tf.train.adagrad(rate)],
  ['adadelta', (rate) => tf.train.adadelta(rate)],
  ['rmsprop', (rate) => tf.train.rmsprop(rate)],
  ['rmsprop, momentum', (rate) => tf.train.rmsprop(rate, 0.9, 0.5)],
  ['rmsprop, centered', (rate) => tf.train.rmsprop(rate, 0.9, 0.5, undefined, true)],
];
const start = [0.5, -2, 3];

/** A step down the sum of fourth powers; the weights after it. */
function step(optimizer: tf.Optimizer, weights: tf.Variable): number[] {
  optimizer.minimize(() => tf.sum(tf.square(tf.square(weights))), false, [weights]);
  return Array.from(weights.dataSync());
}

describe('setLearningRate', () => {
  let tensorsBefore: number;
  let weights: tf.Variable;
  beforeEach(() => {
    tensorsBefore = tf.memory().numTensors;
    weights = tf.tidy(() => tf.variable(tf.tensor1d(start)));
  });
  afterEach(() => {
    weights.dispose();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });
  const reset = () => tf.tidy(() => weights.assign(tf.tensor1d(start)));
  /** tf.js' momentum leaves the tensor of its rate behind. */
  const dispose = (optimizer: tf.Optimizer) => {
    (optimizer as unknown as { c?: tf.Scalar }).c?.dispose();
    optimizer.dispose();
  };

  it.each(optimizers)('%s: the next step is that of an optimizer made with the new rate', (_, make) => {
    const made = make(0.003);
    const expected = step(made, weights);
    reset();
    const changed = make(0.01);
    setLearningRate(changed, 0.003);
    const actual = step(changed, weights);
    reset();
    const unchanged = make(0.01);
    const other = step(unchanged, weights);

    expect(actual).toEqual(expected);
    expect(actual).not.toEqual(other);
    for (const optimizer of [made, changed, unchanged]) {
      dispose(optimizer);
    }
  });

  it.each(optimizers)('%s: no tensor more, and the new rate in its configuration', (_, make) => {
    const optimizer = make(0.01);
    step(optimizer, weights);
    const { numTensors } = tf.memory();
    for (const rate of [0.1, 0.2, 0.3]) {
      tf.tidy(() => setLearningRate(optimizer, rate));
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(optimizer.getConfig().learningRate).toBe(rate);
    }
    step(optimizer, weights);
    dispose(optimizer);
  });

  // tf.js' adamax cannot take up from saved weights.
  it.each(optimizers.filter(([name]) => name !== 'adamax'))('%s: what it has accumulated stays', async (_, make) => {
    const changed = make(0.01);
    for (let i = 0; i < 3; i++) {
      step(changed, weights);
    }
    const here = weights.clone();
    setLearningRate(changed, 0.003);
    const saved = await changed.getWeights();
    const resumed = make(0.003);
    await resumed.setWeights(saved);
    const actual = step(changed, weights);
    weights.assign(here);
    const expected = step(resumed, weights);

    // Adam's powers of beta are products in the one and powers in the other.
    actual.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5);
    });
    expect(actual).not.toEqual(Array.from(here.dataSync()));
    here.dispose();
    saved[0]!.tensor.dispose();
    for (const optimizer of [changed, resumed]) {
      dispose(optimizer);
    }
  });

  it('goes through accessors, as of an optimizer that delegates to another', () => {
    const base = tf.train.adam(0.1);
    const wrapped = {
      get learningRate() {
        return (base as unknown as { learningRate: number }).learningRate;
      },
      set learningRate(value) {
        setLearningRate(base, value);
      },
    };
    setLearningRate(wrapped as unknown as tf.Optimizer, 0.02);
    expect(base.getConfig().learningRate).toBe(0.02);
    base.dispose();
  });

  it('says in one line what is wrong', () => {
    const optimizer = tf.train.sgd(0.1);
    for (const wrong of [-0.1, Number.NaN, Number.POSITIVE_INFINITY, '0.1', undefined]) {
      expect(() => setLearningRate(optimizer, wrong as number)).toThrow(
        `setLearningRate: the learning rate must be a finite number of at least 0, but it is ${typeof wrong === 'string' ? `'${wrong}'` : wrong}.`,
      );
    }
    expect(optimizer.getConfig().learningRate).toBe(0.1);
    for (const wrong of [undefined, null, {}, 'sgd']) {
      expect(() => setLearningRate(wrong as tf.Optimizer, 0.1)).toThrow(
        /^setLearningRate: the optimizer has no number learningRate[^\n]*$/,
      );
    }
    optimizer.dispose();
  });
});

describe('learningRateOf', () => {
  it('is that of the optimizer that the model has now', () => {
    const tensorsBefore = tf.memory().numTensors;
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
    const setting = learningRateOf(model);
    expect(setting.name).toBe('learning_rate');
    for (const access of [() => setting.get(), () => setting.set(1)]) {
      expect(access).toThrow(/^learningRateOf: the model has no optimizer yet[^\n]*model\.compile[^\n]*$/);
    }
    expect(() => learningRateOf(undefined as unknown as tfl.LayersModel).get()).toThrow(/^learningRateOf: [^\n]*$/);
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    expect(setting.get()).toBe(0.01);
    setting.set(0.25);
    expect(model.optimizer.getConfig().learningRate).toBe(0.25);
    const first = model.optimizer;
    model.compile({ optimizer: 'adagrad', loss: 'meanSquaredError' });
    expect(setting.get()).toBe(0.01);
    first.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });
});
