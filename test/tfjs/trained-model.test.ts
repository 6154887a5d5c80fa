import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isBeingTrained, modelOfLoss, withoutMetrics } from '../../src/tfjs/trained-model.js';

/** Shows the loss function of every step to `look`, in the place of a step. */
class Looking extends tf.SGDOptimizer {
  constructor(readonly look: (loss: () => tf.Scalar) => tf.Scalar) {
    super(0.1);
  }

  override minimize(loss: () => tf.Scalar): tf.Scalar {
    return tf.tidy(() => this.look(loss));
  }
}

let before: number;
let x: tf.Tensor;
let y: tf.Tensor;
beforeEach(() => {
  before = tf.memory().numTensors;
  x = tf.ones([4, 3]);
  y = tf.ones([4, 2]);
});
afterEach(() => {
  tf.dispose([x, y]);
  expect(tf.memory().numTensors).toBe(before);
});

/** A model with a model inside. */
function nested(look: (loss: () => tf.Scalar) => tf.Scalar): tfl.LayersModel {
  const inner = tfl.sequential({
    layers: [tfl.layers.dense({ units: 2, inputShape: [3], kernelRegularizer: 'l1l2' })],
  });
  const input = tfl.input({ shape: [3] });
  const model = tfl.model({ inputs: input, outputs: inner.apply(input) as tfl.SymbolicTensor });
  model.compile({ optimizer: new Looking(look), loss: 'meanSquaredError', metrics: ['mse'] });
  return model;
}

/** The optimizer of `compile` is the user's to dispose. */
function dispose(model: tfl.LayersModel): void {
  model.optimizer.dispose();
  model.dispose();
}

describe('modelOfLoss', () => {
  it('finds the model that is trained, not one inside of it', async () => {
    let found: tfl.LayersModel | undefined;
    const model = nested((loss) => {
      const { value, model: trained } = modelOfLoss(loss);
      found = trained;
      return value;
    });
    const [value, metric] = (await model.trainOnBatch(x, y)) as number[];
    expect(found).toBe(model);
    expect(value).toBeGreaterThan(metric); // by what the regularizer adds
    dispose(model);
  });

  it("has none for a function of the user's own", () => {
    expect(modelOfLoss(() => 7)).toEqual({ value: 7, model: undefined });
  });

  it('leaves the class as it was, also where the loss throws', () => {
    const failing = () => {
      throw new Error('no loss');
    };
    expect(() => modelOfLoss(failing)).toThrow('no loss');
    expect(Object.hasOwn(tfl.LayersModel.prototype, 'calculateLosses')).toBe(false);
    const own = () => [];
    const prototype = tfl.LayersModel.prototype as unknown as { calculateLosses?: unknown };
    prototype.calculateLosses = own;
    modelOfLoss(() => 7);
    expect(prototype.calculateLosses).toBe(own);
    delete prototype.calculateLosses;
  });
});

describe('withoutMetrics', () => {
  it('runs the loss once more, and the metrics of the batch are still one each', async () => {
    const model = nested((loss) => {
      const first = loss();
      withoutMetrics(model, () => tf.tidy(() => void loss()));
      return first;
    });
    const { metricsTensors } = model;
    const reported = (await model.trainOnBatch(x, y)) as number[];
    expect(reported).toHaveLength(model.metricsNames.length);
    expect(model.metricsTensors).toBe(metricsTensors);
    const failing = () => {
      expect(model.metricsTensors).toEqual([]);
      throw new Error('no loss');
    };
    expect(() => withoutMetrics(model, failing)).toThrow('no loss');
    expect(model.metricsTensors).toBe(metricsTensors);
    dispose(model);
  });

  it('runs any loss where there is no model', () => {
    expect(withoutMetrics(undefined, () => 7)).toBe(7);
  });
});

describe('isBeingTrained', () => {
  it('is so as long as a fit runs, also one that throws', async () => {
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const seen: boolean[] = [];
    // A callback is told of the model that does the work inside of a Sequential.
    class Watching extends tfl.Callback {
      override async onBatchEnd() {
        seen.push(isBeingTrained(this.model));
      }
      override async onTrainBegin() {
        if (seen.length > 0) {
          throw new Error('enough');
        }
      }
    }
    const watching = new Watching();
    expect(isBeingTrained(watching.model)).toBe(false);
    await model.fit(x, y, { verbose: 0, callbacks: watching });
    expect(isBeingTrained(watching.model)).toBe(false);
    await expect(model.fit(x, y, { verbose: 0, callbacks: watching })).rejects.toThrow('enough');
    expect(isBeingTrained(watching.model)).toBe(false);
    expect(seen).toEqual([true]);
    dispose(model);
  });

  it('is not so where there is no model yet', () => {
    expect([null, undefined].map(isBeingTrained)).toEqual([false, false]);
  });
});
