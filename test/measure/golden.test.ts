import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { type GoldenCase, goldenCases, goldenInputs, goldenModel } from './golden-network.js';

/** The pure-JavaScript backend takes its time for networks of the paper's size. */
const timeout = 600_000;

const deviations: { case: string; worstTrace: string; total: string; minimum: string; worstAlpha: string }[] = [];

const off = (value: number, golden: number) => Math.abs(value / golden - 1);

/** Gauss-Newton and Hessian traces agree in a case, or it is so piecewise linear that the second was not computed. */
function isExact({ expected: { ggnTrace, hessianTrace } }: GoldenCase): boolean {
  if (!hessianTrace) {
    return true;
  }
  return Object.entries(ggnTrace).every(([name, trace]) => off(hessianTrace[name]!, trace) < 1e-6);
}

describe(`golden values on the ${tf.getBackend()} backend`, () => {
  for (const golden of goldenCases()) {
    test(
      golden.name,
      async () => {
        const { expected } = golden;
        const model = await goldenModel(golden);
        const inputs = goldenInputs(golden, model);
        expectLogits(model, inputs, golden);

        const before = tf.memory().numTensors;
        const reading = await measureSharpness(model, inputs, { loss: golden.loss });
        expect(tf.memory().numTensors).toBe(before);

        const traces = reading.parameters.map(
          ({ name, trace }) => [name, off(trace, expected.ggnTrace[name]!)] as const,
        );
        const alphas = reading.scales.map(({ layer, alpha }) => [layer, off(alpha, expected.alpha[layer]!)] as const);
        deviations.push({
          case: golden.name,
          worstTrace: Math.max(...traces.map(([, d]) => d)).toExponential(1),
          total: off(reading.trace, expected.total).toExponential(1),
          minimum: off(reading.minimumSharpness, expected.minimumSharpness).toExponential(1),
          worstAlpha: Math.max(0, ...alphas.map(([, d]) => d)).toExponential(1),
        });
        expect(traces.map(([name]) => name).sort()).toEqual(Object.keys(expected.ggnTrace).sort());
        for (const [name, deviation] of traces) {
          expect(deviation, name).toBeLessThan(1e-4);
        }
        expect(off(reading.trace, expected.total), 'total').toBeLessThan(1e-4);
        expect(off(reading.minimumSharpness, expected.minimumSharpness), 'minimum').toBeLessThan(1e-4);
        expect(alphas.map(([layer]) => layer).sort()).toEqual(Object.keys(expected.alpha).sort());
        for (const [layer, deviation] of alphas) {
          expect(deviation, `alpha of ${layer}`).toBeLessThan(1e-4);
        }
        expect(reading.exact).toBe(isExact(golden));
        expect(reading.samples).toBe(golden.samples);
        expect(reading.standardError).toBe(0);

        inputs.dispose();
        model.dispose();
      },
      timeout,
    );
  }

  // GOLDEN_TABLE=1 npx vitest run test/measure/golden.test.ts: the relative deviations.
  afterAll(() => {
    if (process.env.GOLDEN_TABLE) {
      console.log(`backend ${tf.getBackend()}`);
      console.table(deviations);
    }
  });
});

/** The network was built right: for z as it stands before a softmax or sigmoid, the model puts out that function of it. */
function expectLogits(model: Awaited<ReturnType<typeof goldenModel>>, inputs: tf.Tensor, golden: GoldenCase): void {
  const output = tf.tidy(() => {
    const first = tf.slice(inputs, 0, 1);
    return [...(model.predict(first) as tf.Tensor).dataSync()];
  });
  const z = golden.expected.logits0;
  const sum = z.reduce((s, v) => s + Math.exp(v), 0);
  const link = {
    categoricalCrossentropy: (v: number) => Math.exp(v) / sum,
    binaryCrossentropy: (v: number) => 1 / (1 + Math.exp(-v)),
    softmaxCrossEntropy: (v: number) => v,
    meanSquaredError: (v: number) => v,
  }[golden.loss];
  expect(output).toHaveLength(z.length);
  for (const [k, v] of z.entries()) {
    expect(output[k]).toBeCloseTo(link(v), 5);
  }
}
