/** The callback by itself: which side of a wave does a point lie on? */
import * as tf from '@tensorflow/tfjs';
import { minimumSharpness } from 'tfjs-sharpness';

const points = tf.randomUniform([500, 2], -1, 1, 'float32', 1) as tf.Tensor2D;
const [x, y] = tf.split(points, 2, 1);
const isAbove = tf.greater(y, tf.sin(x.mul(3)).mul(0.5)).toFloat();

const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 16, activation: 'relu', inputShape: [2], kernelInitializer: kernelInitializer(1) }),
    tf.layers.dense({ units: 16, activation: 'relu', kernelInitializer: kernelInitializer(2) }),
    tf.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: kernelInitializer(3) }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: 'binaryCrossentropy' });

const sharpness = minimumSharpness({ data: points });
const { history } = await model.fit(points, isAbove, { epochs: 10, verbose: 0, callbacks: [sharpness] });

history.loss.forEach((loss, epoch) => {
  const value = history.minimumSharpness[epoch] as number;
  console.log(`epoch ${epoch + 1}: loss ${(loss as number).toFixed(3)}, Minimum Sharpness ${value.toFixed(3)}`);
});
