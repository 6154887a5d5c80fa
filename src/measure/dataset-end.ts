import { warnOnce } from '../warnings.js';
import type { DatasetInputs } from './inputs.js';

/** A pass over a dataset of unknown length says so once it has taken this long, in ms. */
const LONG_MS = 10_000;
/** So many samples make a dataset of unknown length endless: few sets are larger, and whoever has one can say so. */
const MOST_SAMPLES = 2 ** 20;

const warn = warnOnce('tfjs-sharpness');

/**
 * Watches a pass over a dataset whose length nobody knows, as that of a generator: after a while a line says that it is waited for, so that
 * training does not hang without a word, and the pass is ended where it comes to no end.
 *
 * @param now in ms.
 * @returns to be told of the samples seen so far. @throws Error with one line when there are too many.
 */
export function watchForEnd(
  dataset: DatasetInputs,
  now: () => number = () => performance.now(),
): (samples: number) => void {
  // tf.js takes the length of what it zips for 0 where it does not know one of them.
  if (dataset.size) {
    return () => {};
  }
  const begin = now();
  return (samples) => {
    if (samples > MOST_SAMPLES) {
      throw new Error(
        `The dataset has yielded ${samples} samples, does not say how many it has, and goes on: it is taken to be endless. Pass ` +
          'dataset.take(n), n batches; where it does end, say so: Object.assign(dataset, { size: n }).',
      );
    }
    if (now() - begin > LONG_MS) {
      warn(
        `a dataset that does not say how many batches it has has yielded ${samples} samples so far, and a reading ends when it does. ` +
          'If it never does, as a generator without an end or .repeat(), pass dataset.take(n), n batches.',
        dataset,
      );
    }
  };
}
