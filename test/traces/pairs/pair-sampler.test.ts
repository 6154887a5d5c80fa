import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Graph, unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { nextTurn } from '../../../src/traces/event-loop.js';
import { traceKernel } from '../../../src/traces/exact.js';
import type { SampleSize } from '../../../src/traces/pairs/growing-sample.js';
import { pairSampler } from '../../../src/traces/pairs/pair-sampler.js';
import { type PairSample, SampledTraces } from '../../../src/traces/pairs/sampled-traces.js';
import { lcg, setGoldenWeights } from '../../measure/golden-network.js';
import { oneHead } from '../../network/one-head.js';

const heads = oneHead(outputHessians.softmaxCrossEntropy);
const SAMPLES = 60;
const COLUMNS = 3;
const BUDGET = 2 ** 26;

const size = (pairs: number, grows = false): SampleSize => ({ pairs, grows, enough: () => !grows });
const noPause = async () => {};

let model: tfl.LayersModel;
let graph: Graph;
let x: tf.Tensor2D;
let exact: number[];

beforeEach(async () => {
  model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 6, activation: 'relu', inputShape: [5] }),
      tfl.layers.dense({ units: 5, activation: 'tanh' }),
      tfl.layers.dense({ units: COLUMNS + 1 }),
    ],
  });
  setGoldenWeights(model, 9);
  graph = unfold(model);
  x = tf.tensor2d(
    lcg(4, 5 * SAMPLES).map((u) => 4 * (u - 0.5)),
    [SAMPLES, 5],
  );
  const kernel = traceKernel(graph, heads, BUDGET);
  exact = kernel.parameters.map(() => 0);
  for await (const { norms } of kernel.traces([x])) {
    norms.forEach((ofSamples, b) => {
      for (const norm of ofSamples) {
        exact[b]! += norm / SAMPLES;
      }
    });
  }
});

afterEach(() => {
  x.dispose();
  model.dispose();
});

/** The samples in two batches of different length. */
async function ofStream(
  seed: number,
  pairs: number,
  capacity?: number,
  population?: () => number,
): Promise<PairSample> {
  const stream = pairSampler(graph, heads, BUDGET, seed, population).ofStream(capacity);
  for (const [begin, count] of [
    [0, 25],
    [25, 35],
  ]) {
    const batch = tf.slice(x, begin!, count);
    await stream.add([batch], noPause);
    batch.dispose();
  }
  stream.dispose();
  return stream.finish(size(pairs), noPause);
}

const ofTensors = (seed: number, pairs: number, population?: () => number) =>
  pairSampler(graph, heads, BUDGET, seed, population).ofTensors([x], size(pairs), noPause);

function expectExact({ traces }: SampledTraces, relative: number, blocks = exact.map((_, b) => b)): void {
  for (const b of blocks) {
    expect(Math.abs(traces[b]! / exact[b]! - 1)).toBeLessThan(relative);
  }
}

describe('pairSampler', () => {
  it('is exact with all pairs of a stream, and with nearly all of tensors nearly so', async () => {
    const before = tf.memory().numTensors;
    const all = await ofStream(1, SAMPLES * COLUMNS);
    expect(all).toMatchObject({ samples: SAMPLES, pairs: SAMPLES * COLUMNS });
    expectExact(new SampledTraces([all]), 1e-5);
    const most = await ofTensors(1, SAMPLES * COLUMNS - 1);
    expect(most!.pairs).toBe(SAMPLES * COLUMNS - 1);
    expectExact(new SampledTraces([most!]), 0.01);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives tensors up to the exact kernel where that is cheaper', async () => {
    expect(await ofTensors(1, SAMPLES * COLUMNS)).toBeNull();
    const sampler = pairSampler(graph, heads, BUDGET, 1);
    expect(await sampler.ofTensors([x], size(20, true), noPause)).toBeNull();
    expect(
      (await sampler.ofTensors([x], { ...size(20, true), enough: ({ pairs }) => pairs > 40 }, noPause))!.pairs,
    ).toBe(45);
  });

  it.each([
    ['tensors', (seed: number) => ofTensors(seed, 24)],
    ['a stream', (seed: number) => ofStream(seed, 24, 24)],
  ])('is right on average, and exact for the last layer: %s', async (_name, draw) => {
    const seeds = 60;
    const sums = exact.map(() => 0);
    let squares = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const sample = (await draw(seed))!;
      expect(sample.inclusion).toHaveLength(24);
      expect(sample.closedForm.map((sum) => sum === null)).toEqual([true, true, true, true, false, false]);
      const found = new SampledTraces([sample]);
      expectExact(found, 1e-5, [4, 5]);
      found.traces.forEach((trace, b) => {
        sums[b]! += trace / seeds;
      });
      squares += (found.traces[0]! / exact[0]! - 1) ** 2 / seeds;
    }
    expect(squares).toBeGreaterThan(1e-6);
    sums.slice(0, 4).forEach((mean, b) => {
      expect(Math.abs(mean / exact[b]! - 1)).toBeLessThan(0.06);
    });
  });

  it('knows the samples of a part', async () => {
    for (const sample of [(await ofTensors(3, 30, () => 600))!, await ofStream(3, 30, 30, () => 600)]) {
      const { part, inclusion } = sample;
      expect(part!.population).toBe(600);
      expect(part!.sampleOf).toHaveLength(inclusion.length);
      expect(part!.closedForm.map(({ length }) => length)).toEqual([0, 0, 0, 0, SAMPLES, SAMPLES]);
      const [ofKernel] = part!.closedForm.slice(-2);
      expect(ofKernel!.reduce((sum, norm) => sum + norm, 0)).toBeCloseTo(sample.closedForm[4]!, 6);
    }
  });

  it('counts the samples of a stream through its batches, and leaves nothing behind when it is stopped', async () => {
    // No turn of the event loop is due.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    await nextTurn();
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    const pause = async (samples: number) => {
      seen.push(samples);
    };
    const stream = pairSampler(graph, heads, BUDGET, 1).ofStream();
    await stream.add([x], pause);
    await stream.add([x], pause);
    stream.dispose();
    await stream.finish(size(10), pause);
    expect(seen).toEqual([SAMPLES, 2 * SAMPLES, 2 * SAMPLES]);
    expect(stream.capacity).toBe(8192);
    for (const last of [1, 2]) {
      let count = 0;
      const stop = async () => {
        if (++count === last) {
          throw new Error('aborted');
        }
      };
      await expect(pairSampler(graph, heads, BUDGET, 1).ofTensors([x], size(10), stop)).rejects.toThrow('aborted');
    }
    expect(tf.memory().numTensors).toBe(before);
    clock.mockRestore();
  });
});
