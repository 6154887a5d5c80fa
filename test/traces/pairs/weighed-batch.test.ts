import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/network/layers/operation.js';
import type { PairWeighing, PairWeights } from '../../../src/traces/pairs/pair-weights.js';
import { batchRange, type WeighedBatch, weighBatch, weightOfSamples } from '../../../src/traces/pairs/weighed-batch.js';

/** Two heads of 1 and 2 columns, one call, in chunks of the given numbers of samples. */
function weighingIn(chunks: readonly number[], weight: (pair: number) => number): PairWeighing {
  return {
    calls: [{} as Operation],
    async *weights() {
      let begin = 0;
      for (const samples of chunks) {
        const first = begin;
        const chunk: PairWeights = {
          samples,
          columnsOfHeads: [1, 2],
          weights: Float32Array.from({ length: 3 * samples }, (_, i) => weight(3 * first + i)),
          inputNorms: [Float32Array.from({ length: samples }, (_, n) => 10 * (first + n))],
        };
        yield chunk;
        begin += samples;
      }
    },
  };
}

const noPause = async () => {};

describe('weighBatch', () => {
  const x = tf.zeros([5, 2]);

  it('puts the chunks of a batch together, with the sums over the columns of each head', async () => {
    const paused: number[] = [];
    const weighing = weighingIn([2, 2, 1], (pair) => pair / 4);
    const batch = await weighBatch(weighing, 2, [x], async (samples) => {
      paused.push(samples);
    });
    expect(batch).toMatchObject({ samples: 5, columns: 3, columnsOfHeads: [1, 2] });
    expect([...batch.weights]).toEqual(Array.from({ length: 15 }, (_, i) => i / 4));
    expect([...batch.inputNorms[0]!]).toEqual([0, 10, 20, 30, 40]);
    const samples = [0, 1, 2, 3, 4];
    expect(batch.totals.map((ofHead) => [...ofHead])).toEqual([
      samples.map((n) => (3 * n) / 4),
      samples.map((n) => (6 * n + 3) / 4),
    ]);
    expect([...weightOfSamples(batch)]).toEqual(samples.map((n) => (9 * n + 3) / 4));
    expect(paused).toEqual([2, 4, 5]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('names a sample whose weights are %d', async (broken) => {
    const weighing = weighingIn([3, 2], (pair) => (pair >= 9 ? broken : 1));
    await expect(weighBatch(weighing, 2, [x], noPause)).rejects.toThrow(
      new RangeError('The output of sample 3 is not finite: look for weights or inputs that are huge or not numbers.'),
    );
  });
});

describe('batchRange', () => {
  const batch = (totals: number[][], norms: number[][] = [[1, 1]]) =>
    ({ totals: totals.map((each) => new Float64Array(each)), inputNorms: norms.map((each) => new Float32Array(each)) }) as unknown as WeighedBatch; // biome-ignore format: one line
  const holds = (closedCalls: number[], ...batches: [WeighedBatch, boolean[]][]) => {
    const range = batchRange(closedCalls);
    for (const each of batches) {
      range.add(...each);
    }
    return range.holds();
  };

  it('is of all batches together: what one of them loses does not matter beside the others', () => {
    expect(holds([0], [batch([[1e-30, 0]]), [false]])).toBe(false);
    expect(holds([0], [batch([[0, 0]]), [false]])).toBe(false);
    expect(holds([0], [batch([[0, 0]]), [false]], [batch([[0.1, 0]]), [false]])).toBe(true);
    expect(holds([0], [batch([[0, 0], [1, 1]]), [false, false]])).toBe(false); // biome-ignore format: one line a batch
  });

  it('does not count heads that are off', () => {
    expect(holds([0], [batch([[0, 0]], [[0, 0]]), [true]])).toBe(true);
    expect(holds([0], [batch([[0, 0], [1, 1]]), [true, false]])).toBe(true); // biome-ignore format: one line a batch
  });

  it('holds inputs: those of closed forms are large enough, and all are finite', () => {
    expect(holds([0], [batch([[1, 1]], [[0, 0]]), [false]])).toBe(false);
    expect(holds([], [batch([[1, 1]], [[0, 0]]), [false]])).toBe(true);
    expect(holds([], [batch([[1, 1]], [[1, Number.POSITIVE_INFINITY]]), [false]])).toBe(false);
  });
});
