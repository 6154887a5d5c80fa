import * as tf from '@tensorflow/tfjs-core';
import type { DatasetInputs } from '../measure/inputs.js';

/** What to say of a dataset whose order changes. */
export const ORDER_CHANGES =
  'data comes with other numbers, or in another order, each time it is read. If training reads from the same shuffle, each reading draws from its generator, ' +
  'and training goes on in another order than without this callback: pass as data a dataset without the shuffle, which readings do not need.';

/** Whether it is a `tf.data.Dataset`, which may share a generator with others: who makes items anew by hand means to. */
export function hasPasses(dataset: DatasetInputs): boolean {
  return typeof (dataset as { forEachAsync?: unknown }).forEachAsync === 'function';
}

/** Numbers of an item that are compared, spread over each of its tensors. */
const NUMBERS = 1024;

/**
 * The same dataset, which tells when a pass over it begins with other numbers than the one before. Its order then comes from a generator
 * that every pass draws from, as `shuffle(bufferSize, seed)` has one, and with it all that is made of the same shuffle.
 */
export function watchOrder(dataset: DatasetInputs, onChange: () => void): DatasetInputs {
  let before: string | undefined;
  return {
    get size() {
      return dataset.size;
    },
    async iterator() {
      const iterator = await dataset.iterator();
      let isFirst = true;
      return {
        async next() {
          const item = await iterator.next();
          if (isFirst && !item.done) {
            isFirst = false;
            // Where it cannot be compared, whoever takes the item says why.
            const now = await numbersOf(item.value).then(String, () => undefined);
            if (before !== undefined && now !== undefined && before !== now) {
              onChange();
            }
            before = now ?? before;
          }
          return item;
        },
      };
    },
  };
}

/** Some numbers of all tensors in an item. */
async function numbersOf(item: unknown): Promise<number[]> {
  if (item instanceof tf.Tensor) {
    const { size, dtype } = item;
    const count = Math.min(size, NUMBERS);
    // Of others a reading says that it cannot take them.
    if (count === 0 || !['float32', 'int32', 'bool'].includes(dtype)) {
      return [];
    }
    const some = tf.tidy(() => {
      const indices = Array.from({ length: count }, (_, i) => Math.floor((i * size) / count));
      return tf.gather(tf.reshape(item, [-1]), tf.tensor1d(indices, 'int32'));
    });
    try {
      return [...(await some.data())];
    } finally {
      some.dispose();
    }
  }
  const inner = typeof item === 'object' && item !== null && !ArrayBuffer.isView(item) ? Object.values(item) : [];
  return (await Promise.all(inner.map(numbersOf))).flat();
}
