import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { counted } from '../../benchmarks/counts.js';
import { unfold } from '../../src/network/graph.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { type TraceChunk, traceKernel } from '../../src/traces/exact.js';
import { oneHead } from '../network/one-head.js';

/** How many times as long kernels are said to take. */
const dear = vi.hoisted(() => ({ times: 1 }));
vi.mock('../../src/tfjs/kernel-work.js', async (original) => {
  const { watchKernels } = await original<typeof import('../../src/tfjs/kernel-work.js')>();
  return {
    watchKernels: <T>(see: (ms: number) => void, scope: () => T) => watchKernels((ms) => see(dear.times * ms), scope),
  };
});

const hessian = outputHessians.softmaxCrossEntropy;

function network(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 30, activation: 'relu', inputShape: [20], name: 'first' }),
      tfl.layers.dense({ units: 25, activation: 'relu', name: 'middle' }),
      tfl.layers.dense({ units: 12, name: 'last' }),
    ],
  });
}

async function chunksOf(model: tfl.LayersModel, x: tf.Tensor, budget: number): Promise<TraceChunk[]> {
  const chunks: TraceChunk[] = [];
  for await (const chunk of traceKernel(unfold(model), oneHead(hessian), budget).traces([x])) {
    chunks.push(chunk);
  }
  return chunks;
}

/** Samples of all chunks put together, one array a parameter. */
function joined(chunks: TraceChunk[]): number[][] {
  return chunks[0].norms.map((_, b) => chunks.flatMap((chunk) => [...chunk.norms[b]]));
}

/** Launches of kernels for one chunk; elsewhere than in native, a change of shape or a copy is none. */
async function launchesOf(model: tfl.LayersModel, x: tf.Tensor): Promise<number> {
  const kernel = traceKernel(unfold(model), oneHead(hessian), 2 ** 28);
  const run = async () => {
    for await (const _ of kernel.traces([x])) {
    }
  };
  // The first run tries out how many samples make a chunk.
  await run();
  return (await counted(run)).launches;
}

describe('traceKernel', () => {
  it('gives the same traces whatever the chunks of rows and columns', async () => {
    const model = network();
    const x = tf.randomNormal([40, 20], 0, 1, 'float32', 1);
    const before = tf.memory().numTensors;
    const whole = joined(await chunksOf(model, x, 2 ** 26));
    // A budget in which not all columns of one sample fit together: rows one by one, columns in parts.
    const tight = await chunksOf(model, x, 3_000);
    expect(tight.map(({ samples }) => samples)).toEqual(Array(40).fill(1));
    for (const budget of [3_000, 20_000, 200_000]) {
      const chunks = await chunksOf(model, x, budget);
      expect(chunks.reduce((sum, { pairs }) => sum + pairs, 0)).toBe(40 * 11);
      joined(chunks).forEach((norms, b) => {
        norms.forEach((value, n) => {
          expect(Math.abs(value - whole[b][n])).toBeLessThan(1e-5 * whole[b][n] + 1e-12);
        });
      });
    }
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  it('runs chunks of as many samples as the budget holds, the same in every reading', async () => {
    const model = network();
    const x = tf.zeros([500, 20]);
    const sizesAt = async (bytes: number) => (await chunksOf(model, x, bytes)).map(({ samples }) => samples);
    const sizes = await sizesAt(2 ** 20);
    expect(sizes[0]).toBeGreaterThan(10);
    expect(new Set(sizes.slice(0, -1)).size).toBe(1);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(500);
    expect(await sizesAt(2 ** 20)).toEqual(sizes);
    expect((await sizesAt(2 ** 19))[0]).toBeLessThan(sizes[0]);
    x.dispose();
    model.dispose();
  });

  it('says what one sample needs when the budget is below it', async () => {
    const model = network();
    const x = tf.zeros([1, 20]);
    const before = tf.memory().numTensors;
    await expect(chunksOf(model, x, 100)).rejects.toThrow(
      /^memoryMB: .* is too small: one sample .* needs \d+ MB\. Raise/,
    );
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  const { dense, flatten, conv2d, maxPooling2d } = tfl.layers;

  it.skipIf(tf.getBackend() === 'wasm').each<[string, tfl.layers.Layer[], Readonly<Record<string, number>>]>([
    [
      'dense layers',
      [
        flatten({ inputShape: [28, 28, 1] }),
        dense({ units: 20, activation: 'relu' }),
        dense({ units: 20, activation: 'relu' }),
        dense({ units: 10 }),
      ],
      { cpu: 51, tensorflow: 50 },
    ],
    [
      'convolutions',
      [
        conv2d({ filters: 20, kernelSize: 5, activation: 'relu', inputShape: [28, 28, 1] }),
        maxPooling2d({ poolSize: 2 }),
        conv2d({ filters: 20, kernelSize: 5, activation: 'relu' }),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        dense({ units: 10 }),
      ],
      { cpu: 125, tensorflow: 101 },
    ],
  ])('launches no more kernels than counted: %s', async (_, layers, most) => {
    const model = tfl.sequential({ layers });
    const x = tf.randomNormal([2, 28, 28, 1], 0, 1, 'float32', 1);
    expect(await launchesOf(model, x)).toBeLessThanOrEqual(most[tf.getBackend()]);
    x.dispose();
    model.dispose();
  });

  it('computes nothing below the first trained layer, and nothing for frozen weights', async () => {
    const model = network();
    model.getLayer('first').trainable = false;
    const x = tf.randomNormal([3, 20]);
    const kernel = traceKernel(unfold(model), oneHead(hessian), 2 ** 26);
    expect(kernel.parameters.map(({ name }) => name)).toEqual([
      'middle/kernel',
      'middle/bias',
      'last/kernel',
      'last/bias',
    ]);
    const { kernels } = await tf.profile(async () => {
      for await (const _ of kernel.traces([x])) {
      }
      return tf.scalar(0);
    });
    // The frozen layer's matrix is multiplied with in the forward pass only, as often as the last one's.
    const widths = kernels
      .filter(({ name }) => /MatMul|Einsum/.test(name))
      .map(({ outputShapes }) => outputShapes[0].at(-1));
    const count = (width: number) => widths.filter((each) => each === width).length;
    expect(count(30)).toBe(count(12));
    expect(count(20)).toBe(0);
    expect(count(25)).toBeGreaterThan(count(12));
    x.dispose();
    model.dispose();
  });
});

describe('a sample of many columns', () => {
  const budget = 2 ** 20;
  /** One sample with its columns takes more than the budget. */
  const wide = () => tfl.sequential({ layers: [tfl.layers.dense({ units: 600, inputShape: [500] })] });

  it('gives the event loop its turn between pieces, with the rows run so far', async () => {
    const model = wide();
    const x = tf.randomNormal([3, 500], 0, 1, 'float32', 1);
    const rows: number[] = [];
    let pairs = 0;
    const kernel = traceKernel(unfold(model), oneHead(hessian), budget);
    for await (const chunk of kernel.traces([x], async (run) => void rows.push(run))) {
      expect(chunk.samples).toBe(1);
      pairs += chunk.pairs;
    }
    expect(pairs).toBe(3 * 599);
    // Between two pieces of a trial, too, of which nothing stays.
    const ofPass = rows.filter((run) => run > 0);
    expect(ofPass.length).toBeGreaterThan(3);
    expect(ofPass).toEqual([...ofPass].sort((a, b) => a - b));
    expect(ofPass.at(-1)).toBeLessThan(pairs);
    x.dispose();
    model.dispose();
  });

  it('ends between two of them when it is told to, and leaves nothing behind', async () => {
    const model = wide();
    const x = tf.zeros([3, 500]);
    const before = tf.memory().numTensors;
    const enough = new Error('enough');
    let started = 0;
    const kernel = traceKernel(unfold(model), oneHead(hessian), budget);
    const read = async () => {
      for await (const _ of kernel.traces([x], async (run) => {
        started = run;
        if (run > 0) {
          throw enough;
        }
      })) {
      }
    };
    await expect(read()).rejects.toBe(enough);
    // Not tried again with smaller pieces.
    expect(started).toBeLessThan(599);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  // On tfjs-node most of such a small piece is calls, so that all columns are one.
  it.skipIf(tf.getBackend() === 'tensorflow')('is run in pieces of bounded work, whatever the clock says', async () => {
    const model = wide();
    const x = tf.zeros([1, 500]);
    const pieces = async (timesAsDear: number, msOfCall: number) => {
      dear.times = timesAsDear;
      let now = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
        now += msOfCall;
        return now;
      });
      const ran = new Set<number>();
      // Another budget, and so another trial.
      const kernel = traceKernel(unfold(model), oneHead(hessian), 2 ** 22 + timesAsDear + msOfCall);
      try {
        for await (const _ of kernel.traces([x], async (run) => {
          ran.add(run);
        })) {
        }
      } finally {
        clock.mockRestore();
        dear.times = 1;
      }
      return ran.size;
    };
    expect(await pieces(1, 0)).toBeLessThan(5);
    const many = await pieces(1e9, 0);
    expect(many).toBeGreaterThan(await pieces(1, 0));
    expect(await pieces(1e9, 200)).toBe(many);
    x.dispose();
    model.dispose();
  });
});

describe('a layer that tf.js has no gradient for', () => {
  it('is named in one line, and nothing is left behind', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 1, kernelSize: 1, inputShape: [6, 6, 1] }),
        tfl.layers.centerCrop({ height: 2, width: 2, name: 'crop' }),
        tfl.layers.flatten(),
      ],
    });
    const x = tf.zeros([2, 6, 6, 1]);
    const before = tf.memory().numTensors;
    await expect(chunksOf(model, x, 2 ** 20)).rejects.toThrow(/^Layer 'crop' \(CenterCrop\) cannot be measured: .*$/);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });
});
