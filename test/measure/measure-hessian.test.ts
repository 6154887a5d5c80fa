import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { goldenCases, goldenInputs, goldenModel, setGoldenWeights } from './golden-network.js';

const { layers } = tfl;

describe('method: { hutchinson }', () => {
  it.each(['tanh-not-piecewise-linear', 'shared-nobias'])(
    'finds the golden traces of the Hessian: %s',
    async (name) => {
      const golden = goldenCases().find((each) => each.name === name)!;
      const model = await goldenModel(golden);
      const x = goldenInputs(golden, model);
      const classes = model.outputs[0]!.shape[1] as number;
      const labels = tf.oneHot(
        Array.from({ length: golden.samples }, (_, n) => n % classes),
        classes,
      );
      const before = tf.memory().numTensors;
      const options: MeasureOptions = { loss: golden.loss, labels, method: { hutchinson: 40 } };
      const reading = await measureSharpness(model, x, options);
      expect(tf.memory().numTensors).toBe(before);
      const { hessianTrace, ggnTrace } = golden.expected;
      const total = Object.values(hessianTrace!).reduce((sum, trace) => sum + trace, 0);
      for (const { name: parameter, trace, standardError } of reading.parameters) {
        const expected = hessianTrace![parameter]!;
        const allowed = 4 * standardError + 1e-3 * ggnTrace[parameter]!;
        expect(Math.abs(trace - expected), parameter).toBeLessThan(allowed);
      }
      expect(reading.standardError).toBeGreaterThan(0);
      expect(reading.standardError).toBeLessThan(0.2 * total);
      expect(reading.exact).toBe(true);
      expect(reading.assumptions.join(' ')).toMatch(/estimated with 40 random probes/);
      // It is not the Gauss-Newton value.
      const gaussNewton = await measureSharpness(model, x, { loss: golden.loss });
      expect(Math.abs(gaussNewton.trace - total)).toBeGreaterThan(4 * 0.01 * total);
      tf.dispose([x, labels]);
    },
  );

  it('needs no probes where the network is piecewise linear', async () => {
    const golden = goldenCases().find((each) => each.name === 'mlp-relu')!;
    const model = await goldenModel(golden);
    const x = goldenInputs(golden, model);
    const classes = model.outputs[0]!.shape[1] as number;
    const labels = tf.fill([golden.samples, classes], 1 / classes);
    const reading = await measureSharpness(model, x, { loss: golden.loss, labels, method: { hutchinson: 2 } });
    const exact = await measureSharpness(model, x, { loss: golden.loss });
    expect(reading.minimumSharpness / exact.minimumSharpness).toBeCloseTo(1, 6);
    expect(reading.standardError).toBe(0);
    expect(reading.assumptions.join(' ')).toMatch(/traces of the Hessian are exact/);
    tf.dispose([x, labels]);
  });

  it('adds up heads and positions with their weights, and reads labels from a dataset', async () => {
    const input = tfl.input({ shape: [3, 2] });
    const hidden = layers.dense({ units: 3, activation: 'tanh' }).apply(input) as tfl.SymbolicTensor;
    const tags = layers.dense({ units: 3, name: 'tags' }).apply(hidden) as tfl.SymbolicTensor;
    const flat = layers.flatten().apply(hidden) as tfl.SymbolicTensor;
    const value = layers.dense({ units: 1, name: 'value' }).apply(flat) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: input, outputs: [tags, value] });
    setGoldenWeights(model, 3);
    const x = tf.randomUniform([4, 3, 2], -1, 1, 'float32', 1);
    const classes = tf.tensor2d([0, 1, 2, 2, 1, 0, 0, 0, 1, 2, 2, 1], [4, 3]);
    const target = tf.tensor1d([0.5, -1, 2, 0]);
    const loss = ['sparseCategoricalCrossentropy', 'meanSquaredError'] as const;
    const onLogits = [layers.softmax({ axis: -1 }).apply(tags) as tfl.SymbolicTensor, value];
    const classifier = tfl.model({ inputs: input, outputs: onLogits });
    const method = { hutchinson: 8 };
    const labels = [classes, target];
    const sampleWeight = [1, 0, 2, 1];
    const both = await measureSharpness(classifier, x, { loss, labels, method, sampleWeight, lossWeights: [2, 3] });
    // Traces are linear in the loss, and the probes are the same.
    const first = await measureSharpness(classifier, x, { loss, labels, method, sampleWeight, lossWeights: [1, 0] });
    const second = await measureSharpness(classifier, x, { loss, labels, method, sampleWeight, lossWeights: [0, 1] });
    const of = (reading: typeof both, name: string) => reading.parameters.find((p) => p.name === name)?.trace ?? 0;
    for (const { name, trace } of both.parameters) {
      expect(Math.abs(trace - 2 * of(first, name) - 3 * of(second, name))).toBeLessThan(2e-3 * both.trace);
    }
    let items = [0, 2].map((begin) => ({
      xs: tf.slice(x, begin, 2),
      ys: { softmax: tf.slice(classes, begin, 2), value: tf.slice(target, begin, 2) },
    }));
    items = items.map(({ xs, ys }) => ({
      xs,
      ys: { [classifier.outputNames[0]!]: ys.softmax, value: ys.value } as never,
    }));
    const dataset = {
      iterator: async () => ({
        next: async () =>
          (items.length > 0 ? { value: items.shift(), done: false } : { value: null, done: true }) as never,
      }),
    };
    const streamed = await measureSharpness(classifier, dataset, { loss, method });
    const direct = await measureSharpness(classifier, x, { loss, labels, method });
    expect(Math.abs(streamed.trace / direct.trace - 1)).toBeLessThan(2e-3);
    tf.dispose([x, classes, target]);
  });

  it('asks for no labels where the loss reads none', async () => {
    const input = tfl.input({ shape: [4] });
    const outputs = [
      layers.dense({ units: 4, name: 'decoded', activation: 'sigmoid' }).apply(input) as tfl.SymbolicTensor,
      layers.dense({ units: 2, name: 'z_mean' }).apply(input) as tfl.SymbolicTensor,
      layers.dense({ units: 2, name: 'z_log_var' }).apply(input) as tfl.SymbolicTensor,
    ];
    const model = tfl.model({ inputs: input, outputs });
    setGoldenWeights(model, 3);
    const x = tf.randomUniform([5, 4], 0, 1, 'float32', 1);
    const prior = { z_mean: 'gaussianMeanDivergence', z_log_var: 'gaussianVarianceDivergence' } as const;
    const loss = { decoded: 'binaryCrossentropy', ...prior } as const;
    const method = { hutchinson: 4 };
    const before = tf.memory().numTensors;
    // Of dense layers alone, all of the Hessian is the Gauss-Newton part.
    const exact = await measureSharpness(model, x, { loss });
    const reading = await measureSharpness(model, { xs: x, ys: { decoded: x } as never }, { loss, method });
    expect(reading.trace / exact.trace).toBeCloseTo(1, 5);
    const [of, whole] = [
      await measureSharpness(model, x, { loss: prior, method }),
      await measureSharpness(model, x, { loss: prior }),
    ];
    expect(of.trace / whole.trace).toBeCloseTo(1, 5);
    await expect(measureSharpness(model, x, { loss, method })).rejects.toThrow(
      /^Traces of the Hessian depend on the labels: pass labels/,
    );
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  it('says in one line what is missing', async () => {
    const model = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [2] })] });
    const x = tf.ones([2, 2]);
    const refused = (options: MeasureOptions) =>
      measureSharpness(model, x, { loss: 'softmaxCrossEntropy', ...options }).catch((error: Error) => error.message);
    const method = { hutchinson: 4 };
    expect(await refused({ method })).toMatch(/^Traces of the Hessian depend on the labels: pass labels/);
    expect(await refused({ method, labels: tf.zeros([2, 2]) })).toMatch(/its loss takes \[2, 3\] here/);
    expect(await refused({ method: { hutchinson: 1 } })).toMatch(
      /^method: hutchinson must be a whole number of at least 2, but it is 1: /,
    );
    const factor = (z: tf.Tensor2D) => tf.expandDims(tf.onesLike(z), 0) as tf.Tensor3D;
    expect(await refused({ method, loss: { columns: () => 1, factor }, labels: tf.zeros([2, 3]) })).toMatch(
      /has no gradient/,
    );
    x.dispose();
  });
});
