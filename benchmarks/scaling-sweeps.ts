import * as tf from '@tensorflow/tfjs';
import type { MeasureMethod } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { goldenWeight } from '../test/measure/golden-network.js';

/** One point of a sweep: a dense network on jittered MNIST images. */
export interface Setting {
  readonly samples: number;
  readonly classes: number;
  /** Units of the hidden layers. */
  readonly width: number;
  /** Hidden layers. */
  readonly depth: number;
}

const middle: Setting = { samples: 1000, classes: 10, width: 128, depth: 2 };
/** Where the classes are varied: rows are their product with the samples. */
const FEW_SAMPLES = 100;

/** What is varied, over which values; all the rest is as in `middle`. */
export const sweeps: Readonly<
  Record<keyof Setting, { readonly values: readonly number[]; readonly quick: readonly number[] }>
> = {
  samples: { values: [100, 300, 1000, 3000, 10_000, 60_000], quick: [100, 200, 400] },
  classes: { values: [2, 10, 30, 100, 300, 1000], quick: [2, 20, 200] },
  width: { values: [32, 64, 128, 256, 512, 1024], quick: [16, 32, 64] },
  depth: { values: [1, 2, 4, 8, 16, 32], quick: [1, 2, 4] },
};

export function settingsOf(axis: keyof Setting, quick: boolean): Setting[] {
  const { [quick ? 'quick' : 'values']: values } = sweeps[axis];
  const samples = quick || axis === 'classes' ? FEW_SAMPLES : middle.samples;
  return values.map((value) => ({ ...middle, samples, [axis]: value }));
}

export const methods: Readonly<Record<string, { readonly title: string; readonly method: MeasureMethod }>> = {
  exact: { title: 'exact', method: 'exact' },
  sampled: { title: '{ pairs: 512 }', method: { pairs: 512 } },
};

export function networkOf({ classes, width, depth }: Setting): tf.LayersModel {
  const model = tf.sequential();
  for (let layer = 0; layer < depth; layer++) {
    model.add(tf.layers.dense({ units: width, activation: 'relu', inputShape: [28 * 28] }));
  }
  model.add(tf.layers.dense({ units: classes, activation: 'softmax' }));
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({ originalName, shape }, i) => {
        const size = shape as number[];
        return tf.tensor(goldenWeight(originalName, size, i + 1), size, 'float32');
      }),
    ),
  );
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  return model;
}

/** MNIST images [samples, 784], repeated with a little noise where there are not enough. */
export function imagesOf({ samples }: Setting): tf.Tensor2D {
  return tf.tidy(() => {
    const { images } = mnistDigits('train', Math.min(samples, 4000));
    const repeated = images.tile([Math.ceil(samples / images.shape[0]), 1]).slice(0, samples) as tf.Tensor2D;
    return samples > images.shape[0]
      ? (repeated.add(tf.randomUniform(repeated.shape, 0, 0.1, 'float32', 1)) as tf.Tensor2D)
      : repeated;
  });
}
