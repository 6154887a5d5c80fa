import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FitCallback } from '../../src/tfjs/fit-callback.js';

/** Notes the model of every fit, which one is under way in each batch, and what it complains of. */
class Noting extends FitCallback {
  readonly models: (tfl.LayersModel | null)[] = [];
  readonly fitted: (tfl.LayersModel | null | undefined)[] = [];
  readonly complaints: string[] = [];
  batches = 0;

  override async onTrainBegin(): Promise<void> {
    this.models.push(this.beginFit());
  }

  override async onBatchEnd(): Promise<void> {
    this.fitted.push(this.fittedModel());
    this.batches++;
  }

  protected override complain(message: string): void {
    this.complaints.push(message);
  }
}

let before: number;
let x: tf.Tensor;
let model: tfl.LayersModel;
let optimizer: tf.Optimizer;
let callback: Noting;
beforeEach(() => {
  before = tf.memory().numTensors;
  x = tf.ones([4, 3]);
  const input = tfl.input({ shape: [3] });
  model = tfl.model({ inputs: input, outputs: tfl.layers.dense({ units: 3 }).apply(input) as tfl.SymbolicTensor });
  optimizer = tf.train.sgd(0.1);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  callback = new Noting();
});
afterEach(() => {
  model.dispose();
  optimizer.dispose();
  x.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

const fit = (...callbacks: object[]) =>
  model.fit(x, x, { batchSize: 2, verbose: 0, callbacks: callbacks as tfl.Callback[] });

describe('a callback among callback objects', () => {
  it('knows the model of every fit, and has nothing to complain of', async () => {
    await fit(callback, new tfl.CustomCallback({}));
    await fit(callback);
    expect(callback.models).toEqual([model, model]);
    expect(callback.batches).toBe(4);
    expect(callback.complaints).toEqual([]);
  });
});

describe('a callback behind a plain object', () => {
  it('hears of batches as itself, knows no model, and says what to write', async () => {
    await fit({}, callback);
    expect(callback.models).toEqual([null]);
    expect(callback.batches).toBe(2);
    expect(callback.complaints).toEqual([
      expect.stringMatching(/^tf\.js did not say which model[^\n]*new tf\.CustomCallback[^\n]*$/),
    ]);
  });

  it('does not take the model of an earlier fit for this one', async () => {
    await fit(callback);
    await fit({}, callback);
    await fit(callback);
    expect(callback.models).toEqual([model, null, model]);
    expect(callback.complaints).toHaveLength(1);
  });
});

describe('a callback in front of a plain object', () => {
  it('says what to write where tf.js only throws', async () => {
    await expect(fit(callback, {})).rejects.toThrow('setParams is not a function');
    expect(callback.models).toEqual([]);
    expect(callback.complaints).toEqual([
      expect.stringMatching(/^tf\.js could not start training[^\n]*new tf\.CustomCallback[^\n]*$/),
    ]);
  });
});

describe('a callback in two fits at the same time', () => {
  it('knows the models in their order, and not which of them an event is about', async () => {
    const other = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [3] })] });
    const ofOther = tf.train.sgd(0.1);
    other.compile({ optimizer: ofOther, loss: 'meanSquaredError' });
    const inner = (other as unknown as { model: tfl.LayersModel }).model;
    await Promise.all([fit(callback), other.fit(x, x, { epochs: 3, batchSize: 4, verbose: 0, callbacks: [callback] })]);
    expect(callback.models).toEqual([model, inner]);
    expect(callback.complaints).toEqual([]);
    expect(callback.fitted[0]).toBeUndefined();
    expect(callback.fitted.at(-1)).toBe(inner);
    await fit(callback);
    expect(callback.fitted.slice(-2)).toEqual([model, model]);
    other.dispose();
    ofOther.dispose();
  });
});

describe('a callback that was told its model', () => {
  class Told extends Noting {
    override async onTrainBegin(): Promise<void> {
      this.models.push(this.beginFit(model, ' Or so.'));
    }
  }

  it('has nothing to complain of', async () => {
    const told = new Told();
    await fit({}, told);
    expect([told.models, told.complaints]).toEqual([[model], []]);
  });
});
