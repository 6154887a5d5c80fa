import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeEach, expect, it, vi } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import { sampleSharpness } from '../../src/measure/sharpness-sample.js';
import * as exponentialSum from '../../src/symmetry/exponential-sum.js';
import { setGoldenWeights } from './golden-network.js';

// What is small is the same on every backend.
vi.mock('../../src/tfjs/backend-speed.js', () => ({
  backendSpeed: () => ({ passMs: 8, productsInMs: 2 ** 22, firstRun: 2 }),
}));
vi.mock('../../src/symmetry/exponential-sum.js', { spy: true });
const minimized = vi.mocked(exponentialSum.minimizeExponentials);
beforeEach(() => {
  minimized.mockClear();
});

const { layers } = tfl;
const loss = 'softmaxCrossEntropy';

/** @param width of the layers between: small networks are measured exactly whatever the tolerance. */
function network(units: number, width = 6): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: width, activation: 'tanh', inputShape: [5] }),
      layers.dense({ units: width, activation: 'relu' }),
      layers.dense({ units }),
    ],
  });
  setGoldenWeights(model, 7);
  return model;
}

const noise = (shape: number[]) => tf.randomUniform(shape, -1, 1, 'float32', 3);

it.each([
  ['exact', undefined],
  ['a part', { part: 0.5 }],
  ['pairs', { method: { pairs: 40 } }],
  ['a tolerance that all pairs reach', { method: { tolerance: 0.5 } }],
  ['the Hessian', { method: { hutchinson: 2 } }],
] as const)('minimises over the scales once a reading: %s', async (_, options) => {
  const model = network(3);
  const [x, labels] = [noise([300, 5]), tf.oneHot(tf.zeros([300], 'int32'), 3)];
  await measureSharpness(model, x, { loss, labels, ...options });
  expect(minimized).toHaveBeenCalledTimes(1);
  tf.dispose([x, labels]);
  model.dispose();
});

it('minimises once more for every larger sample on the way to a tolerance', async () => {
  const model = network(20, 220);
  const x = noise([300, 5]);
  const { pairs } = await measureSharpness(model, x, { loss, method: { tolerance: 0.0015 } });
  expect(pairs).toBeGreaterThan(256);
  expect(pairs).toBeLessThan(300 * 19);
  // 256, 384, 576, 864, ... pairs, each judged once.
  const samples = Math.ceil(Math.log(pairs / 256) / Math.log(1.5)) + 1;
  expect(minimized.mock.calls.length).toBeLessThanOrEqual(samples);
  x.dispose();
  model.dispose();
});

it('minimises once for a minibatch, and not at all for a share that is merged elsewhere', async () => {
  const model = network(3);
  const x = noise([30, 5]);
  await estimateSharpness(model, x, { loss });
  expect(minimized).toHaveBeenCalledTimes(1);
  await sampleSharpness(model, x, { loss, method: { pairs: 10 } });
  expect(minimized).toHaveBeenCalledTimes(1);
  x.dispose();
  model.dispose();
});

it('draws no more pairs once the choice of samples makes most of the error, and says what would help', async () => {
  const model = network(20, 540);
  const x = noise([3000, 5]);
  const { pairs, samples, assumptions } = await measureSharpness(model, x, {
    loss,
    part: 0.05,
    method: { tolerance: 1e-6 },
  });
  expect(samples).toBe(3000);
  // 150 samples with 19 columns each are 2850 pairs.
  expect(pairs).toBeLessThan(1425);
  expect(assumptions.join()).toMatch(/would need a larger part of the samples: raise part/);
  x.dispose();
  model.dispose();
});

it('never trusts the error of a minibatch that has just been trained on, however large', async () => {
  const model = network(3);
  const x = noise([200, 5]);
  const reading = await estimateSharpness(model, x, { loss });
  expect(reading.reliable).toBe(false);
  expect(reading.standardError).toBeGreaterThan(0);
  expect(reading.assumptions.at(-1)).toMatch(/not reliable, because the minibatch has just been trained on/);
  x.dispose();
  model.dispose();
});

it('measures all pairs where that costs no more than choosing some, and else the fewer, the looser the tolerance', async () => {
  const small = network(3);
  const x = noise([1000, 5]);
  const all = await measureSharpness(small, x, { loss, method: { tolerance: 0.2 } });
  expect(all).toMatchObject({ pairs: 2000, standardError: 0, reliable: true });
  const wide = network(20, 220);
  const pairs: number[] = [];
  for (const tolerance of [0.8, 0.2, 0.05, 0.001]) {
    pairs.push((await measureSharpness(wide, x, { loss, method: { tolerance } })).pairs);
  }
  expect(pairs).toEqual([...new Set(pairs)].sort((a, b) => a - b));
  expect(pairs.slice(0, 3)).toEqual([64, 128, 256]);
  x.dispose();
  small.dispose();
  wide.dispose();
});

it.each([
  ['a whole set', measureSharpness, /; method: \{ tolerance: 0.02 \} needs a few hundred/],
  ['a minibatch, of which none are drawn', estimateSharpness, /; with \{ data, method: \{ tolerance: 0.02 \} \}/],
] as const)(
  'says once what a long exact run of %s costs, by the time of its first rows',
  async (_what, measure, advice) => {
    const said = vi.spyOn(console, 'info').mockImplementation(() => {});
    const model = tfl.sequential({ layers: [layers.dense({ units: 26, useBias: false, inputShape: [20, 1] })] });
    const data = noise([11, 20, 1]);
    let slept = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => slept);
    const runs = async (msOfRow: number) => {
      // By the rows, however many there are in a chunk.
      const onProgress = ({ rows }: { rows: number }) => {
        slept = Math.max(slept, before + msOfRow * rows);
      };
      const before = slept;
      await measure(model, data, { loss: 'softmaxCrossEntropy', memoryMB: 2, onProgress });
    };
    try {
      await runs(0);
      await runs(1);
      expect(said).not.toHaveBeenCalled();
      await runs(40);
      await runs(40);
    } finally {
      clock.mockRestore();
    }
    expect(said).toHaveBeenCalledTimes(1);
    expect(said.mock.calls[0]![0]).toMatch(/ 5500 backward rows, .* it takes about [23] minutes more;/);
    expect(said.mock.calls[0]![0]).toMatch(advice);
    said.mockRestore();
    data.dispose();
    model.dispose();
  },
);
