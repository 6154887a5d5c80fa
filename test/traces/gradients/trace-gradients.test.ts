import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { subjectOfModel } from '../../../src/measure/subject.js';
import { traceKernel } from '../../../src/traces/exact.js';
import { traceGradientKernel } from '../../../src/traces/gradients/trace-gradients.js';
import { type Loss, samplesOf, weightValues } from '../../brute-force/jacobian.js';
import { losses } from '../../brute-force/random-model.js';
import { tracesAt } from '../../brute-force/traces.js';
import { lcg, setGoldenWeights } from '../../measure/golden-network.js';

const { dense } = tfl.layers;

/** A hidden layer, and the last one as the loss wants it. */
function network(loss: Loss, activation: 'relu' | 'tanh' = 'relu'): tfl.LayersModel {
  const softmax = loss.endsWith('ategoricalCrossentropy');
  const last = softmax ? 'softmax' : loss === 'binaryCrossentropy' ? 'sigmoid' : 'linear';
  const model = tfl.sequential({
    layers: [dense({ units: 3, activation, inputShape: [3] }), dense({ units: 3, activation: last })],
  });
  setGoldenWeights(model, 11);
  return model;
}

const inputsOf = (samples: number) => [
  tf.tensor2d(
    lcg(11, 3 * samples).map((u) => 2 * u - 1),
    [samples, 3],
  ),
];

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>) => norm(Array.from(a, (v, i) => v - b[i]!));

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  tf.disposeVariables();
  expect(tf.memory().numTensors).toBeLessThanOrEqual(tensors);
});

describe('traceGradientKernel', () => {
  it('has the traces of the exact kernel, and their weighted gradient by differences in float64', async () => {
    const loss = 'softmaxCrossEntropy';
    const model = network(loss, 'tanh');
    const inputs = inputsOf(4);
    const { graph, heads } = subjectOfModel(model, { loss });
    const before = tf.memory().numTensors;
    const kernel = traceGradientKernel(graph, heads);
    const factors = [0.5, 2, 3, 0.25];
    let weighed: readonly number[] = [];
    const { traces, gradients, ...rest } = kernel.gradients(inputs, (found) => {
      weighed = found;
      return factors;
    });
    expect(tf.memory().numTensors).toBe(before + gradients.length);
    expect(rest).toEqual({ factors });
    expect(traces).toEqual(weighed);
    for await (const { norms } of traceKernel(graph, heads, 2 ** 26).traces(inputs)) {
      norms.forEach((ofSamples, b) => {
        expect(Math.abs(traces[b]! / (ofSamples.reduce((sum, each) => sum + each, 0) / 4) - 1)).toBeLessThan(1e-5);
      });
    }
    const here = weightValues(model);
    const samples = samplesOf(inputs);
    const names = kernel.parameters.map(({ name }) => name);
    const sumAt = (name: string, i: number, step: number) => {
      const { shape, data } = here.get(name)!;
      const moved = new Map([...here, [name, { shape, data: data.with(i, data[i]! + step) }]]);
      const at = tracesAt(model, loss, samples, moved).traces;
      return names.reduce((sum, each, b) => sum + factors[b]! * at.get(each)!, 0);
    };
    names.forEach((name, b) => {
      const expected = here.get(name)!.data.map((_, i) => (sumAt(name, i, 1e-6) - sumAt(name, i, -1e-6)) / 2e-6);
      expect(gradients[b]!.shape).toEqual(here.get(name)!.shape);
      expect(norm(expected)).toBeGreaterThan(0);
      expect(difference(gradients[b]!.dataSync(), expected), name).toBeLessThan(1e-4 * norm(expected));
    });
    tf.dispose([inputs, gradients]);
    model.dispose();
  });

  it.each(losses)('is the mean of the gradients of single sign combinations: %s', (loss) => {
    const model = network(loss);
    const inputs = inputsOf(2);
    const { graph, heads } = subjectOfModel(model, { loss });
    const kernel = traceGradientKernel(graph, heads);
    const weigh = () => [0.5, 2, 3, 0.25];
    const add = (a: Float64Array[], { traces, gradients }: ReturnType<typeof kernel.gradients>) => {
      const values = [traces, ...gradients.map((gradient) => gradient.dataSync())];
      tf.dispose(gradients);
      return values.map((value, b) => Float64Array.from(value, (v, i) => v + (a[b]?.[i] ?? 0)));
    };
    const exact = add([], kernel.gradients(inputs, weigh));
    // Each sample's signs enter its own summand only: both samples may have the same ones.
    let sum: Float64Array[] = [];
    for (let choice = 0; choice < 8; choice++) {
      const signs = [1, 2, 4].map((bit) => (choice & bit ? 1 : -1));
      const drawn = (shape: readonly number[]) => {
        expect(shape).toEqual([2, 3]);
        return tf.tensor2d([signs, signs]);
      };
      sum = add(sum, kernel.gradients(inputs, weigh, drawn));
    }
    exact.forEach((values, b) => {
      expect(
        difference(
          sum[b]!.map((v) => v / 8),
          values,
        ),
      ).toBeLessThan(1e-5 * norm(values) + 1e-7);
    });
    tf.dispose(inputs);
    model.dispose();
  });

  it('leaves nothing behind when the traces are refused', () => {
    const loss = 'meanSquaredError';
    const model = network(loss);
    const inputs = inputsOf(2);
    const { graph, heads } = subjectOfModel(model, { loss });
    const before = tf.memory().numTensors;
    const refuse = () => {
      throw new Error('not these');
    };
    expect(() => traceGradientKernel(graph, heads).gradients(inputs, refuse)).toThrow('not these');
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(inputs);
    model.dispose();
  });
});
