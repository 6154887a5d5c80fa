import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type Operation, registerLayerRule } from '../../src/layers.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { gaussNewtonDiagonal } from '../../src/measures.js';
import { sampleJacobian, samplesOf } from '../brute-force/jacobian.js';
import { outputHessian } from '../brute-force/output-hessian.js';
import { type GoldenCase, goldenCases, goldenInputs, goldenModel } from '../measure/golden-network.js';
import { smallNetwork } from './small-network.js';

/** G_ii = (1/N) sum_n (J_n^T A_n J_n)_ii, with every Jacobian formed, in float64. */
function reference(model: tfl.LayersModel, loss: GoldenCase['loss'], inputs: tf.Tensor): Map<string, Float64Array> {
  const samples = samplesOf([inputs]);
  const found = new Map<string, Float64Array>();
  for (const sample of samples) {
    const { rows, logits } = sampleJacobian(model, loss, sample);
    const hessian = outputHessian(loss, logits);
    for (const { originalName } of model.trainableWeights) {
      const jacobian = rows.map((row) => row.get(originalName)!);
      const sums = found.get(originalName) ?? new Float64Array(jacobian[0]!.length);
      found.set(originalName, sums);
      hessian.forEach((row, j) => {
        row.forEach((a, k) => {
          sums.forEach((_, i) => {
            sums[i]! += (a * jacobian[j]![i]! * jacobian[k]![i]!) / samples.length;
          });
        });
      });
    }
  }
  return found;
}

describe('the diagonal of the Gauss-Newton matrix', () => {
  it.each(goldenCases().filter(({ name }) => !name.startsWith('paper-')))(
    'is that of explicit Jacobians, entry by entry, and adds up to the traces: $name',
    async (golden) => {
      const model = await goldenModel(golden);
      const x = goldenInputs(golden, model);
      const { numTensors } = tf.memory();
      const { parameters, samples } = await gaussNewtonDiagonal(model, x, { loss: golden.loss });
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(samples).toBe(golden.samples);
      const expected = reference(model, golden.loss, x);
      expect(parameters.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
      for (const { name, shape, diagonal } of parameters) {
        expect(diagonal).toHaveLength(shape.reduce((a, b) => a * b, 1));
        const entries = expected.get(name)!;
        const largest = Math.max(...entries);
        diagonal.forEach((each, i) => {
          expect(Math.abs(each - entries[i]!), `${name}, ${i}`).toBeLessThan(1e-4 * entries[i]! + 1e-8 * largest);
        });
        const sum = diagonal.reduce((a, b) => a + b, 0);
        expect(Math.abs(sum / golden.expected.ggnTrace[name]! - 1), name).toBeLessThan(1e-4);
      }
      x.dispose();
      model.dispose();
    },
  );

  it('is the second difference of the loss by each weight, of a network of linear pieces', async () => {
    const { model, plain, plainLoss, x, y } = smallNetwork();
    const { parameters } = await gaussNewtonDiagonal(model, x, { loss: 'softmaxCrossEntropy', labels: y });
    const values = plain();
    const h = 1e-4;
    parameters.forEach(({ diagonal }, b) => {
      diagonal.forEach((each, i) => {
        const at = (step: number) =>
          plainLoss(values.map((list, c) => (c === b ? list.map((w, j) => (j === i ? w + step : w)) : list)));
        expect(each).toBeCloseTo((at(h) + at(-h) - 2 * at(0)) / h ** 2, 5);
      });
    });
    model.dispose();
  });

  it('tells how many backward rows of both passes are run', async () => {
    const { model, x } = smallNetwork();
    const seen: { readonly samples: number; readonly rows: number; readonly totalRows: number | undefined }[] = [];
    const onProgress = (progress: (typeof seen)[number]) => {
      seen.push(progress);
    };
    await gaussNewtonDiagonal(model, x, { loss: 'softmaxCrossEntropy', onProgress });
    const [samples] = x.shape;
    const { rows = 0, totalRows } = seen.at(-1) ?? {};
    expect(rows).toBe(totalRows);
    expect(rows % (2 * samples!)).toBe(0);
    expect(seen.at(-1)!.samples).toBe(samples);
    expect(seen[0]).toMatchObject({ samples: 0, rows: rows / 2, totalRows });
    model.dispose();
  });

  it('counts samples by their weights, and reads a dataset', async () => {
    const { model, x } = smallNetwork();
    const loss = 'softmaxCrossEntropy';
    const sampleWeight = [2, 0, 1, 3, 0, 0, 1, 1, 0, 2, 1, 1];
    const { trace, parameters } = await measureSharpness(model, x, { loss, sampleWeight });
    const weighted = await gaussNewtonDiagonal(model, x, { loss, sampleWeight });
    const sums = weighted.parameters.map(({ diagonal }) => diagonal.reduce((a, b) => a + b, 0));
    expect(sums.reduce((a, b) => a + b, 0) / trace).toBeCloseTo(1, 5);
    expect(weighted.parameters.map(({ name }) => name)).toEqual(parameters.map(({ name }) => name));
    const whole = await gaussNewtonDiagonal(model, x, { loss });
    const batches = {
      iterator: async () => {
        let begin = 0;
        return {
          next: async () => {
            const done = begin >= 12;
            const value = done ? (null as unknown as tf.Tensor) : tf.slice(x, begin, 4);
            begin += 4;
            return { done, value };
          },
        };
      },
    };
    const streamed = await gaussNewtonDiagonal(model, batches as never, { loss });
    expect(streamed.samples).toBe(12);
    streamed.parameters.forEach(({ diagonal }, b) => {
      diagonal.forEach((each, i) => {
        expect(each).toBeCloseTo(whole.parameters[b]!.diagonal[i]!, 6);
      });
    });
    model.dispose();
  });

  it('knows layers of which no more is said than norms, and finds out what is said wrongly', async () => {
    const { model, x, layer } = networkWithGain();
    const { parameters } = await gaussNewtonDiagonal(model, x, { loss: 'meanSquaredError' });
    // y = gain x: its second derivative is the mean of 2 / K x^2.
    const squares = x.arraySync() as number[][];
    parameters[0]!.diagonal.forEach((each, i) => {
      expect(each).toBeCloseTo(squares.reduce((sum, row) => sum + row[i]! ** 2, 0) / squares.length, 5);
    });
    layer.factor = 1.1;
    await expect(gaussNewtonDiagonal(model, x, { loss: 'meanSquaredError' })).rejects.toThrow(
      /^gaussNewtonDiagonal: the diagonal of '.*gain' adds up to .*, and its trace is .*: .* or, for a rule of your own, look at its squaredNorms .*\.$/,
    );
    model.dispose();
    x.dispose();
  });

  it('refuses in one line what it does not know', async () => {
    const { model, x } = smallNetwork();
    await expect(gaussNewtonDiagonal(model, x, { method: 'exact' } as never)).rejects.toThrow(
      /^gaussNewtonDiagonal: .*method.*\.$/,
    );
    await expect(gaussNewtonDiagonal(model, x)).rejects.toThrow(/loss/);
    model.dispose();
  });
});

/** y = gain * x, one gain a channel, by a rule of the user's that says squared norms only. */
class Gain extends tfl.layers.Layer {
  static className = 'GainOfDiagonal';
  gain!: tfl.LayerVariable;
  /** What the rule's norms are off by. */
  factor = 1;

  override build(shape: tfl.Shape): void {
    this.gain = this.addWeight('gain', [shape[1]!], 'float32', tfl.initializers.ones());
    this.built = true;
  }
  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([inputs].flat()[0]!, this.gain.read());
  }
}

function networkWithGain() {
  registerLayerRule('GainOfDiagonal', (layer, parameter) => {
    const own = layer as Gain;
    const operation: Operation = {
      layer,
      description: 'Gain',
      scale: 'affine',
      piecewiseLinear: true,
      parameters: [parameter(own.gain, 'kernel')],
      forward: ([x]) => ({ output: tf.mul(x!, own.gain.read()), saved: [x!] }),
      backward: (_call, delta) => [tf.mul(delta, own.gain.read())],
      squaredNorms: ([{ saved, delta }], columns) => {
        const gradients = tf.mul(tf.reshape(delta, [columns, ...saved[0]!.shape]), tf.expandDims(saved[0]!, 0));
        return [tf.mul(own.factor, tf.sum(tf.square(gradients), [0, 2]))];
      },
    };
    return [operation];
  });
  const layer = new Gain({ inputShape: [2] } as never);
  const model = tfl.sequential({ layers: [layer] });
  return { model, layer, x: tf.randomNormal([6, 2], 0, 1, 'float32', 1) };
}
