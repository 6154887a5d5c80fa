import * as tf from '@tensorflow/tfjs';

import { mnistDigits } from '../examples/shared/mnist-images.js';
import { measureSharpness } from '../src/index.js';
import { counted } from './counts.js';
import { type CountedReading, type LaunchSetting, launchMethods } from './launch-settings.js';
import { network } from './networks.js';
import { setWeights, trainedWeights } from './trained-network.js';

/** Counts the second reading of a network, on the backend that runs: the first tries sizes out. */
export async function countedReading(setting: LaunchSetting): Promise<CountedReading> {
  const { network: name, samples, method, epochs, memoryMB, asGpu = false } = setting;
  const model = await network(name);
  if (epochs > 0) {
    setWeights(model, (await trainedWeights(name, samples, [epochs])).get(epochs)!);
  }
  const { images, labels } = mnistDigits('train', samples);
  const inputs = images.reshape([samples, 28, 28, 1]);
  let pairs = 0;
  const read = () =>
    counted(async () => {
      ({ pairs } = await measureSharpness(model, inputs, { method: launchMethods[method]!, memoryMB }));
    });
  // What tfjs-node says of itself.
  const backend = tf.backend() as { isUsingGpuDevice?: boolean };
  const { isUsingGpuDevice } = backend;
  if (asGpu) {
    backend.isUsingGpuDevice = true;
  }
  await read();
  const counts = await read();
  if (asGpu) {
    backend.isUsingGpuDevice = isUsingGpuDevice!;
  }
  tf.dispose([images, labels, inputs]);
  model.dispose();
  return { ...setting, pairs, ...counts };
}
