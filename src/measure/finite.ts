import * as tf from '@tensorflow/tfjs-core';
import { identityOfValues } from '../tfjs/value-identity.js';
import type { Weight } from '../tfjs/weights.js';

/** Values known to be finite, by what stands for them. */
const knownFinite = new WeakSet<object>();

/** Whether every element of each tensor is finite; what has been looked at before is not looked at again. */
async function areFinite(tensors: readonly tf.Tensor[]): Promise<boolean[]> {
  const unknown = tensors.filter((x) => !knownFinite.has(identityOfValues(x)));
  const finite = await allFinite(unknown);
  unknown.forEach((x, i) => {
    if (finite[i]) {
      knownFinite.add(identityOfValues(x));
    }
  });
  return tensors.map((x) => knownFinite.has(identityOfValues(x)));
}

/** A sum is not finite if a term is not; a sum may also overflow. */
async function allFinite(tensors: readonly tf.Tensor[]): Promise<boolean[]> {
  if (tensors.length === 0) {
    return [];
  }
  const sums = tf.tidy(() => tf.stack(tensors.map((x) => (x.dtype === 'float32' ? tf.sum(x) : tf.scalar(0)))));
  const values = await sums.data();
  sums.dispose();
  return Promise.all(
    tensors.map(
      async (x, i) => Number.isFinite(values[i]) || (await x.data()).every((value) => Number.isFinite(value)),
    ),
  );
}

/** @throws Error with one line that names the first weight with a NaN or an infinity in it. */
export async function checkFiniteWeights(weights: readonly Weight[]): Promise<void> {
  const finite = await areFinite(weights.map((weight) => weight.read()));
  const broken = finite.indexOf(false);
  if (broken >= 0) {
    throw new Error(
      `Weight '${weights[broken].originalName}' has a NaN or an infinity in it: training has diverged there. ` +
        'Lower the learning rate or clip gradients.',
    );
  }
}

/** @throws Error with one line that names the first input with a NaN or an infinity in it. */
export async function checkFiniteInputs(names: readonly string[], inputs: readonly tf.Tensor[]): Promise<void> {
  const finite = await areFinite(inputs);
  const broken = finite.indexOf(false);
  if (broken >= 0) {
    throw new Error(`Input '${names[broken]}' has a NaN or an infinity in it: clean the data.`);
  }
}
