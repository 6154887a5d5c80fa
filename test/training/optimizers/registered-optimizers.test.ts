import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { asam } from '../../../src/training/optimizers/asam.js';
import { registerOptimizers } from '../../../src/training/optimizers/registered-optimizers.js';
import { sam } from '../../../src/training/optimizers/sam.js';
import { sharpnessPenalty } from '../../../src/training/optimizers/sharpness-penalty.js';

afterEach(registerOptimizers);

/** As in a program whose bundler left out the modules that register themselves. */
function forget(): void {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  for (const className of ['SAM', 'ASAM', 'SharpnessPenalty']) {
    expect(delete classNameMap[className], className).toBe(true);
  }
}

async function saved(optimizer: tf.Optimizer): Promise<tf.io.IOHandler> {
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 2, inputShape: [3], activation: 'softmax', name: `of_${optimizer.getClassName()}` }),
    ],
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  let artifacts: tf.io.ModelArtifacts | undefined;
  const save = async (given: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    artifacts = given;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  };
  await model.save({ save }, { includeOptimizer: true });
  model.dispose();
  return { load: async () => artifacts! };
}

describe('registerOptimizers', () => {
  it.each<[string, () => tf.Optimizer]>([
    ['sam', () => sam(tf.train.sgd(0.1), { rho: 0.3 })],
    ['asam', () => asam(tf.train.adam(0.1), { rho: 0.5, eta: 0.02 })],
    [
      'sharpnessPenalty',
      () => sharpnessPenalty(tf.train.momentum(0.1, 0.9), { lambda: 0.01, every: 2, columns: 'all' }),
    ],
  ])('lets a model load that was saved with %s, called once or often', async (_, make) => {
    const optimizer = make();
    const file = await saved(optimizer);
    forget();
    await expect(tfl.loadLayersModel(file)).rejects.toThrow(optimizer.getClassName());
    for (let times = 0; times < 3; times++) {
      registerOptimizers();
      const model = await tfl.loadLayersModel(file);
      expect(model.optimizer.getClassName()).toBe(optimizer.getClassName());
      expect(model.optimizer.getConfig()).toEqual(optimizer.getConfig());
      const [x, y] = [tf.ones([2, 3]), tf.tensor2d([1, 0, 0, 1], [2, 2])];
      expect(await model.trainOnBatch(x, y)).toBeGreaterThan(0);
      tf.dispose([x, y]);
      model.optimizer.dispose();
      model.dispose();
    }
    optimizer.dispose();
  });

  it('leaves optimizers that there are already what they are', () => {
    const optimizer = sam(tf.train.sgd(0.1), { rho: 0.3 });
    registerOptimizers();
    expect(optimizer.getClassName()).toBe('SAM');
    expect(optimizer.getConfig()).toMatchObject({ rho: 0.3 });
    optimizer.dispose();
  });
});
