import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { hasL2Factor, hasRegularizer } from '../../src/tfjs/regularizers.js';

const { layers } = tfl;

/** What a regularizer adds to the loss for a single weight of 2. */
function penaltyOf(regularizer: object): number {
  const { apply } = regularizer as { apply(x: tf.Tensor): tf.Tensor };
  return tf.tidy(() => apply.call(regularizer, tf.tensor1d([2])).dataSync()[0]);
}

it.each([
  ['l2', (l2: number) => tfl.regularizers.l2({ l2 })],
  ['l1l2', (l2: number) => tfl.regularizers.l1l2({ l1: 0, l2 })],
])(
  'the factor of %s can be read and set, and counts at the next call; one that was 0 at first never does',
  (_, make) => {
    for (const factor of [0.5, 0]) {
      const regularizer: object = make(factor);
      expect(penaltyOf(regularizer)).toBe(4 * factor);
      if (!hasL2Factor(regularizer)) {
        throw new Error('no factor');
      }
      expect(regularizer.l2).toBe(factor);
      regularizer.l2 = 3;
      expect(penaltyOf(regularizer)).toBe(factor === 0 ? 0 : 12);
    }
  },
);

it('nothing else has one', () => {
  for (const other of [undefined, null, 'l2', 0.1, {}, { l2: '0.1' }]) {
    expect(hasL2Factor(other)).toBe(false);
  }
});

it('finds the regularizers of a layer, whichever weight they are of', () => {
  const regularizer = tfl.regularizers.l2({ l2: 0.1 });
  const some = [
    layers.dense({ units: 1, kernelRegularizer: 'l1l2' }),
    layers.conv2d({ filters: 1, kernelSize: 1, biasRegularizer: regularizer }),
    layers.batchNormalization({ gammaRegularizer: regularizer }),
    layers.embedding({ inputDim: 2, outputDim: 2, embeddingsRegularizer: regularizer }),
    layers.lstm({ units: 1, kernelRegularizer: 'l1l2' }) as tfl.layers.Layer,
    layers.gru({ units: 1, recurrentRegularizer: regularizer }) as tfl.layers.Layer,
    layers.bidirectional({ layer: layers.lstm({ units: 1, biasRegularizer: regularizer }) as tfl.RNN }),
    layers.timeDistributed({ layer: layers.dense({ units: 1, kernelRegularizer: regularizer }) }),
  ];
  const none = [
    layers.lstm({ units: 1 }) as tfl.layers.Layer,
    layers.bidirectional({ layer: layers.lstm({ units: 1 }) as tfl.RNN }),
    layers.timeDistributed({ layer: layers.dense({ units: 1 }) }),
    layers.dense({ units: 1 }),
    layers.conv2d({ filters: 1, kernelSize: 1 }),
    layers.batchNormalization(),
    layers.flatten(),
  ];
  expect(some.map(hasRegularizer)).toEqual(some.map(() => true));
  expect(none.map(hasRegularizer)).toEqual(none.map(() => false));
});

it('of recurrent layers, tf.js leaves them out of the loss itself', () => {
  const lossesOf = (layer: tfl.layers.Layer) => {
    const model = tfl.model({ inputs: symbol, outputs: layer.apply(symbol) as tfl.SymbolicTensor });
    return tf.tidy(() => (model as unknown as { calculateLosses(): tf.Tensor[] }).calculateLosses().length);
  };
  const symbol = tfl.input({ shape: [3, 2] });
  const settings = { units: 2, kernelRegularizer: 'l1l2' } as const;
  expect(lossesOf(layers.timeDistributed({ layer: layers.dense(settings) }))).toBe(1);
  expect(lossesOf(layers.gru({ ...settings, recurrentInitializer: 'glorotNormal' }) as tfl.layers.Layer)).toBe(0);
});
