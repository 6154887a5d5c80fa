import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { trainedParameters, unfold } from '../../../src/network/graph.js';
import { planSteps, record } from '../../../src/network/tape.js';
import { atOnce } from '../../../src/network/walk.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { variableOf } from '../../../src/tfjs/weights.js';
import { holdPieces } from '../../../src/traces/hutchinson/held-pieces.js';
import { gradientAbove, rememberInputs } from '../../../src/traces/hutchinson/weight-gradients.js';
import { lcg, setGoldenWeights } from '../../measure/golden-network.js';

afterEach(() => tf.disposeVariables());

const { layers } = tfl;
type Build = () => tfl.layers.Layer[];

const image = { inputShape: [7, 6, 2] };

/** Networks whose gradients tf.js finds itself, on the cpu and native backends. */
const networks: Record<string, Build> = {
  'dense layers': () => [
    layers.dense({ units: 5, activation: 'tanh', inputShape: [4] }),
    layers.dense({ units: 4, activation: 'relu', useBias: false }),
  ],
  'dense at positions': () => [
    layers.dense({ units: 5, activation: 'sigmoid', inputShape: [3, 4] }),
    layers.globalAveragePooling1d({}),
  ],
  convolutions: () => [
    layers.conv2d({ filters: 3, kernelSize: [3, 2], strides: [2, 1], padding: 'same', activation: 'tanh', ...image }),
    layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 }),
  ],
  '1-d convolution': () => [layers.conv1d({ filters: 3, kernelSize: 2, activation: 'tanh', inputShape: [6, 2] })],
  'channels first': () => [
    layers.conv2d({
      filters: 3,
      kernelSize: 2,
      dataFormat: 'channelsFirst',
      activation: 'tanh',
      inputShape: [2, 5, 4],
    }),
  ],
  'depthwise and separable': () => [
    layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, activation: 'tanh', ...image }),
    layers.separableConv2d({ filters: 3, kernelSize: 2, activation: 'tanh' }),
  ],
  normalization: () => [
    layers.dense({ units: 5, inputShape: [4] }),
    layers.batchNormalization({}),
    layers.activation({ activation: 'tanh' }),
    layers.layerNormalization({}),
  ],
  pooling: () => [
    layers.conv2d({ filters: 3, kernelSize: 2, activation: 'relu', ...image }),
    layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    layers.averagePooling2d({ poolSize: 2 }),
  ],
  'time distributed': () => [
    layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'tanh' }), inputShape: [4, 3] }),
  ],
  recurrent: () => [layers.lstm({ units: 3, recurrentInitializer: 'glorotUniform', inputShape: [4, 2] })],
};

/** What tf.js needs a kernel for that wasm lacks. */
const beyondWasm = ['convolutions', '1-d convolution', 'channels first', 'depthwise and separable', 'pooling'];

function network(build: Build): { model: tfl.LayersModel; x: tf.Tensor; r: tf.Tensor2D } {
  const model = tfl.sequential({ layers: build() });
  if (model.outputs[0]!.shape.length > 2) {
    model.add(layers.flatten());
  }
  model.add(layers.dense({ units: 3 }));
  setGoldenWeights(model, 5);
  const shape = [4, ...(model.inputs[0]!.shape.slice(1) as number[])];
  const size = shape.reduce((a, b) => a * b);
  const x = tf.tensor(
    lcg(9, size).map((u) => 2 * u - 1),
    shape,
  );
  return {
    model,
    x,
    r: tf.tensor2d(
      lcg(10, 12).map((u) => 2 * u - 1),
      [4, 3],
    ),
  };
}

/** The gradient of every weight, each with the network run from its layer on; `hold` takes the pieces of the same weights. */
function gradients(model: tfl.LayersModel, x: tf.Tensor, r: tf.Tensor2D, hold: boolean): Map<string, tf.Tensor> {
  const graph = rememberInputs(unfold(model));
  const gauge = memoryGauge();
  const tape = record(graph, planSteps(graph), [x], gauge);
  const used = hold ? holdPieces(graph, tape) : graph;
  try {
    return new Map(
      trainedParameters(graph).map((parameter) => [
        variableOf(parameter.variable).name,
        atOnce(gradientAbove(used, tape, parameter)(new Map([[0, r]]), gauge)),
      ]),
    );
  } finally {
    tape.dispose();
  }
}

function expectClose(found: tf.Tensor, expected: tf.Tensor, name: string): void {
  expect(found.shape, name).toEqual(expected.shape);
  const scale = Math.max(...expected.dataSync().map(Math.abs));
  const values = expected.dataSync();
  found.dataSync().forEach((value, i) => {
    expect(Math.abs(value - values[i]!), name).toBeLessThan(1e-5 * scale);
  });
}

describe('gradientAbove', () => {
  it.each(Object.entries(networks))('is the gradient that tf.js has: %s', (name, build) => {
    const { model, x, r } = network(build);
    const before = tf.memory().numTensors;
    const found = gradients(model, x, r, false);
    expect(tf.memory().numTensors).toBe(before + found.size);
    expect(found.size).toBe(model.trainableWeights.length);
    if (tf.getBackend() === 'wasm' && beyondWasm.includes(name)) {
      return;
    }
    const f = () => tf.sum(tf.mul(model.apply(x) as tf.Tensor, r)) as tf.Scalar;
    const { grads } = tf.variableGrads(f);
    for (const [variable, gradient] of found) {
      expectClose(gradient, grads[variable]!, variable);
    }
  });

  it.each(Object.entries(networks))('is the same along the pieces that the network stands on: %s', (_name, build) => {
    const { model, x, r } = network(build);
    const [free, held] = [gradients(model, x, r, false), gradients(model, x, r, true)];
    for (const [variable, gradient] of held) {
      expectClose(gradient, free.get(variable)!, variable);
    }
  });
});
