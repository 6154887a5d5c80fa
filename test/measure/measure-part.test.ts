import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import { checkMeasureOptions, type MeasureOptions } from '../../src/measure/options.js';
import { partOfSet } from '../../src/measure/random-part.js';
import { atOnce } from '../../src/network/walk.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

const layers = tfl.layers;
const he = (seed: number) => tfl.initializers.heNormal({ seed });
const softmax: MeasureOptions = { loss: 'softmaxCrossEntropy' };

function network(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.dense({ units: 12, activation: 'relu', inputShape: [8], kernelInitializer: he(1) }),
      layers.dense({ units: 9, activation: 'relu', kernelInitializer: he(2) }),
      layers.dense({ units: 5, kernelInitializer: he(3) }),
    ],
  });
}

const batched = (x: tf.Tensor2D, size: number) =>
  tfd.generator(function* () {
    for (let begin = 0; begin < x.shape[0]; begin += size) {
      yield tf.slice(x, begin, Math.min(size, x.shape[0] - begin));
    }
  } as never);

/** Runs with a model and inputs that are disposed afterwards, and checks that nothing else stays. */
async function withoutLeak(samples: number, run: (model: tfl.LayersModel, x: tf.Tensor2D) => Promise<void>) {
  const model = network();
  const x = tf.randomNormal([samples, 8], 0, 2, 'float32', 5) as tf.Tensor2D;
  await measureSharpness(model, tf.slice(x, 0, 1), softmax);
  const before = tf.memory().numTensors;
  await run(model, x);
  expect(tf.memory().numTensors).toBe(before);
  tf.disposeVariables();
}

describe('a part of the samples', () => {
  it('gives the traces of just these samples, as an estimate for all', () =>
    withoutLeak(200, async (model, x) => {
      const random = vi.spyOn(Math, 'random');
      const ofPart = await measureSharpness(model, x, { ...softmax, part: 0.25, seed: 3 });
      expect(random).not.toHaveBeenCalled();
      vi.restoreAllMocks();
      const { places } = atOnce(partOfSet(0.25, 200, 3));
      const rows = tf.gather(x, places as number[]);
      const chosen = await measureSharpness(model, rows, softmax);
      const minibatch = await estimateSharpness(model, rows, softmax);
      rows.dispose();
      expect(ofPart).toMatchObject({ samples: 200, pairs: 200, reliable: true });
      expect(Math.abs(ofPart.minimumSharpness / chosen.minimumSharpness - 1)).toBeLessThan(1e-5);
      // The spread between samples, less what the finite population takes away.
      const expected = Math.sqrt(0.75) * minibatch.standardError;
      expect(Math.abs(ofPart.standardError / expected - 1)).toBeLessThan(1e-4);
      ofPart.parameters.forEach(({ standardError }, b) => {
        expect(Math.abs(standardError / (Math.sqrt(0.75) * minibatch.parameters[b].standardError) - 1)).toBeLessThan(
          1e-4,
        );
      });
      expect(ofPart.assumptions.join(' ')).toMatch(/\b50 of the 200 samples were run, drawn at random/);
    }));

  it('has the error of the pairs on top of that of the samples', () =>
    withoutLeak(400, async (model, x) => {
      const options = { ...softmax, part: 0.5, seed: 4 };
      const exact = await measureSharpness(model, x, options);
      const { standardError, samples, pairs, parameters } = await measureSharpness(model, x, {
        ...options,
        method: { pairs: 100 },
      });
      expect([samples, pairs]).toEqual([400, 100]);
      expect(standardError).toBeGreaterThan(1.1 * exact.standardError);
      // The last layer is known exactly for the samples that were run.
      expect(Math.abs((parameters.at(-1)?.standardError ?? 0) / exact.parameters[5].standardError - 1)).toBeLessThan(
        1e-4,
      );
      const more = await measureSharpness(model, x, { ...options, method: { pairs: 700 } });
      expect(Math.abs(more.standardError / exact.standardError - 1)).toBeLessThan(0.15);
    }));

  it.each<[string, MeasureOptions]>([
    ['exact', { method: 'exact' }],
    ['sampled', { method: { pairs: 64 } }],
  ])('covers the value for all samples, and says how well: %s, tensors and datasets', (_, options) =>
    withoutLeak(160, async (model, x) => {
      const { minimumSharpness: truth } = await measureSharpness(model, x, softmax);
      for (const inputs of [x, batched(x, 30)]) {
        let covered = 0;
        let total = 0;
        const seeds = 100;
        for (let seed = 1; seed <= seeds; seed++) {
          const reading = await measureSharpness(model, inputs, { ...softmax, ...options, part: 0.4, seed });
          expect(reading.samples).toBe(160);
          total += reading.minimumSharpness / seeds;
          covered += Math.abs(reading.minimumSharpness - truth) <= 2.1 * reading.standardError ? 1 : 0;
        }
        expect(covered).toBeGreaterThanOrEqual(88);
        expect(Math.abs(total / truth - 1)).toBeLessThan(0.05);
      }
    }),
  );

  it('adds no pairs once the choice of samples makes the error, and says so', () =>
    withoutLeak(400, async (model, x) => {
      const method = { tolerance: 0.005 };
      const reading = await measureSharpness(model, x, { ...softmax, method, part: 0.2 });
      expect(reading.standardError).toBeGreaterThan(0.005 * reading.minimumSharpness);
      expect(reading.assumptions.join(' ')).toMatch(/A relative standard error of 0.005 would need a larger part/);
      const loose = await measureSharpness(model, x, { ...softmax, method: { tolerance: 0.3 }, part: 0.2 });
      expect(loose.assumptions.join(' ')).not.toMatch(/larger part/);
    }));

  it('is not reliable where a few samples make the error', () =>
    withoutLeak(200, async (model, x) => {
      const scale = tf.tensor2d(Array.from({ length: 200 }, (_, n) => [n % 25 === 0 ? 40 : 1]));
      const tailed = tf.mul(x, scale) as tf.Tensor2D;
      let flagged = 0;
      for (let seed = 0; seed < 10; seed++) {
        const reading = await measureSharpness(model, tailed, { loss: 'meanSquaredError', part: 0.3, seed });
        flagged += reading.reliable ? 0 : 1;
        expect(reading.assumptions.some((each) => /not reliable/.test(each))).toBe(!reading.reliable);
      }
      expect(flagged).toBeGreaterThanOrEqual(9);
      tf.dispose([scale, tailed]);
    }));

  it('takes weights of samples along, and is the whole set at 1', () =>
    withoutLeak(60, async (model, x) => {
      const sampleWeight = Array.from({ length: 60 }, (_, n) => n % 4);
      const { places } = atOnce(partOfSet(0.5, 60, 2));
      const rows = tf.gather(x, places as number[]);
      const chosen = await measureSharpness(model, rows, {
        ...softmax,
        sampleWeight: places.map((n) => sampleWeight[n]),
      });
      rows.dispose();
      const ofPart = await measureSharpness(model, x, { ...softmax, sampleWeight, part: 0.5, seed: 2 });
      expect(Math.abs(ofPart.minimumSharpness / chosen.minimumSharpness - 1)).toBeLessThan(1e-5);
      const whole = await measureSharpness(model, x, { ...softmax, part: 1 });
      expect(whole).toMatchObject({ samples: 60, standardError: 0 });
    }));

  it('refuses what makes no sense, in one line', () =>
    withoutLeak(12, async (model, x) => {
      for (const part of [0, -0.1, 1.5, Number.NaN, '0.5']) {
        expect(() => checkMeasureOptions({ part: part as number })).toThrow(
          /^part must be a number above 0 and at most 1, but it is .*: pass a share of the samples, /,
        );
      }
      expect(() => checkMeasureOptions({ part: 0.5, method: { hutchinson: 5 } })).toThrow(/^part goes with method/);
      await expect(measureSharpness(model, x, { ...softmax, part: 0.1 })).rejects.toThrow(/^part: 1 of the 12 samples/);
      await expect(measureSharpness(model, batched(x, 4), { ...softmax, part: 1e-9 })).rejects.toThrow(
        /^part: 0 of the 12/,
      );
      await expect(estimateSharpness(model, x, { ...softmax, part: 0.5 })).rejects.toThrow(/Pass \{ data \}/);
      expect(() => minimumSharpness({ part: 0.5 })).toThrow(/Pass \{ data \}/);
      minimumSharpness({ data: x, part: 0.5 }).dispose();
    }));
});
