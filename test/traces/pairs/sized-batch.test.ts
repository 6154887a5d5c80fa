import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/network/layers/operation.js';
import type { PairSizes, PairSizing } from '../../../src/traces/pairs/pair-sizes.js';
import { batchRange, sizeBatch } from '../../../src/traces/pairs/sized-batch.js';

/** Two heads with 3 columns in all, in chunks of the given numbers of samples. */
function sizingIn(
  chunks: readonly number[],
  size: (pair: number) => number,
  total: (head: number, sample: number) => number,
): PairSizing {
  return {
    closed: [null, null],
    async *sizes() {
      let begin = 0;
      for (const samples of chunks) {
        const first = begin;
        const ofHeads = (value: (head: number, sample: number) => number) =>
          [0, 1].map((head) => Float32Array.from({ length: samples }, (_, n) => value(head, first + n)));
        const chunk: PairSizes = {
          samples,
          sizes: Float32Array.from({ length: 3 * samples }, (_, i) => size(3 * first + i)),
          totals: ofHeads(total),
          inputNorms: ofHeads((head, n) => 100 * head + n),
        };
        yield chunk;
        begin += samples;
      }
    },
    dispose() {},
  };
}

const noPause = async () => {};

describe('sizeBatch', () => {
  const x = tf.zeros([5, 2]);

  it('puts the chunks of a batch together', async () => {
    const paused: number[] = [];
    const sizing = sizingIn(
      [2, 2, 1],
      (pair) => pair / 4,
      (head, n) => 10 * head + n,
    );
    const batch = await sizeBatch(sizing, [x], async (samples) => {
      paused.push(samples);
    });
    expect(batch).toMatchObject({ samples: 5, columns: 3 });
    expect([...batch.sizes]).toEqual(Array.from({ length: 15 }, (_, i) => i / 4));
    expect(batch.totals.map((each) => [...each])).toEqual([
      [0, 1, 2, 3, 4],
      [10, 11, 12, 13, 14],
    ]);
    expect(batch.inputNorms.map((each) => [...each])).toEqual([
      [0, 1, 2, 3, 4],
      [100, 101, 102, 103, 104],
    ]);
    expect(paused).toEqual([2, 4, 5]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('names a sample whose curvature is %d', async (broken) => {
    const message = 'The output of sample 3 is not finite: look for weights or inputs that are huge or not numbers.';
    const sizing = sizingIn(
      [3, 2],
      () => 1,
      (head, n) => (head === 1 && n >= 3 ? broken : 1),
    );
    await expect(sizeBatch(sizing, [x], noPause)).rejects.toThrow(new RangeError(message));
  });
});

describe('batchRange', () => {
  const batch = (totals: number[][], norms: number[][] = [[1, 1]], sizes = [1, 1]): PairSizes => ({
    samples: 2,
    sizes: Float32Array.from(sizes),
    totals: totals.map((each) => Float32Array.from(each)),
    inputNorms: norms.map((each) => Float32Array.from(each)),
  });
  const closed = {} as Operation;
  const holds = (operations: (Operation | null)[], ...batches: [PairSizes, boolean[]][]) => {
    const range = batchRange(operations);
    for (const each of batches) {
      range.add(...each);
    }
    return range.holds();
  };
  const both = (first: number[], second: number[]) => batch([first, second], [first, second]);

  it('is of sizes alone where closed forms do not count', () => {
    const range = batchRange([closed]);
    range.add(batch([[1, 1]], [[0, 0]]), [false]);
    expect([range.holds(), range.holds('sizes')]).toEqual([false, true]);
    range.add(batch([[1, 1]], [[1, 1]], [1, Number.NaN]), [false]);
    expect(range.holds('sizes')).toBe(false);
  });

  it('is of all batches together: what one of them loses does not matter beside the others', () => {
    expect(holds([null], [batch([[1e-30, 0]]), [false]])).toBe(false);
    expect(holds([null], [batch([[0, 0]]), [false]])).toBe(false);
    expect(holds([null], [batch([[0, 0]]), [false]], [batch([[0.1, 0]]), [false]])).toBe(true);
    expect(holds([null, null], [both([0, 0], [1, 1]), [false, false]])).toBe(false);
  });

  it('does not count heads that are off', () => {
    expect(holds([closed], [batch([[0, 0]], [[0, 0]], [0, 0]), [true]])).toBe(true);
    expect(holds([closed, closed], [both([0, 0], [1, 1]), [true, false]])).toBe(true);
  });

  it('holds sizes, and the inputs of closed forms', () => {
    expect(holds([closed], [batch([[1, 1]], [[0, 0]]), [false]])).toBe(false);
    expect(holds([null], [batch([[1, 1]], [[0, 0]]), [false]])).toBe(true);
    expect(holds([closed], [batch([[1, 1]], [[1, Number.POSITIVE_INFINITY]]), [false]])).toBe(false);
    expect(holds([null], [batch([[1, 1]], [[1, 1]], [0, 0]), [false]])).toBe(false);
    expect(holds([null], [batch([[1, 1]], [[1, 1]], [1, Number.NaN]), [false]])).toBe(false);
  });
});
