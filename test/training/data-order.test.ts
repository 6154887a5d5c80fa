import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, expect, it, vi } from 'vitest';
import type { DatasetInputs } from '../../src/measure/inputs.js';
import { hasPasses, ORDER_CHANGES, watchOrder } from '../../src/training/data-order.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const rows = Array.from({ length: 12 }, (_, n) => ({
  xs: [Math.sin(n), Math.cos(3 * n)],
  ys: n % 2 ? [1, 0] : [0, 1],
}));

async function readAll({ iterator }: DatasetInputs): Promise<unknown[]> {
  const items = await iterator();
  const seen: unknown[] = [];
  for (let item = await items.next(); !item.done; item = await items.next()) {
    const { xs } = item.value as { xs: tf.Tensor };
    seen.push(xs.arraySync());
    tf.dispose(item.value as tf.TensorContainer);
  }
  return seen;
}

it('tells when a dataset begins in another way than before, and passes on what it yields', async () => {
  const { numTensors } = tf.memory();
  const onChange = vi.fn();
  const plain = tfd.array(rows).batch(5);
  const watched = watchOrder(plain, onChange);
  expect(watched.size).toBe(3);
  const inOrder = await readAll(plain);
  expect(await readAll(watched)).toEqual(inOrder);
  expect(await readAll(watched)).toEqual(inOrder);
  expect(onChange).not.toHaveBeenCalled();

  const shuffled = watchOrder(tfd.array(rows).shuffle(12, 'seed').batch(5), onChange);
  await readAll(shuffled);
  expect(onChange).not.toHaveBeenCalled();
  await readAll(shuffled);
  expect(onChange).toHaveBeenCalledTimes(1);

  // tf.js draws, and shuffles anew, also where it is told to shuffle once.
  const once = watchOrder(tfd.array(rows).shuffle(12, 'seed', false).batch(5), onChange);
  await readAll(once);
  await readAll(once);
  expect(onChange).toHaveBeenCalledTimes(2);
  expect(tf.memory().numTensors).toBe(numTensors);
});

it('looks all over large items, and leaves alone what it cannot compare', async () => {
  const items = [0, 1].map((last) => tf.concat([tf.zeros([5000]), tf.fill([3000], last)]));
  const text = tf.tensor1d(['a']);
  const onChange = vi.fn();
  let pass = 0;
  const dataset: DatasetInputs = {
    iterator: async () => {
      const xs = [items[pass++], text, tf.tensor1d([]), null, 'text', new Float32Array([pass])];
      let done = true;
      return {
        async next() {
          done = !done;
          return { done, value: xs } as IteratorResult<unknown>;
        },
      };
    },
  };
  const watched = watchOrder(dataset, onChange);
  for (let i = 0; i < 2; i++) {
    await (await watched.iterator()).next();
    expect(onChange).toHaveBeenCalledTimes(i);
  }
  tf.dispose([items, text]);
  tf.disposeVariables();
});

it('is about datasets of tf.data, not about what makes its items anew', () => {
  expect(hasPasses(tfd.array(rows).batch(5))).toBe(true);
  expect(hasPasses({ iterator: async () => [tf.zeros([1, 2])][Symbol.iterator]() as never })).toBe(false);
});

it('passes on an item that cannot be compared, and compares the others', async () => {
  const { numTensors } = tf.memory();
  const onChange = vi.fn();
  const watched = watchOrder(tfd.array(rows).shuffle(12, 'seed').batch(5), onChange);
  const first = await readAll(watched);
  expect(first).toHaveLength(3);
  const data = vi.spyOn(tf.Tensor.prototype, 'data').mockRejectedValueOnce(new Error('the device is lost'));
  expect(await readAll(watched)).toHaveLength(3);
  expect(onChange).not.toHaveBeenCalled();
  data.mockRestore();
  await readAll(watched);
  expect(onChange).toHaveBeenCalledTimes(1);
  expect(tf.memory().numTensors).toBe(numTensors);
});

/** Trains on a seeded shuffle, with `dataOf` it as data; the weights that come of it, and the warnings. */
async function trained(dataOf?: (shuffled: tfd.Dataset<tf.TensorContainer>) => tfd.Dataset<tf.TensorContainer>) {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 1 });
  const model = tfl.sequential({
    layers: [tfl.layers.dense({ units: 2, inputShape: [2], activation: 'softmax', kernelInitializer })],
  });
  model.compile({ optimizer: tf.train.sgd(0.5), loss: 'categoricalCrossentropy' });
  const shuffled = tfd.array(rows).shuffle(12, 'seed');
  const callbacks = dataOf ? [minimumSharpness({ data: dataOf(shuffled) })] : [];
  await model.fitDataset(shuffled.batch(4), { epochs: 3, verbose: 0, callbacks });
  const weights = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
  callbacks[0]?.dispose();
  model.dispose();
  const said = warn.mock.calls.map(([line]) => String(line));
  warn.mockRestore();
  return { weights, said };
}

it('a shuffle that training draws from too is said, once, with what to pass instead, which leaves training as it is', async () => {
  const plain = await trained();
  const shared = await trained((shuffled) => shuffled.batch(6));
  expect(shared.weights).not.toEqual(plain.weights);
  expect(shared.said).toEqual([`tfjs-sharpness, minimumSharpness: ${ORDER_CHANGES}`]);
  const own = await trained(() => tfd.array(rows).batch(6));
  expect(own).toEqual({ weights: plain.weights, said: [] });
});
