import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';

/** Adds noise to its input, as the sampling layer of a variational autoencoder does: always, or in training only. */
class Noisy extends tfl.layers.Layer {
  static readonly className = 'Noisy';

  constructor(readonly always: boolean) {
    super({ name: 'draws' });
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training }: { training?: boolean }): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor];
    return this.always || training ? tf.add(x, tf.randomNormal(x.shape)) : tf.clone(x);
  }
}

function autoencoder(always: boolean): tfl.LayersModel {
  const model = tfl.sequential();
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 1 });
  model.add(tfl.layers.dense({ units: 2, inputShape: [3], kernelInitializer }));
  model.add(new Noisy(always));
  model.add(tfl.layers.dense({ units: 3, kernelInitializer }));
  return model;
}

const options = { loss: 'meanSquaredError', sampleWeight: [1, 2, 3, 4] } as const;

it('refuses a model that draws at random in inference, in one line that names the layer', async () => {
  const model = autoencoder(true);
  const x = tf.ones([4, 3]);
  const { numTensors } = tf.memory();
  await expect(measureSharpness(model, x, options)).rejects.toThrow(
    /^The model puts out something else each time .* let 'draws' \(Noisy\) draw at random in training only/,
  );
  expect(tf.memory().numTensors).toBe(numTensors);
  x.dispose();
  model.dispose();
});

it('measures one that draws in training only', async () => {
  const model = autoencoder(false);
  const x = tf.ones([4, 3]);
  const { numTensors } = tf.memory();
  expect((await measureSharpness(model, x, options)).trace).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(numTensors);
  x.dispose();
  model.dispose();
});

/** A cell whose output is its input, with noise. */
class NoisyCell extends tfl.layers.Layer {
  static readonly className = 'NoisyCell';
  readonly stateSize = 2;

  constructor() {
    super({ name: 'drawingCell' });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    const [x] = inputs as tf.Tensor[];
    const y = tf.add(x, tf.randomNormal(x.shape));
    return [y, tf.clone(y)];
  }
}

const kernelInitializer = tfl.initializers.glorotNormal({ seed: 1 });

it.each<[string, string, () => tfl.layers.Layer]>([
  [
    'a wrapper',
    "'draws' (Noisy)",
    () => tfl.layers.timeDistributed({ layer: new Noisy(true), inputShape: [3, 2] } as never),
  ],
  [
    'a chain in a wrapper',
    "'draws' (Noisy)",
    () => {
      const layer = tfl.sequential({
        layers: [tfl.layers.dense({ units: 2, inputShape: [2], kernelInitializer }), new Noisy(true)],
      });
      return tfl.layers.timeDistributed({ layer, inputShape: [3, 2] } as never);
    },
  ],
  [
    'a recurrent layer',
    "'drawingCell' (NoisyCell)",
    () =>
      tfl.layers.rnn({ cell: new NoisyCell() as never, inputShape: [3, 2], returnSequences: true }) as tfl.layers.Layer,
  ],
  [
    'stacked cells',
    "'drawingCell' (NoisyCell)",
    () =>
      tfl.layers.rnn({
        cell: tfl.layers.stackedRNNCells({ cells: [new NoisyCell() as never] }),
        inputShape: [3, 2],
        returnSequences: true,
      }) as tfl.layers.Layer,
  ],
])('refuses a layer that draws at random inside of %s', async (_, named, make) => {
  const model = tfl.sequential({
    layers: [make(), tfl.layers.flatten(), tfl.layers.dense({ units: 3, kernelInitializer })],
  });
  const x = tf.ones([4, 3, 2]);
  const { numTensors } = tf.memory();
  await expect(measureSharpness(model, x, options)).rejects.toThrow(`let ${named} draw at random in training only`);
  expect(tf.memory().numTensors).toBe(numTensors);
  x.dispose();
  model.dispose();
});
