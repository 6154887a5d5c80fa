import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import type { SharpnessSample } from '../../src/measure/sample-form.js';
import { mergeSharpnessSamples, sampleSharpness } from '../../src/measure/sharpness-sample.js';
import type { LossFactor } from '../../src/network/output-hessian.js';
import { hostileJson } from './hostile-samples.js';

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

describe('samples that came as JSON', () => {
  const fields = { loss: 'softmaxCrossEntropy', lossWeights: [1, 0.5] } as const;

  /** Two heads. */
  function forked(): tfl.LayersModel {
    const x = tfl.input({ shape: [8] });
    const hidden = layers.dense({ units: 6, activation: 'relu', kernelInitializer: he(1), name: 'one' }).apply(x);
    const heads = ['two', 'three'].map(
      (name, i) => layers.dense({ units: 3, kernelInitializer: he(2 + i), name }).apply(hidden) as tfl.SymbolicTensor,
    );
    return tfl.model({ inputs: x, outputs: heads });
  }

  const weights = (samples: number) => Float32Array.from({ length: samples }, (_, n) => 0.5 + (n % 3));

  /** Of labels; they add up to 1, 2 or 3. */
  const rows = (samples: number) =>
    tf.tensor2d(
      Float32Array.from({ length: samples * 5 }, (_, i) => (1 + (Math.floor(i / 5) % 3)) / 5),
      [samples, 5],
    );

  it.each<[string, () => tfl.LayersModel, MeasureOptions, MeasureOptions]>([
    ['drawn', network, softmax, { method: { pairs: 40 } }],
    ['exact', network, softmax, { method: 'exact' }],
    ['of a part', network, softmax, { method: { pairs: 20 }, part: 0.5 }],
    ['of a part, exact', network, softmax, { method: 'exact', part: 0.2 }],
    ['of two outputs', forked, fields, { method: { pairs: 30 } }],
    ['weighed', network, softmax, { method: { pairs: 30 }, sampleWeight: weights(60) }],
    ['labelled', network, softmax, { method: { pairs: 30 }, labels: rows(60) }],
  ])('none is accepted with another value: %s', async (_, make, network, options) => {
    const model = make();
    const xs = [5, 6].map((seed) => tf.randomNormal([60, 8], 0, 2, 'float32', seed));
    const samples = [];
    for (const [i, x] of xs.entries()) {
      samples.push(await sampleSharpness(model, x, { ...network, ...options, seed: i + 1 }));
    }
    const merge = (json: string) => mergeSharpnessSamples(model, JSON.parse(json), network);
    const json = JSON.stringify(samples);
    const { durationMs: _ms, ...truth } = merge(json);
    const messages = new Set<string>();
    let refused = 0;
    fc.assert(
      fc.property(hostileJson(json), (hostile) => {
        let found: object;
        try {
          found = merge(hostile);
        } catch (error) {
          const { message } = error as Error;
          expect(message).toMatch(/^samples[^\n]{20,}\.$/);
          messages.add(message.replaceAll(/\[\d+\]|'.*'|-?\d.*/g, ''));
          refused++;
          return;
        }
        const { durationMs, ...value } = found as SharpnessReading;
        expect(value).toEqual(truth);
      }),
      { numRuns: 400, seed: 1 },
    );
    // The rest are changes of the order of keys, or of nothing.
    expect(refused).toBeGreaterThan(250);
    expect(messages.size).toBeGreaterThan(12);
    tf.dispose([xs, (options.labels ?? []) as tf.Tensor]);
    model.dispose();
  });

  it('are refused in one line that names the field', () =>
    withShares(async (model, [first, second]) => {
      const options = { ...softmax, method: { pairs: 40 }, part: 0.5 } as const;
      const one = sent(await sampleSharpness(model, first, { ...options, seed: 1 }));
      const two = sent(await sampleSharpness(model, second, { ...options, seed: 2 }));
      const with_ = (changes: object) => () =>
        mergeSharpnessSamples(model, [one, { ...two, ...changes } as SharpnessSample], softmax);
      with_({})();
      const part = two.part!;
      const half = <T>(list: readonly T[]) => list.slice(list.length >> 1);
      for (const [field, value] of Object.entries({
        version: undefined,
        parameters: [1],
        losses: [{ output: 'three', loss: 'softmaxCrossEntropy', lossWeight: '1' }],
        architecture: 3,
        fingerprint: null,
        weightings: [],
        rows: { assumed: ['three'] },
        seed: '1',
        missed: 4,
        samples: '200',
        pairs: 1,
        closedForm: half(two.closedForm),
        inclusion: two.inclusion.map(() => 7),
        traces: two.traces.map((list) => list.map((trace) => -trace)),
        part: { ...part, population: '1000' },
        checksum: undefined,
      })) {
        expect(with_({ [field]: value }), field).toThrow(
          new RegExp(`^samples\\[1\\] is not what sampleSharpness returned: (its )?${field}\\b[^\n]*\\.$`),
        );
      }
      for (const [of, value] of Object.entries({
        closedForm: half(part.closedForm),
        sampleOf: part.sampleOf.map(() => two.samples),
        other: 1,
      })) {
        expect(with_({ part: { ...part, [of]: value } })).toThrow(new RegExp(`part.*${of}`));
      }
      expect(with_({ traces: two.traces.map((list) => list.map(() => null)) })).toThrow(/traces.*but it is null/);
      expect(with_({ inclusion: half(two.inclusion) })).toThrow(/must have \d+ entries, but it has \d+/);
      expect(with_({ samples: 1e9 })).toThrow(/part\.population must be a whole number of at least 1000000000/);
      // What no field says by itself.
      expect(with_({ closedForm: two.closedForm.map((sum) => sum && 2 * sum) })).toThrow(/checksum does not fit/);
      expect(with_({ seed: 77 })).toThrow(/checksum does not fit/);
      expect(with_({ fingerprint: `${two.fingerprint}0` })).toThrow(/checksum does not fit/);
    }));

  it('one share is not counted twice, also where it was measured exactly', () =>
    withShares(async (model, [first]) => {
      const sample = await sampleSharpness(model, first, { ...softmax, method: 'exact' });
      expect(() => mergeSharpnessSamples(model, [sample, sent(sample)], softmax)).toThrow(
        /^samples\[0\] and samples\[1\] are the same sample/,
      );
    }));
});

describe('samples go together', () => {
  /** Two shares of one network in two ways, merged. */
  async function merged(ways: readonly [tfl.LayersModel, MeasureOptions][], mergeOptions: MeasureOptions = softmax) {
    const samples = [];
    for (const [seed, [model, options]] of ways.entries()) {
      const x = tf.randomNormal([40, 8], 0, 1, 'float32', seed);
      samples.push(sent(await sampleSharpness(model, x, { ...softmax, method: { pairs: 30 }, seed, ...options })));
      x.dispose();
    }
    return mergeSharpnessSamples(ways[0]![0], samples, mergeOptions);
  }
  const dense = (activation: 'relu' | 'tanh') =>
    tfl.sequential({
      layers: [
        layers.dense({ units: 5, activation, inputShape: [8], kernelInitializer: he(1), name: 'one' }),
        layers.dense({ units: 3, kernelInitializer: he(2), name: 'two' }),
      ],
    });

  it('not of two architectures whose weights are the same, by name and value', async () => {
    const [relu, tanh, again] = [dense('relu'), dense('tanh'), dense('relu')];
    await expect(
      merged([
        [relu, {}],
        [tanh, {}],
      ]),
    ).rejects.toThrow(/^samples\[1\] is of another architecture/);
    expect(
      (
        await merged([
          [relu, {}],
          [again, {}],
        ])
      ).samples,
    ).toBe(80);
    for (const model of [relu, tanh, again]) {
      model.dispose();
    }
  });

  it('not of two losses of the user', async () => {
    const model = dense('relu');
    const scaled = (by: number): LossFactor => ({
      columns: (outputs) => outputs,
      factor: (z) => {
        const [rows, outputs] = z.shape;
        return tf.tile(tf.expandDims(tf.mul(tf.eye(outputs), by), 1), [1, rows, 1]) as tf.Tensor3D;
      },
    });
    const ways = (one: number, other: number) =>
      merged(
        [
          [model, { loss: scaled(one) }],
          [model, { loss: scaled(other) }],
        ],
        { loss: scaled(one) },
      );
    expect((await ways(1, 1)).samples).toBe(80);
    await expect(ways(1, 2)).rejects.toThrow(
      /^samples\[0\] and samples\[1\] were measured with different losses of your own/,
    );
    model.dispose();
  });

  it('not weighed in different ways', async () => {
    const model = dense('relu');
    const ones = Array<number>(40).fill(1);
    const labels = tf.zeros([40], 'int32');
    const classes = (weight: number) => ({ labels, classWeight: { 0: weight, 1: 1 } });
    const refused = /^samples\[0\] and samples\[1\] were weighed in different ways/;
    expect(
      (
        await merged([
          [model, { sampleWeight: ones }],
          [model, { sampleWeight: ones }],
        ])
      ).samples,
    ).toBe(80);
    expect(
      (
        await merged([
          [model, classes(2)],
          [model, classes(2)],
        ])
      ).samples,
    ).toBe(80);
    await expect(
      merged([
        [model, {}],
        [model, { sampleWeight: ones }],
      ]),
    ).rejects.toThrow(refused);
    await expect(
      merged([
        [model, classes(1)],
        [model, classes(2)],
      ]),
    ).rejects.toThrow(refused);
    await expect(
      merged([
        [model, classes(1)],
        [model, { sampleWeight: ones }],
      ]),
    ).rejects.toThrow(refused);
    model.dispose();
    labels.dispose();
  });

  it('with labels and without only where the loss does not go by them, from tensors and datasets', async () => {
    const model = dense('relu');
    const row = (sum: number) => tf.fill([40, 3], sum / 3);
    const [ones, halves] = [row(1), row(0.5)];
    const refused = /^samples\[0\] and samples\[1\] were weighed in different ways/;
    const both = await merged([
      [model, { labels: ones }],
      [model, { labels: halves }],
    ]);
    expect(both.assumptions.filter((each) => each.includes('add up to 1'))).toEqual([
      expect.stringMatching(/^Rows of labels of 'two' do not add up to 1/),
    ]);
    await expect(
      merged([
        [model, { labels: ones }],
        [model, {}],
      ]),
    ).rejects.toThrow(refused);
    const squared: MeasureOptions = { loss: 'meanSquaredError' };
    expect(
      (
        await merged(
          [
            [model, { ...squared, labels: ones }],
            [model, squared],
          ],
          squared,
        )
      ).samples,
    ).toBe(80);
    const x = tf.randomNormal([40, 8], 0, 1, 'float32', 9);
    const dataset = (withLabels: boolean, weigh: boolean) =>
      tfd.generator(function* () {
        yield {
          xs: x.clone(),
          ...(withLabels && { ys: ones.clone() }),
          ...(weigh && { sampleWeight: tf.ones([40]) }),
        };
      } as never);
    const shareOf = (withLabels: boolean, weigh: boolean) =>
      sampleSharpness(model, dataset(withLabels, weigh), { ...softmax, method: 'exact' });
    expect((await shareOf(true, false)).weightings).toEqual([
      { output: 'two', bySample: false, byClass: null, byLabels: true },
    ]);
    expect(await shareOf(false, false)).toMatchObject({
      weightings: [{ bySample: false, byLabels: false }],
      rows: { assumed: ['two'], uneven: [] },
    });
    expect((await shareOf(true, true)).weightings).toMatchObject([{ bySample: true, byLabels: true }]);
    tf.dispose([ones, halves, x]);
    model.dispose();
  });

  it('of a model and of what is loaded from its file', async () => {
    const model = dense('relu');
    const saved: tf.io.ModelArtifacts[] = [];
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved.push(artifacts);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved[0]!));
    expect(
      (
        await merged([
          [model, {}],
          [loaded, {}],
        ])
      ).samples,
    ).toBe(80);
    model.dispose();
    loaded.dispose();
  });
});

it.each<[string, MeasureOptions]>([
  ['exactly', { method: 'exact' }],
  ['by pairs', { method: { pairs: 10 } }],
  ['of a part', { method: 'exact', part: 0.5 }],
])(
  'a trace beyond float32 is sent as it is, and one that no number holds is refused before: %s',
  async (_, options) => {
    const model = network();
    const x = tf.tidy(() => tf.mul(tf.randomNormal([30, 8], 0, 1, 'float32', 1), 1e25));
    const { numTensors } = tf.memory();
    const loss = 'meanSquaredError';
    const sample = sent(await sampleSharpness(model, x, { loss, ...options }));
    const [merged, reading] = [
      mergeSharpnessSamples(model, [sample], { loss }),
      await measureSharpness(model, x, { loss, ...options }),
    ];
    expect(merged.trace).toBeGreaterThan(1e50);
    expect(merged.trace).toBe(reading.trace);
    const infinite: LossFactor = {
      columns: (outputs) => outputs,
      factor: (z) => tf.mul(tf.ones([z.shape[1], ...z.shape]), Number.POSITIVE_INFINITY) as tf.Tensor3D,
    };
    await expect(sampleSharpness(model, x, { ...options, loss: infinite })).rejects.toThrow(
      /^(The trace of '.*' leaves the range of float32|The output of sample \d+ is not finite)[^\n]*\.$/,
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    x.dispose();
    model.dispose();
  },
);

describe('a share', () => {
  const image = () =>
    tfl.sequential({
      layers: [
        layers.conv2d({
          name: 'image',
          filters: 4,
          kernelSize: 3,
          activation: 'relu',
          inputShape: [10, 10, 1],
          kernelInitializer: he(1),
        }),
        layers.flatten({ name: 'flat' }),
        layers.dense({ units: 5, kernelInitializer: he(2), name: 'classes' }),
      ],
    });

  it.each([{ method: { pairs: 40 } }, { method: 'exact' }] as const)(
    'is the same to the last digit in a process that has measured others before, at any speed: %o',
    async ({ method }) => {
      const shares = [50, 1, 90].map((samples, i) => tf.randomNormal([samples, 10, 10, 1], 0, 1, 'float32', i));
      const [one, others] = [image(), [image(), image(), image()]];
      const shareOf = async (model: tfl.LayersModel, i: number) => {
        const options: MeasureOptions = { ...softmax, method, seed: i };
        const { durationMs: _, ...share } = (await sampleSharpness(model, shares[i]!, options)) as SharpnessSample & {
          durationMs?: number;
        };
        return sent(share as SharpnessSample);
      };
      let now = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
        now += 300;
        return now;
      });
      const ofOne: SharpnessSample[] = [];
      for (const i of [2, 1, 0]) {
        ofOne.unshift(await shareOf(one, i));
      }
      clock.mockRestore();
      const ofOthers = await Promise.all(others.map(shareOf));
      expect(ofOthers).toEqual(ofOne);
      const { durationMs: _a, ...merged } = mergeSharpnessSamples(one, ofOne, softmax);
      const { durationMs: _b, ...again } = mergeSharpnessSamples(one, ofOthers, softmax);
      expect(again).toEqual(merged);
      tf.dispose(shares);
      for (const model of [one, ...others]) {
        model.dispose();
      }
    },
  );
});
