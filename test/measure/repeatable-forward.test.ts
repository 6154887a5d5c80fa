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
