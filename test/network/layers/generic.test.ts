import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { dense } from '../../../src/network/layers/dense.js';
import { generic, measuredAsWhole, throughTfjs } from '../../../src/network/layers/generic.js';
import type { Operation } from '../../../src/network/layers/operation.js';
import type { LayerRule } from '../../../src/network/layers/rule.js';
import { checkLayers, one } from './check-layers.js';

const { layers } = tfl;

checkLayers({
  ConvLSTM2D: [
    one(
      'ConvLSTM2D',
      () => layers.convLstm2d({ filters: 2, kernelSize: 2, recurrentInitializer: 'glorotNormal' }) as tfl.layers.Layer,
      [[2, 3, 4, 2]],
    ),
  ],
});

const [SAMPLES, COLUMNS] = [3, 2];

/** The operations of a dense layer by a rule, with these weights trained. */
function operationsOf(rule: LayerRule, layer: tfl.layers.Layer, trained: readonly string[]): Operation[] {
  return rule(layer, (variable, role) => ({
    name: variable.originalName,
    layer,
    variable,
    role,
    trainable: trained.some((name) => variable.originalName.endsWith(name)),
  }));
}

/** A frozen layer. */
function builtDense(): tfl.layers.Layer {
  const kernelInitializer = tfl.initializers.randomNormal({ seed: 1 });
  const layer = tfl.layers.dense({ units: 4, kernelInitializer });
  layer.build([null, 5]);
  layer.trainable = false;
  return layer;
}

const noise = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);

describe('the generic way', () => {
  it.each([
    ['all weights', ['kernel', 'bias']],
    ['one weight', ['bias']],
  ])('finds what the rule of a layer finds, though tf.js takes the layer for frozen: %s', (_, trained) => {
    const layer = builtDense();
    const [found, ...rest] = operationsOf(generic, layer, trained);
    const [expected] = operationsOf(dense, layer, trained);
    expect(rest).toEqual([]);
    expect(found).toMatchObject({ scale: 'pins', scaleUnknown: true, piecewiseLinear: false });
    expect(measuredAsWhole(layer, 'affine', expected!.parameters)).not.toHaveProperty('scaleUnknown');
    expect(measuredAsWhole(layer, 'adds')).toMatchObject({ scale: 'adds', parameters: [] });
    expect(found!.parameters.map(({ role }) => role)).toEqual(['fixed', 'fixed']);
    tf.tidy(() => {
      const [x, delta] = [noise([SAMPLES, 5], 2), noise([COLUMNS * SAMPLES, 4], 3)];
      const [inputShapes, columns] = [[x.shape], COLUMNS];
      const results = [found!, expected!].map((operation) => {
        const { output, saved } = operation.forward([x]);
        const call = { saved, inputShapes };
        const norms = operation.squaredNorms!(
          [
            { ...call, delta },
            { ...call, delta: tf.neg(tf.square(delta)) },
          ],
          columns,
        );
        return [output, ...operation.backward(call, delta, columns), ...norms];
      });
      results[0]!.forEach((value, i) => {
        const other = results[1]![i]!;
        expect(value === null).toBe(other === null);
        if (value && other) {
          expect(value.shape).toEqual(other.shape);
          expect(tf.max(tf.abs(tf.sub(value, other))).dataSync()[0]).toBeLessThan(1e-4);
        }
      });
    });
    expect(layer.weights.map((weight) => weight.trainable)).toEqual([false, false]);
  });

  it('leaves the call hook of a layer to its user', () => {
    const layer = builtDense();
    let calls = 0;
    layer.setCallHook(() => {
      calls++;
    });
    const [operation] = operationsOf(generic, layer, []);
    tf.tidy(() => {
      const x = tf.ones([1, 5]);
      operation!.forward([x]);
      expect(calls).toBe(0);
      layer.apply(x);
      expect(calls).toBe(1);
    });
  });

  it('packs several outputs into one', () => {
    class Twice extends tfl.layers.Layer {
      static className = 'Twice';
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
        const x = [inputs].flat()[0]!;
        return [x, tf.mul(x, 2)];
      }
    }
    const [operation] = operationsOf(generic, new Twice({}), []);
    expect(operation!.packsOutputs).toBe(true);
    tf.tidy(() => {
      expect(operation!.forward([tf.tensor2d([[1, 2]])]).output.arraySync()).toEqual([[1, 2, 2, 4]]);
    });
  });
});

describe('throughTfjs', () => {
  it('sends no delta to whole numbers', () => {
    const owner = { name: 'f', getClassName: () => 'Function' };
    const properties = { scale: 'pins', piecewiseLinear: false } as const;
    const product = throughTfjs(
      owner,
      'product',
      ([x, n]) => tf.mul(tf.square(x!), tf.cast(n!, 'float32')),
      properties,
    );
    tf.tidy(() => {
      const inputs = [tf.tensor2d([[1, 2, 3]]), tf.tensor2d([[2]], [1, 1], 'int32')];
      const { output, saved } = product.forward(inputs);
      expect(output.arraySync()).toEqual([[2, 8, 18]]);
      const inputShapes = inputs.map(({ shape }) => shape);
      const delta = tf.tensor2d([
        [1, 1, 1],
        [0, 10, 0],
      ]);
      const [ofX, ofN] = product.backward({ saved, inputShapes }, delta, 2);
      // d/dx of 2 x^2, column by column.
      expect(ofX!.arraySync()).toEqual([
        [4, 8, 12],
        [0, 80, 0],
      ]);
      expect(ofN!.arraySync()).toEqual([[0], [0]]);
    });
  });
});
