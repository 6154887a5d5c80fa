import { describe, expect, test } from 'vitest';
import { goldenCases, goldenInputs, goldenModel, lcg } from '../measure/golden-network.js';
import { type Loss, sampleJacobian, samplesOf, weightValues } from './jacobian.js';
import { lossValue, outputHessian } from './output-hessian.js';
import { referenceTraces } from './traces.js';

/** The reference must be proven before it judges the kernel: against values from outside, and against differences. */
describe('the brute-force reference', () => {
  for (const golden of goldenCases()) {
    test(`finds the golden traces of ${golden.name}`, async () => {
      const model = await goldenModel(golden);
      const inputs = goldenInputs(golden, model);
      const { traces, total, logits } = referenceTraces(model, golden.loss, [inputs]);
      for (const [k, z] of golden.expected.logits0.entries()) {
        expect(logits[0]![k]).toBeCloseTo(z, 6);
      }
      const { ggnTrace } = golden.expected;
      expect([...traces.keys()].sort()).toEqual(Object.keys(ggnTrace).sort());
      for (const [name, trace] of traces) {
        expect(Math.abs(trace / ggnTrace[name]! - 1), name).toBeLessThan(1e-6);
      }
      expect(Math.abs(total / golden.expected.total - 1)).toBeLessThan(1e-6);
      inputs.dispose();
      model.dispose();
    }, 300_000);
  }

  test.each<[Loss, number[]]>([
    ['categoricalCrossentropy', [0, 1, 0]],
    ['softmaxCrossEntropy', [0, 1, 0]],
    ['sparseCategoricalCrossentropy', [0, 1, 0]],
    ['binaryCrossentropy', [1, 0, 1]],
    ['sigmoidCrossEntropy', [1, 0, 1]],
    ['meanSquaredError', [0.3, -2, 0.7]],
  ])('has the second differences of %s as its output Hessian', (loss, labels) => {
    const z = Float64Array.from([0.4, -0.3, 1.2]);
    const h = 1e-4;
    const value = (...steps: [number, number][]) => {
      const moved = z.slice();
      for (const [k, step] of steps) {
        moved[k]! += step;
      }
      return lossValue(loss, moved, Float64Array.from(labels));
    };
    outputHessian(loss, z).forEach((row, i) => {
      row.forEach((a, j) => {
        const difference =
          value([i, h], [j, h]) - value([i, h], [j, -h]) - value([i, -h], [j, h]) + value([i, -h], [j, -h]);
        expect(a).toBeCloseTo(difference / (4 * h * h), 6);
      });
    });
  });

  test('has the differences of the network as its Jacobian', async () => {
    for (const golden of goldenCases().filter(({ name }) => !name.startsWith('paper-'))) {
      const model = await goldenModel(golden);
      const inputs = goldenInputs(golden, model);
      const sample = samplesOf([inputs])[0]!;
      const values = weightValues(model);
      const { rows, logits } = sampleJacobian(model, golden.loss, sample);
      const h = 1e-7;
      for (const weight of model.trainableWeights) {
        const { shape, data } = values.get(weight.originalName)!;
        const i = Math.floor(lcg(golden.seed, 1)[0]! * data.length);
        const moved = data.slice();
        moved[i]! += h;
        const after = sampleJacobian(
          model,
          golden.loss,
          sample,
          new Map(values).set(weight.originalName, { shape, data: moved }),
        );
        logits.forEach((z, k) => {
          const difference = (after.logits[k]! - z) / h;
          expect(rows[k]!.get(weight.originalName)![i], `${golden.name} ${weight.originalName}`).toBeCloseTo(
            difference,
            5,
          );
        });
      }
      inputs.dispose();
      model.dispose();
    }
  });
});
