import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { asPositions, kernelAndBias, sumOfOuterProducts } from '../../../src/network/layers/kernel-and-bias.js';
import type { CallWithDelta, Parameter } from '../../../src/network/layers/operation.js';
import type { ParameterOf } from '../../../src/network/layers/rule.js';
import { kernelInputsOf } from '../../../src/network/layers/squared-norms.js';

const [SAMPLES, POSITIONS, FAN_IN, FAN_OUT] = [2, 3, 4, 2];

it('asPositions puts everything between samples and channels into one axis', () => {
  tf.tidy(() => {
    expect(asPositions(tf.ones([2, 3, 4, 5])).shape).toEqual([2, 12, 5]);
    expect(asPositions(tf.ones([2, 5])).shape).toEqual([2, 1, 5]);
  });
});

it('sumOfOuterProducts adds up a d^T over samples and positions', () => {
  tf.tidy(() => {
    const [a, d] = [tf.tensor3d([1, 2, 3, 4], [2, 1, 2]), tf.tensor3d([5, 6, 7, 8], [2, 1, 2])];
    expect(sumOfOuterProducts(a, d).arraySync()).toEqual([
      [1 * 5 + 3 * 7, 1 * 6 + 3 * 8],
      [2 * 5 + 4 * 7, 2 * 6 + 4 * 8],
    ]);
  });
});

describe('kernelAndBias', () => {
  /** A product with a kernel at every position, with these weights trained, and one call of it. */
  function product(trained: readonly string[], useBias = true) {
    const layer = tfl.layers.dense({ units: FAN_OUT, useBias, biasInitializer: 'ones' });
    layer.build([null, POSITIONS, FAN_IN]);
    const { kernel, bias } = layer as unknown as { kernel: tfl.LayerVariable; bias: tfl.LayerVariable | null };
    const parameter: ParameterOf = (variable, role): Parameter => ({
      name: variable.originalName,
      layer,
      variable,
      role,
      trainable: trained.includes(role),
    });
    const operation = kernelAndBias(layer, kernel, bias, parameter, {
      product: (x) => tf.reshape(tf.matMul(tf.reshape(x, [-1, FAN_IN]), kernel.read()), [-1, POSITIONS, FAN_OUT]),
      backward: (_call, delta) => [delta],
      norms: { inputs: ({ saved }) => kernelInputsOf(asPositions(saved[0]!)) },
      squares: {
        ofKernel: (squares) => squares,
        through: (q) => q,
        inputs: (input) => tf.sum(tf.square(input), -1, true),
      },
      kernelProducts: ([call], deltas) => ({ inputs: asPositions(call!.saved[0]!), deltas }),
    });
    const x = tf.randomUniform([SAMPLES, POSITIONS, FAN_IN], -1, 1, 'float32', 1);
    const delta = tf.randomUniform([SAMPLES, POSITIONS, FAN_OUT], -1, 1, 'float32', 2);
    const call: CallWithDelta = { saved: [x], inputShapes: [x.shape], delta };
    return { layer, operation, kernel, x, call };
  }

  const lengths = (gradients: (tf.Tensor | null)[]) =>
    gradients.map((gradient) => (gradient ? tf.sum(tf.square(gradient)).dataSync()[0]! : null));
  const ofSample = ({ saved, inputShapes, delta }: CallWithDelta, n: number): CallWithDelta => ({
    saved: saved.map((x) => tf.slice(x, n, 1)),
    inputShapes,
    delta: tf.slice(delta, n, 1),
  });

  it('adds the bias, and keeps the input only for a kernel that trains', () => {
    const { operation, x, kernel } = product(['kernel', 'bias']);
    tf.tidy(() => {
      const { output, saved } = operation.forward([x]);
      const expected = tf.add(tf.matMul(tf.reshape(x, [-1, FAN_IN]), kernel.read()), 1);
      const difference = tf.max(tf.abs(tf.sub(tf.reshape(output, [-1, FAN_OUT]), expected)));
      expect(difference.dataSync()[0]).toBeLessThan(1e-6);
      expect(saved).toEqual([x]);
      expect(product(['bias']).operation.forward([x]).saved).toEqual([]);
    });
    expect(operation).toMatchObject({ description: 'Dense', scale: 'affine', piecewiseLinear: true });
    expect(product([], false).operation.parameters.map(({ role }) => role)).toEqual(['kernel']);
  });

  it.each([
    ['both weights', ['kernel', 'bias']],
    ['the kernel', ['kernel']],
    ['the bias', ['bias']],
    ['none', []],
  ])('has norms that are those of its gradients, sample by sample: %s trained', (_, trained) => {
    const { operation, call } = product(trained);
    tf.tidy(() => {
      const norms = operation.squaredNorms!([call], 1).map((norm) => norm && [...norm.dataSync()]);
      for (let n = 0; n < SAMPLES; n++) {
        const gradients = operation.gradients!([ofSample(call, n)]);
        expect(gradients.map((gradient) => gradient !== null)).toEqual(
          ['kernel', 'bias'].map((role) => trained.includes(role)),
        );
        lengths(gradients).forEach((length, b) => {
          expect(norms[b] === null).toBe(length === null);
          if (length !== null) {
            expect(norms[b]![n]! / length).toBeCloseTo(1, 4);
          }
        });
      }
      const [kernel, bias] = operation.gradients!([call]);
      expect([kernel?.shape, bias?.shape]).toEqual([
        trained.includes('kernel') ? [FAN_IN, FAN_OUT] : undefined,
        trained.includes('bias') ? [FAN_OUT] : undefined,
      ]);
    });
  });

  it('takes norms of a kernel that are made in a way of their own', () => {
    const { layer, kernel, call } = product([]);
    const parameter: ParameterOf = (variable, role) => ({ name: role, layer, variable, role, trainable: true });
    const { squaredNorms } = kernelAndBias(layer, kernel, null, parameter, {
      product: (x) => x,
      backward: (_call, delta) => [delta],
      squares: { ofKernel: (squares) => squares, through: (q) => q, inputs: (x) => x },
      norms: { kernel: (calls, delta, columns) => tf.tensor1d([calls.length, columns, ...delta.shape]) },
      kernelProducts: (_calls, deltas) => ({ deltas }),
    });
    tf.tidy(() => {
      const [norm] = squaredNorms!([call, call], 1);
      expect([...norm!.dataSync()]).toEqual([2, 1, SAMPLES, 2 * POSITIONS, FAN_OUT]);
    });
  });
});
