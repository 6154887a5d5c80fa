import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessSample } from '../../src/measure/sample-form.js';
import { mergeSharpnessSamples, sampleSharpness } from '../../src/measure/sharpness-sample.js';

const layers = tfl.layers;
const he = (seed: number) => tfl.initializers.heNormal({ seed });
const softmax: MeasureOptions = { loss: 'softmaxCrossEntropy' };

function network(name = 'one'): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.dense({ units: 12, activation: 'relu', inputShape: [8], kernelInitializer: he(1), name }),
      layers.dense({ units: 9, activation: 'relu', kernelInitializer: he(2), name: 'two' }),
      layers.dense({ units: 5, kernelInitializer: he(3), name: 'three' }),
    ],
  });
}

/** As it would come from another machine. */
const sent = (sample: SharpnessSample): SharpnessSample => JSON.parse(JSON.stringify(sample));

/** Two shares of the data: unlike each other, and of unlike size. */
async function withShares(run: (model: tfl.LayersModel, shares: tf.Tensor2D[], all: tf.Tensor2D) => Promise<void>) {
  const model = network();
  const shares = [tf.randomNormal([140, 8], 0, 2, 'float32', 5), tf.randomNormal([60, 8], 1, 1, 'float32', 6)];
  const all = tf.concat(shares) as tf.Tensor2D;
  await measureSharpness(model, all, softmax);
  const before = tf.memory().numTensors;
  await run(model, shares as tf.Tensor2D[], all);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose([shares, all]);
  model.dispose();
}

describe('mergeSharpnessSamples', () => {
  it('is the exact value where the shares were measured exactly', () =>
    withShares(async (model, shares, all) => {
      const exact = await measureSharpness(model, all, softmax);
      const samples = await Promise.all(
        shares.map((x) => sampleSharpness(model, x, { ...softmax, method: 'exact' }).then(sent)),
      );
      const merged = mergeSharpnessSamples(model, samples, softmax);
      expect(merged).toMatchObject({ samples: 200, pairs: 800, standardError: 0, reliable: true, exact: true });
      expect(Math.abs(merged.minimumSharpness / exact.minimumSharpness - 1)).toBeLessThan(1e-5);
      merged.parameters.forEach(({ name, trace }, b) => {
        expect(name).toBe(exact.parameters[b].name);
        expect(Math.abs(trace / exact.parameters[b].trace - 1)).toBeLessThan(1e-5);
      });
      expect(merged.scales.map(({ layer }) => layer)).toEqual(exact.scales.map(({ layer }) => layer));
    }));

  it('of one sample is the reading that measureSharpness takes', () =>
    withShares(async (model, [x]) => {
      for (const options of [
        { method: { pairs: 64 } },
        { method: { tolerance: 0.1 } },
        { part: 0.5, method: { pairs: 64 } },
      ]) {
        const reading = await measureSharpness(model, x, { ...softmax, ...options, seed: 7 });
        const sample = sent(await sampleSharpness(model, x, { ...softmax, ...options, seed: 7 }));
        const { durationMs, ...merged } = mergeSharpnessSamples(model, [sample], softmax);
        expect({ ...reading, durationMs }).toEqual({ ...merged, durationMs });
      }
    }));

  it.each<[string, MeasureOptions]>([
    ['both drawn', {}],
    ['of parts of the shares', { part: 0.6 }],
  ])('states its error truly: %s', (_, options) =>
    withShares(async (model, shares, all) => {
      const { minimumSharpness: truth } = await measureSharpness(model, all, softmax);
      const seeds = 120;
      let covered = 0;
      let coveredByOne = 0;
      let total = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const samples = [];
        for (const [i, x] of shares.entries()) {
          const method = { pairs: 48 };
          samples.push(sent(await sampleSharpness(model, x, { ...softmax, ...options, method, seed: 2 * seed + i })));
        }
        const merged = mergeSharpnessSamples(model, samples, softmax);
        const within = (error: number) => (Math.abs(merged.minimumSharpness - truth) <= 2.05 * error ? 1 : 0);
        covered += within(merged.standardError);
        coveredByOne += within(merged.standardError / 2);
        total += merged.minimumSharpness / seeds;
      }
      expect(covered / seeds).toBeGreaterThan(0.9);
      expect(covered / seeds).toBeLessThan(0.992);
      expect(coveredByOne / seeds).toBeLessThan(0.85);
      expect(Math.abs(total / truth - 1)).toBeLessThan(0.03);
    }),
  );

  it('puts exact and drawn shares together, tensors and datasets', () =>
    withShares(async (model, [first, second], all) => {
      const dataset = tfd.generator(function* () {
        yield tf.slice(second, 0, 40);
        yield tf.slice(second, 40, 20);
      } as never);
      const samples = [
        await sampleSharpness(model, first, { ...softmax, method: 'exact' }),
        await sampleSharpness(model, dataset, { ...softmax, method: { pairs: 100 } }),
      ].map(sent);
      const merged = mergeSharpnessSamples(model, samples, softmax);
      const exact = await measureSharpness(model, all, softmax);
      expect(merged).toMatchObject({ samples: 200, pairs: 660 });
      expect(merged.standardError).toBeGreaterThan(0);
      expect(Math.abs(merged.minimumSharpness - exact.minimumSharpness)).toBeLessThan(4 * merged.standardError);
      expect(merged.parameters.at(-1)?.standardError).toBe(0);
    }));

  it('knows the sample of every pair, also across the batches of a dataset', () =>
    withShares(async (model, [, x]) => {
      const dataset = tfd.generator(function* () {
        for (let begin = 0; begin < 60; begin += 20) {
          yield tf.slice(x, begin, 20);
        }
      } as never);
      const options = { ...softmax, part: 0.8, seed: 3 };
      const exact = await sampleSharpness(model, dataset, { ...options, method: 'exact' });
      const all = await sampleSharpness(model, dataset, { ...options, method: { pairs: 1000 } });
      expect(all.inclusion.every((pi) => pi === 1)).toBe(true);
      const ofFirstKernel = new Array<number>(all.samples).fill(0);
      all.part?.sampleOf.forEach((n, i) => {
        ofFirstKernel[n] += all.traces[0][i];
      });
      ofFirstKernel.forEach((trace, n) => {
        expect(Math.abs(trace / (exact.part?.closedForm[0][n] ?? 0) - 1)).toBeLessThan(1e-4);
      });
    }));

  it('passes on that a tolerance was missed', () =>
    withShares(async (model, [x]) => {
      const missed = await sampleSharpness(model, x, { ...softmax, part: 0.5, method: { tolerance: 0.001 } });
      expect(mergeSharpnessSamples(model, [sent(missed)], softmax).assumptions.join(' ')).toMatch(/a larger part/);
    }));

  it('refuses samples that do not go together, in one line', () =>
    withShares(async (model, [first, second]) => {
      const options = { ...softmax, method: { pairs: 40 } };
      const sample = await sampleSharpness(model, first, options);
      const merge = (samples: unknown, mergeOptions: MeasureOptions = softmax) =>
        mergeSharpnessSamples(model, samples as SharpnessSample[], mergeOptions);
      expect(() => merge([])).toThrow(/^samples: there are none/);
      expect(() => merge({} as never)).toThrow(/^samples must be an array/);
      expect(() => merge([sample, { pairs: 3 }])).toThrow(/^samples\[1\] is not what sampleSharpness returned/);
      expect(() => merge([{ ...sample, traces: [] }])).toThrow(/^samples\[0\] is not what/);
      expect(() => merge([sample], { loss: 'meanSquaredError' })).toThrow(
        /^samples\[0\] was measured with the loss .*soft/,
      );
      expect(() => merge([sample], { ...softmax, lossWeights: [2] })).toThrow(
        /^samples\[0\] was measured with the loss/,
      );
      expect(() => merge([sample, sent(sample)])).toThrow(/^samples\[0\] and samples\[1\] were both drawn with seed 0/);
      const other = network('other');
      expect(() => mergeSharpnessSamples(other, [sample], softmax)).toThrow(
        /has the weights one\/kernel.*other\/kernel/,
      );
      other.dispose();
      const next = await sampleSharpness(model, second, { ...options, seed: 1 });
      merge([sample, next]);
      const bias = model.layers[0].weights[1];
      tf.tidy(() => {
        bias.write(tf.add(bias.read(), 1e-6));
      });
      const later = await sampleSharpness(model, second, { ...options, seed: 1 });
      expect(() => merge([sample, later])).toThrow(
        /^samples\[0\] and samples\[1\] were measured with different weights/,
      );
      await expect(sampleSharpness(model, first, { ...softmax, method: { hutchinson: 5 } })).rejects.toThrow(
        /^method: \{ hutchinson \} cannot be merged/,
      );
    }));
});
