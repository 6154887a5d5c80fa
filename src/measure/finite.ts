import * as tf from '@tensorflow/tfjs-core';
import type { Walk } from '../network/walk.js';
import { isSynchronous } from '../tfjs/backend.js';
import { consecutiveRows } from '../tfjs/consecutive-rows.js';
import { identityOfValues } from '../tfjs/value-identity.js';
import type { Weight } from '../tfjs/weights.js';
import type { Between } from '../traces/chunks.js';
import { nextTurn, numbersInTurns } from '../traces/event-loop.js';

/** Values known to be finite, by what stands for them. */
const knownFinite = new WeakSet<object>();

/** Larger tensors are summed rows by rows, between which the event loop has its turn where that is due. */
const MOST_AT_ONCE = 2 ** 22;

/** Whether every element of each tensor is finite; what has been looked at before is not looked at again. */
async function areKnownFinite(tensors: readonly tf.Tensor[], between: Between): Promise<boolean[]> {
  // Those of the call: a weight may be given other values while these are summed.
  const identities = tensors.map(identityOfValues);
  const places = [...tensors.keys()].filter((i) => !knownFinite.has(identities[i]));
  const finite = await allFinite(
    places.map((i) => tensors[i]),
    between,
  );
  places.forEach((place, i) => {
    if (finite[i]) {
      knownFinite.add(identities[place]);
    }
  });
  return identities.map((identity) => knownFinite.has(identity));
}

/** A sum is not finite if a term is not; a sum may also overflow. */
async function allFinite(tensors: readonly tf.Tensor[], between: Between): Promise<boolean[]> {
  if (tensors.length === 0) {
    return [];
  }
  const identities = tensors.map(identityOfValues);
  const isLarge = tensors.map((x) => isSynchronous() && x.size > MOST_AT_ONCE && x.shape[0] > 1);
  const sums = tf.tidy(() =>
    tf.stack(tensors.map((x, i) => (x.dtype === 'float32' && !isLarge[i] ? tf.sum(x) : tf.scalar(0)))),
  );
  const values = Array.from(await sums.data());
  sums.dispose();
  for (const [i, x] of tensors.entries()) {
    if (isLarge[i] && x.dtype === 'float32') {
      values[i] = await numbersInTurns(summingByRows(x), between);
    }
  }
  return Promise.all(
    tensors.map(
      async (x, i) =>
        Number.isFinite(values[i]) ||
        (!x.isDisposed &&
          identityOfValues(x) === identities[i] &&
          (await x.data()).every((value) => Number.isFinite(value))),
    ),
  );
}

/** Finds the sum of all elements; not a number where the tensor is disposed meanwhile. */
function* summingByRows(x: tf.Tensor): Walk<number> {
  const [rows] = x.shape;
  const atOnce = Math.max(1, Math.floor((MOST_AT_ONCE * rows) / x.size));
  let sum = 0;
  for (let begin = 0; begin < rows; begin += atOnce) {
    if (begin > 0) {
      yield;
    }
    if (x.isDisposed) {
      return Number.NaN;
    }
    const part = tf.tidy(() => tf.sum(consecutiveRows(x, begin, Math.min(atOnce, rows - begin))));
    sum += part.dataSync()[0];
    part.dispose();
  }
  return sum;
}

/**
 * @param checkUnmoved throws where weights have been changed meanwhile: then it is not training that has diverged.
 * @throws Error with one line that names the first weight with a NaN or an infinity in it.
 */
export async function checkFiniteWeights(weights: readonly Weight[], checkUnmoved = () => {}): Promise<void> {
  const finite = await areKnownFinite(
    weights.map((weight) => weight.read()),
    nextTurn,
  );
  const broken = finite.indexOf(false);
  if (broken >= 0) {
    checkUnmoved();
    throw new Error(
      `Weight '${weights[broken].originalName}' has a NaN or an infinity in it: training has diverged there. ` +
        'Lower the learning rate or clip gradients.',
    );
  }
}

/**
 * @param between called where a turn of the event loop is due, to give it. What it throws ends the check.
 * @throws Error with one line that names the first input with a NaN or an infinity in it.
 */
export async function checkFiniteInputs(
  names: readonly string[],
  inputs: readonly tf.Tensor[],
  between: Between = nextTurn,
): Promise<void> {
  const finite = await areKnownFinite(inputs, between);
  const broken = finite.indexOf(false);
  if (broken >= 0) {
    throw new Error(`Input '${names[broken]}' has a NaN or an infinity in it: clean the data.`);
  }
}
