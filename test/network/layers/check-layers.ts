import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { squaredNorms } from '../../../src/network/backward.js';
import { unfold } from '../../../src/network/graph.js';
import type { Operation } from '../../../src/network/layers/operation.js';
import { layerTable } from '../../../src/network/layers/table.js';
import { planSteps, record } from '../../../src/network/tape.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { lcg } from '../../measure/golden-network.js';
import { checkScalarProducts } from './check-scalar-products.js';
import { checkSensitivities } from './check-sensitivity.js';
import { checkSquaredGradients } from './check-squared-gradients.js';
import type { Plain, PlainLayer } from './plain-layers.js';

const SAMPLES = 3;
const COLUMNS = 2;

/** A layer by its class and arguments, on inputs of these shapes; `integer` inputs run from 0 to that number. */
export interface LayerCase {
  readonly name: string;
  readonly layer: () => tfl.layers.Layer;
  readonly shapes: number[][];
  readonly integer?: number;
  /** The layer in plain loops: gradients are then differences of these in float64, and tf.js has no say in them. */
  readonly plain?: PlainLayer;
  /** Backends on which tf.js computes the layer's output wrong: only the plain loops judge there. */
  readonly wrongInTfjs?: readonly string[];
  /** Backends on which tf.js lacks a kernel that the layer, or the reference gradient of one without plain loops, needs. */
  readonly notOn?: readonly string[];
  /** The layer is called on each of two inputs, and its outputs are added. */
  readonly twice?: boolean;
  /** The case is checked once more with the layer called twice; for that, it needs plain loops. */
  readonly alsoTwice?: boolean;
}

/** One image of 6 x 5 pixels with two channels. */
export const image = [[6, 5, 2]];

/** One layer, called once. */
export function one(
  name: string,
  layer: () => tfl.layers.Layer,
  shapes: number[][],
  more: Omit<LayerCase, 'name' | 'layer' | 'shapes' | 'twice'> = {},
): LayerCase {
  return { name, layer, shapes, ...more };
}

const { layers } = tfl;

/** The operations that a layer is taken apart into, on inputs of these shapes. */
export function operationsOf(layer: tfl.layers.Layer, ...shapes: number[][]): Operation[] {
  const inputs = shapes.map((shape) => tfl.input({ shape }));
  const outputs = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as tfl.SymbolicTensor;
  return unfold(tfl.model({ inputs, outputs })).steps.map(({ operation }) => operation);
}

/** What each of them says of itself: its name, what it does to scales, and the roles of its weights. */
export function traitsOf(layer: tfl.layers.Layer, ...shapes: number[][]): string[] {
  return operationsOf(layer, ...shapes).map(({ description, scale, parameters }) =>
    [description, typeof scale === 'string' ? scale : 'named', ...parameters.map(({ role }) => role)].join(', '),
  );
}

/**
 * The layer above one dense layer an input, so that deltas have to pass through it, against gradients that tf.js takes for
 * one sample and one column at a time.
 */
async function check(
  className: string,
  { layer: make, shapes, integer, plain: plainLayer, twice, wrongInTfjs }: LayerCase,
): Promise<void> {
  const below = integer === undefined;
  const inputs = shapes.map((shape) => tfl.input({ shape }));
  const trunk = inputs.map((x, i) => (below ? affineBelow(x, `below${i}`) : x));
  const layer = make();
  expect(layer.getClassName()).toBe(className);
  const output = twice
    ? (layers.add().apply(trunk.map((x) => layer.apply(x) as tfl.SymbolicTensor)) as tfl.SymbolicTensor)
    : (layer.apply(trunk.length === 1 ? trunk[0] : trunk) as tfl.SymbolicTensor);
  const model = tfl.model({ inputs, outputs: output });
  // The same numbers in every run: some would stand too near to a kink for float32.
  layer.weights.forEach((weight, i) => {
    const isVariance = weight.originalName.endsWith('moving_variance');
    const shape = weight.shape as number[];
    const u = lcg(
      20 + i,
      shape.reduce((a, b) => a * b, 1),
    );
    tf.tidy(() => {
      weight.write(
        tf.tensor(
          u.map((v) => (isVariance ? 0.5 + v : 1.4 * v - 0.7)),
          shape,
        ),
      );
    });
  });
  const xs = shapes.map((shape, i) =>
    tf.tidy(() => {
      const x = tf.randomUniform([SAMPLES, ...shape], integer ? 0 : -1, integer ?? 1, 'float32', 5 + i);
      return integer ? tf.floor(x) : x;
    }),
  );
  // What the model says of its shape is not always what it computes.
  const [, ...outputShape] = tf.tidy(() => (model.predict(xs) as tf.Tensor).shape);
  const delta = tf.randomNormal([SAMPLES * COLUMNS, ...outputShape], 0, 1, 'float32', 9);
  const before = tf.memory().numTensors;

  const graph = unfold(model);
  const plan = planSteps(graph);
  const gauge = memoryGauge();
  const tape = record(graph, plan, xs, gauge);
  const outputs = tape.outputs[0].dataSync();
  const norms = squaredNorms(graph, plan, tape, new Map([[0, delta.clone()]]), COLUMNS, gauge);
  const found = new Map([...norms].map(([parameter, norm]) => [parameter.name, [...norm.dataSync()]]));
  tf.dispose([...norms.values()]);
  const column = tf.slice(delta, 0, SAMPLES);
  checkScalarProducts(graph, plan, tape, column);
  checkSquaredGradients(graph, xs, column);
  tf.dispose(column);
  tape.dispose();
  expect(tf.memory().numTensors).toBe(before);

  // The same function as the model's.
  if (!wrongInTfjs?.includes(tf.getBackend())) {
    const predicted = tf.tidy(() => (model.predict(xs) as tf.Tensor).dataSync());
    expect(outputs.length).toBe(predicted.length);
    for (const [i, y] of predicted.entries()) {
      expect(Math.abs(outputs[i]! - y)).toBeLessThan(1e-5 * Math.max(1, Math.abs(y)));
    }
  }

  const weights = model.trainableWeights;
  expect([...found.keys()].sort()).toEqual(weights.map((weight) => weight.originalName).sort());
  for (let n = 0; n < SAMPLES; n++) {
    const expected = plainLayer
      ? normsFromDifferences(plainLayer, layer, model, xs, delta, n, outputs)
      : normsFromTfjs(model, xs, delta, n);
    for (const [name, value] of expected) {
      const actual = found.get(name)?.[n] as number;
      expect(Math.abs(actual - value), `${name}, sample ${n}: ${actual} for ${value}`).toBeLessThan(
        1e-4 * value + 1e-6,
      );
    }
  }
  checkSensitivities(graph, xs);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose([...xs, delta]);
  model.dispose();
}

/** Batch normalization, which tf.js has for tensors of up to four axes. */
function affineBelow(x: tfl.SymbolicTensor, name: string): tfl.SymbolicTensor {
  const through = (y: tfl.SymbolicTensor, layer: tfl.layers.Layer) => layer.apply(y) as tfl.SymbolicTensor;
  const shape = x.shape.slice(1) as number[];
  // What follows gets a shape of its own: some layers of tf.js write into the shape of their input.
  if (shape.length < 4) {
    return through(through(x, layers.batchNormalization({ name })), layers.reshape({ targetShape: shape }));
  }
  const channels = shape[shape.length - 1]!;
  const flat = through(x, layers.reshape({ targetShape: [shape.reduce((a, b) => a * b) / channels, channels] }));
  return through(through(flat, layers.batchNormalization({ name })), layers.reshape({ targetShape: shape }));
}

/** Squared gradient norms of one sample, from the gradients that tf.js takes for one column at a time. */
function normsFromTfjs(model: tfl.LayersModel, xs: tf.Tensor[], delta: tf.Tensor, n: number): Map<string, number> {
  const expected = new Map<string, number>();
  for (let r = 0; r < COLUMNS; r++) {
    tf.tidy(() => {
      const loss = () => {
        const sample = xs.map((x) => tf.slice(x, n, 1));
        const z = model.apply(sample) as tf.Tensor;
        return tf.sum(tf.mul(z, tf.slice(delta, r * SAMPLES + n, 1))) as tf.Scalar;
      };
      const weights = model.trainableWeights;
      const { grads } = tf.variableGrads(
        loss,
        weights.map((weight) => (weight as unknown as { val: tf.Variable }).val),
      );
      for (const weight of weights) {
        const gradient = grads[(weight as unknown as { val: tf.Variable }).val.name];
        const square = gradient ? tf.sum(tf.square(gradient)).dataSync()[0] : 0;
        expected.set(weight.originalName, (expected.get(weight.originalName) ?? 0) + square);
      }
    });
  }
  return expected;
}

/** Squared gradient norms of one sample, from central differences of the layer in plain loops. */
function normsFromDifferences(
  plainLayer: PlainLayer,
  layer: tfl.layers.Layer,
  model: tfl.LayersModel,
  xs: tf.Tensor[],
  delta: tf.Tensor,
  n: number,
  outputs: ArrayLike<number>,
): Map<string, number> {
  const values = new Map(
    model.weights.map((weight): [string, Plain] => [
      weight.originalName,
      { shape: weight.shape as number[], data: Float64Array.from(weight.read().dataSync()) },
    ]),
  );
  const own = Object.fromEntries(
    layer.weights.map(({ originalName }) => [
      originalName.slice(originalName.lastIndexOf('/') + 1),
      values.get(originalName)!,
    ]),
  );
  const samples = xs.map((x): Plain => {
    const length = x.size / SAMPLES;
    return { shape: x.shape.slice(1), data: Float64Array.from(x.dataSync().subarray(n * length, (n + 1) * length)) };
  });
  const evaluate = () => {
    const trunk = samples.map((x, i): Plain => {
      const [gamma, beta] = ['gamma', 'beta'].map((name) => values.get(`below${i}/${name}`));
      if (!gamma || !beta) {
        return x;
      }
      const channels = gamma.data.length;
      const data = x.data.map((v, j) => (v / Math.sqrt(1.001)) * gamma.data[j % channels]! + beta.data[j % channels]!);
      return { shape: x.shape, data };
    });
    return plainLayer(trunk, own, layer).data;
  };
  const size = outputs.length / SAMPLES;
  const unmoved = evaluate();
  expect(unmoved.length).toBe(size);
  unmoved.forEach((y, i) => {
    expect(Math.abs(outputs[n * size + i]! - y)).toBeLessThan(1e-5 * Math.max(1, Math.abs(y)));
  });
  const deltas = delta.dataSync();
  const h = 1e-6;
  return new Map(
    model.trainableWeights.map(({ originalName }) => {
      const { data } = values.get(originalName)!;
      let square = 0;
      for (let i = 0; i < data.length; i++) {
        const value = data[i]!;
        data[i] = value + h;
        const above = evaluate();
        data[i] = value - h;
        const below = evaluate();
        data[i] = value;
        for (let r = 0; r < COLUMNS; r++) {
          let gradient = 0;
          for (let k = 0; k < size; k++) {
            gradient += deltas[(r * SAMPLES + n) * size + k]! * (above[k]! - below[k]!);
          }
          square += (gradient / (2 * h)) ** 2;
        }
      }
      return [originalName, square];
    }),
  );
}

/** The layer on each of two inputs: the gradients of the calls add up before they are squared. */
function calledTwice(each: LayerCase): LayerCase {
  return {
    ...each,
    name: `${each.name}, called twice`,
    shapes: [each.shapes[0]!, each.shapes[0]!],
    plain: (inputs, weights, layer) => {
      const [first, second] = inputs.map((x) => each.plain!([x], weights, layer)) as [Plain, Plain];
      return { shape: first.shape, data: first.data.map((v, i) => v + second.data[i]!) };
    },
    twice: true,
  };
}

/**
 * Tests that layers pass deltas on, and leave the squared gradient norms of their weights, as their functions say.
 *
 * @param casesOf the cases of each layer class, by its name in tf.js.
 */
export function checkLayers(casesOf: Readonly<Record<string, readonly LayerCase[]>>): void {
  describe('deltas, squared gradient norms and sensitivities of each layer', () => {
    for (const [className, cases] of Object.entries(casesOf)) {
      const lacking = layerTable[className]!.wasm ? [] : ['wasm'];
      for (const each of [...cases, ...cases.filter(({ alsoTwice }) => alsoTwice).map(calledTwice)]) {
        const skipped = [...lacking, ...(each.notOn ?? [])].includes(tf.getBackend());
        it.skipIf(skipped)(each.name, () => check(className, each));
      }
    }
  });
}
