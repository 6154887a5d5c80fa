import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Samples } from './samples.js';

/** float32 through a deep network on different machines, as a share of the largest number of its column. */
const TOLERANCE = 1e-3;

/**
 * Compares what a model predicts with what another program, Keras for one, says that it predicts.
 *
 * @param inputs [N, ...] each.
 * @param place of the output, from 0.
 * @param expected [N, ...], its predictions.
 * @param path of their file, for messages.
 * @throws Error with one line where they differ by more than a thousandth of the largest of their column (the last axis), or are of another shape.
 */
export async function checkPredictions(
  model: tfl.LayersModel,
  inputs: unknown,
  place: number,
  expected: Samples,
  path: string,
): Promise<void> {
  if (!Array.isArray(inputs)) {
    throw new Error('expect goes with files of numbers, not with a module that exports data.');
  }
  const predicted = tf.tidy(() => [model.predict(inputs as tf.Tensor[])].flat()[place]!);
  const { shape } = predicted;
  const values = await predicted.data();
  predicted.dispose();
  const inner = (of: readonly number[]) => of.slice(1).filter((size) => size !== 1);
  if (expected.shape[0] !== shape[0] || inner(expected.shape).join() !== inner(shape).join()) {
    throw new Error(
      `'${path}' has predictions of shape [${expected.shape.join(', ')}], but the model's are [${shape.join(', ')}].`,
    );
  }
  const width = shape.length > 1 ? shape.at(-1)! : 1;
  const largest = new Float64Array(width).fill(1e-6);
  expected.values.forEach((value, i) => {
    largest[i % width] = Math.max(largest[i % width]!, Math.abs(value));
  });
  let most = 0;
  let worst = 0;
  expected.values.forEach((value, i) => {
    const off = Math.abs(value - values[i]!) / largest[i % width]!;
    if (!(off <= most)) {
      most = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
      worst = i;
    }
  });
  if (most === Number.POSITIVE_INFINITY || most > TOLERANCE) {
    const sample = Math.floor((worst * shape[0]!) / values.length);
    throw new Error(
      `tf.js predicts ${values[worst]!.toPrecision(4)} where '${path}' has ${expected.values[worst]!.toPrecision(4)} (sample ${sample + 1}): ` +
        'it computes a layer otherwise than what made the file, or the samples are others.',
    );
  }
}
