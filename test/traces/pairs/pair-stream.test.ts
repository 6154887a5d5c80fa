import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../../src/network/walk.js';
import { type PairStreamOptions, pairStream } from '../../../src/traces/pairs/pair-stream.js';
import type { SizedBatch } from '../../../src/traces/pairs/sized-batch.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

const COLUMNS = 2;
const defaults = { seed: 4, budgetBytes: 2 ** 26, capacity: undefined, population: undefined };

const sizeOf = (pair: number) => Math.fround(Math.exp(1.5 * Math.sin(3 * pair)));

/** A stream of batches of samples, the n-th of which is [n, -n] and n as a whole number. */
async function streamed(batches: readonly number[], options: Partial<PairStreamOptions> = {}) {
  const stream = pairStream({ ...defaults, ...options });
  for (const samples of batches) {
    const numbers = Array.from({ length: samples }, (_, i) => stream.samples + i);
    const inputs = [tf.tensor2d(numbers.map((n) => [n, -n])), tf.tensor1d(numbers, 'int32')];
    const first = stream.samples * COLUMNS;
    const batch: SizedBatch = {
      samples,
      columns: COLUMNS,
      sizes: Float32Array.from({ length: samples * COLUMNS }, (_, i) => sizeOf(first + i)),
    };
    await stream.add(inputs, async () => batch);
    tf.dispose(inputs);
  }
  return stream;
}

describe('pairStream', () => {
  it('keeps the pairs of the largest priorities, with the rows of their samples', async () => {
    const before = tf.memory().numTensors;
    const stream = await streamed([30, 50, 7, 13], { capacity: 25 });
    expect(stream).toMatchObject({ samples: 100, capacity: 25 });
    expect(tf.memory().numTensors).toBe(before);
    const source = stream.source();
    expect(source).toMatchObject({ samples: 100, largest: 25, allBeyond: false, shapes: [[2], []] });
    const priorities = Array.from({ length: 200 }, (_, pair) => ({ pair, priority: sizeOf(pair) / uniform(4, pair) }));
    const expected = priorities
      .sort((a, b) => b.priority - a.priority)
      .slice(0, 25)
      .map(({ pair }) => pair);
    const { indices } = atOnce(source.drawing(25));
    const places = expected.map((pair) => Math.floor(pair / COLUMNS));
    expect(indices.map(source.sampleOf)).toEqual(places);
    const { inputs, columns } = source.rows(indices);
    expect(columns).toEqual(expected.map((pair) => pair % COLUMNS));
    expect([inputs[0]!.shape, inputs[1]!.shape, inputs[1]!.dtype]).toEqual([[25, 2], [25], 'int32']);
    expect([...inputs[0]!.dataSync()]).toEqual(places.flatMap((n) => [n, -n]));
    expect([...inputs[1]!.dataSync()]).toEqual(places);
    tf.dispose(inputs);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps as many pairs as the budget has room for, within bounds', async () => {
    const capacity = async (budgetBytes: number) => (await streamed([3], { budgetBytes })).capacity;
    expect(pairStream(defaults).capacity).toBe(0);
    // A sample has three numbers.
    expect(await capacity(12 * 1000)).toBe(1000);
    expect(await capacity(12 * 1000 + 11)).toBe(1000);
    expect(await capacity(12)).toBe(256);
    expect(await capacity(2 ** 26)).toBe(8192);
  });

  it('is certain of every pair that it kept where it kept them all', async () => {
    const source = (await streamed([4, 5])).source();
    const { indices, inclusion } = atOnce(source.drawing(100));
    expect(inclusion).toEqual(Array(18).fill(1));
    expect(indices.map(source.sampleOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 18 }, (_, i) => Math.floor(i / 2)),
    );
  });

  it('keeps samples of several shapes and types apart', async () => {
    const stream = pairStream({ ...defaults, capacity: 100 });
    const { numTensors } = tf.memory();
    const shapes: [number[], tf.DataType][] = [
      [[2], 'float32'],
      [[3], 'float32'],
      [[2], 'int32'],
      [[2], 'float32'],
    ];
    for (const [shape, dtype] of shapes) {
      const inputs = [tf.fill([2, ...shape], stream.samples, dtype)];
      await stream.add(inputs, async () => ({ samples: 2, columns: COLUMNS, sizes: new Float32Array(4).fill(1) }));
      tf.dispose(inputs);
    }
    const source = stream.source();
    const { indices } = atOnce(source.drawing(16));
    const groups = source.alike!(indices);
    expect(groups.map(({ shapes: [shape] }) => shape)).toEqual(expect.arrayContaining([[2], [3], [2]]));
    expect(groups.flatMap((group) => [...group.indices]).sort((a, b) => a - b)).toEqual(indices);
    const found = groups.map((group) => {
      const [x] = source.rows(group.indices).inputs;
      const first = [...x!.dataSync()].filter((_, i) => i % x!.shape[1]! === 0);
      x!.dispose();
      return [x!.dtype, x!.shape, first.sort()];
    });
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        ['float32', [8, 2], [0, 0, 0, 0, 6, 6, 6, 6]],
        ['float32', [4, 3], [2, 2, 2, 2]],
        ['int32', [4, 2], [4, 4, 4, 4]],
      ]),
    );
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('leaves nothing behind where a batch cannot be measured', async () => {
    const x = [tf.zeros([4, 2])];
    const before = tf.memory().numTensors;
    const stream = pairStream(defaults);
    const fails = async (): Promise<SizedBatch> => {
      throw new Error('aborted');
    };
    await expect(stream.add(x, fails)).rejects.toThrow('aborted');
    expect(stream.samples).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(x);
  });
});
