import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { differentiableGraph } from '../../../src/traces/gradients/differentiable.js';
import { lcg } from '../../measure/golden-network.js';

const { layers } = tfl;

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  tf.disposeVariables();
  expect(tf.memory().numTensors).toBe(tensors);
});

/** A model of one layer with weights, then others. */
const model = (shape: number[], ...rest: tfl.layers.Layer[]) =>
  tfl.sequential({ layers: [layers.batchNormalization({ inputShape: shape }), ...rest] });

/** The last operation of a model, as the graph has it and as it can be differentiated. */
function lastOperations(of: tfl.LayersModel) {
  const graph = unfold(of);
  const [plain, made] = [graph, differentiableGraph(graph)].map(({ steps }) => steps.at(-1)!.operation);
  return { plain: plain!, made: made! };
}

const numbers = (shape: readonly number[], seed: number) =>
  tf.tensor(
    lcg(
      seed,
      shape.reduce((a, b) => a * b, 1),
    ).map((u) => 4 * (u - 0.5)),
    [...shape],
  );

const inner = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)) as tf.Scalar;

function expectClose(found: tf.Tensor, expected: tf.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  const values = expected.dataSync();
  found.dataSync().forEach((value, i) => {
    expect(Math.abs(value - values[i]!)).toBeLessThan(1e-5);
  });
}

const linear: [string, () => tfl.layers.Layer, number[]][] = [
  ['average pooling', () => layers.averagePooling2d({ poolSize: 2, strides: 1, padding: 'same' }), [4, 5, 2]],
  ['global average pooling', () => layers.globalAveragePooling2d({}), [3, 4, 2]],
  ['flattening', () => layers.flatten(), [3, 4, 2]],
  ['padding', () => layers.zeroPadding2d({ padding: [1, 2] }), [3, 4, 2]],
];

const selecting: [string, () => tfl.layers.Layer, number[]][] = [
  ['relu', () => layers.reLU(), [7]],
  ['relu6', () => layers.activation({ activation: 'relu6' }), [7]],
  ['max pooling', () => layers.maxPooling2d({ poolSize: 2 }), [4, 4, 2]],
  ['overlapping max pooling', () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), [5, 4, 2]],
  ['global max pooling', () => layers.globalMaxPooling2d({}), [3, 4, 2]],
];

describe('differentiableGraph', () => {
  it.each([...linear, ...selecting])('has the outputs and the gradient of %s', (_name, layer, shape) => {
    const made = model(shape, layer());
    const operations = lastOperations(made);
    const x = numbers([3, ...shape], 1);
    tf.tidy(() => {
      const { output, saved } = operations.plain.forward([x]);
      expectClose(operations.made.forward([x]).output, output);
      const r = numbers(output.shape, 2);
      const gradient = tf.grad((at: tf.Tensor) => inner(operations.made.forward([at]).output, r))(x);
      expectClose(gradient, operations.plain.backward({ saved, inputShapes: [x.shape] }, r, 1)[0]!);
    });
    x.dispose();
    made.dispose();
  });

  it.each(linear)('has the gradient of the backward pass of %s: its forward pass', (_name, layer, shape) => {
    const made = model(shape, layer());
    const operations = lastOperations(made);
    tf.tidy(() => {
      const v = numbers([3, ...shape], 3);
      const { output } = operations.plain.forward([v]);
      const call = { saved: [], inputShapes: [v.shape] };
      const back = (delta: tf.Tensor) => inner(operations.made.backward(call, delta, 1)[0]!, v);
      expectClose(tf.grad(back)(numbers(output.shape, 4)), output);
    });
    made.dispose();
  });

  it('keeps a shared layer one operation, so that its gradients add up', () => {
    const inputs = tfl.input({ shape: [3] });
    const first = layers.dense({ units: 3 }).apply(inputs);
    const relu = layers.reLU();
    const outputs = relu.apply(layers.dense({ units: 3 }).apply(relu.apply(first))) as tfl.SymbolicTensor;
    const { steps } = differentiableGraph(unfold(tfl.model({ inputs, outputs })));
    expect(steps).toHaveLength(4);
    expect(steps[3]!.operation).toBe(steps[1]!.operation);
  });

  it('names the first layer through which no gradient passes, where it stands above trained weights', () => {
    const elu = (name: string) => layers.elu({ name });
    const graphOf = (...stack: tfl.layers.Layer[]) =>
      unfold(tfl.sequential({ layers: [layers.inputLayer({ inputShape: [3] }), ...stack] }));
    const above = graphOf(layers.dense({ units: 3 }), elu('first'), layers.dense({ units: 2 }), elu('second'));
    expect(() => differentiableGraph(above)).toThrow(/^Layer 'first' \(.*\) has no second derivative in tf\.js .*$/);
    const below = graphOf(elu('first'), layers.dense({ units: 2 }));
    expect(differentiableGraph(below).steps[0]).toBe(below.steps[0]);
  });
});
