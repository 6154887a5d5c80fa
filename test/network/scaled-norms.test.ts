import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { squaredNorms } from '../../src/network/backward.js';
import { trainedParameters, unfold } from '../../src/network/graph.js';
import { largestWeights, scalingNorms } from '../../src/network/scaled-norms.js';
import { planSteps, record } from '../../src/network/tape.js';
import { atOnce } from '../../src/network/walk.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';

const COLUMNS = 2;
const SAMPLES = 3;
const { layers } = tfl;

const networks: Record<string, () => tfl.layers.Layer[]> = {
  dense: () => [
    layers.dense({ units: 4, activation: 'relu', inputShape: [5] }),
    layers.dense({ units: 3, useBias: false }),
  ],
  convolutions: () => [
    layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [4, 4, 2], activation: 'tanh', useBias: false }),
    layers.depthwiseConv2d({ kernelSize: 2 }),
    layers.batchNormalization(),
    layers.flatten(),
  ],
  'steps of a sequence': () => [
    layers.timeDistributed({ layer: layers.dense({ units: 4, useBias: false }), inputShape: [5, 2] } as never),
    layers.prelu({ alphaInitializer: 'randomUniform' }),
    layers.lstm({ units: 3, recurrentInitializer: 'glorotNormal' }),
  ],
};

it.each(Object.keys(networks))('are the norms of deltas far out of the range of float32: %s', async (name) => {
  const model = tfl.sequential({ layers: networks[name]!() });
  const graph = unfold(model);
  const plan = planSteps(graph);
  const x = tf.randomNormal([SAMPLES, ...(model.inputs[0]!.shape.slice(1) as number[])], 0, 1, 'float32', 1);
  const outputs = model.outputs[0]!.shape.slice(1) as number[];
  const delta = tf.randomNormal([COLUMNS * SAMPLES, ...outputs], 0, 1, 'float32', 2);
  const weights = await largestWeights(plan);
  const before = tf.memory().numTensors;
  const gauge = memoryGauge();
  const tape = record(graph, plan, [x], gauge);
  const plain = squaredNorms(graph, plan, tape, new Map([[0, delta.clone()]]), COLUMNS, gauge);
  for (const travelling of [100, 0, -60]) {
    const exponent = tf.tensor1d([300, 0, -1000]);
    const deltas = new Map([[0, { tensor: delta.clone(), exponent }]]);
    const magnitudes = { travelling, squared: 10 };
    const found = atOnce(scalingNorms(graph, plan, tape, deltas, COLUMNS, gauge, weights, magnitudes));
    for (const parameter of trainedParameters(graph)) {
      const expected = plain.get(parameter)!.dataSync();
      const norm = found.get(parameter)!;
      const exponents = norm.exponent.dataSync();
      norm.tensor.dataSync().forEach((mantissa, n) => {
        const value = mantissa * 2 ** (exponents[n]! - 2 * [300, 0, -1000][n]!);
        expect(Math.abs(value - expected[n]!), parameter.name).toBeLessThanOrEqual(1e-4 * expected[n]!);
      });
    }
    tf.dispose([...found.values()]);
  }
  tf.dispose([...plain.values()]);
  tape.dispose();
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose([x, delta]);
  model.dispose();
});

it('largestWeights tells kernels from biases', async () => {
  const model = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [2] })] });
  model.setWeights([tf.tensor2d([1, -3, 1e-40, 0], [2, 2]), tf.tensor1d([0, -1e-41])]);
  const [found] = [...(await largestWeights(planSteps(unfold(model)))).values()];
  expect(found!.kernel).toBe(3);
  expect(found!.bias).toBe(Math.fround(1e-41));
  model.dispose();
});
