import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { readDataFile } from './data-file.js';
import { firstSamples } from './samples.js';

/** float32 through a deep network on different machines. */
const TOLERANCE = 1e-3;

/**
 * Compares what a model predicts with what another program, Keras for one, says that it predicts.
 *
 * @param inputs [N, ...] each.
 * @param path of a file with the predictions of the first output, [N, ...].
 * @throws Error with one line where they differ by more than a thousandth of the largest, or are of another shape.
 */
export async function checkPredictions(
  model: tfl.LayersModel,
  inputs: unknown,
  path: string,
  limit: number,
): Promise<void> {
  if (!Array.isArray(inputs)) {
    throw new Error('expect goes with files of numbers, not with a module that exports data.');
  }
  const [first] = model.outputs;
  const { arrays } = await readDataFile(path, first!.shape, limit);
  const all = [...arrays.values()][0]!;
  const expected = firstSamples(all, limit);
  const predicted = tf.tidy(() => [model.predict(inputs as tf.Tensor[])].flat()[0]!);
  const { shape } = predicted;
  const values = await predicted.data();
  predicted.dispose();
  if (expected.values.length !== values.length) {
    throw new Error(
      `'${path}' has predictions of shape [${expected.shape.join(', ')}], but the model's are [${shape.join(', ')}].`,
    );
  }
  const largest = expected.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let worst = 0;
  expected.values.forEach((value, i) => {
    const off = Math.abs(value - values[i]!);
    if (!(off <= Math.abs(expected.values[worst]! - values[worst]!))) {
      worst = i;
    }
  });
  const off = Math.abs(expected.values[worst]! - values[worst]!);
  if (!(off <= TOLERANCE * Math.max(largest, 1e-6))) {
    const sample = Math.floor(worst / (values.length / shape[0]!));
    throw new Error(
      `tf.js predicts ${values[worst]!.toPrecision(4)} where '${path}' has ${expected.values[worst]!.toPrecision(4)} (sample ${sample + 1}): ` +
        'it computes a layer otherwise than what made the file, or the samples are others.',
    );
  }
}
