import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { pairWeighing } from '../../../src/traces/pairs/pair-weights.js';
import { oneHead } from '../../network/one-head.js';

const hessian = outputHessians.softmaxCrossEntropy;

function network(): tfl.LayersModel {
  const shared = tfl.layers.dense({ units: 5, activation: 'relu', name: 'shared' });
  const input = tfl.input({ shape: [5] });
  const twice = shared.apply(shared.apply(input)) as tfl.SymbolicTensor;
  const last = tfl.layers.dense({ units: 4, name: 'last' }).apply(twice) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: last });
}

async function weigh(model: tfl.LayersModel, x: tf.Tensor, budget = 2 ** 26) {
  const weighing = pairWeighing(unfold(model), oneHead(hessian), budget);
  const weights: number[] = [];
  const inputNorms: number[][] = weighing.calls.map(() => []);
  const sizes: number[] = [];
  for await (const chunk of weighing.weights([x])) {
    sizes.push(chunk.samples);
    weights.push(...chunk.weights);
    chunk.inputNorms.forEach((norms, call) => {
      inputNorms[call].push(...norms);
    });
  }
  return { weighing, weights, inputNorms, sizes };
}

const squares = (x: tf.Tensor) => tf.tidy(() => [...tf.sum(tf.square(x), 1).dataSync()]);

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-5 * Math.abs(expected[i]) + 1e-12);
  });
}

describe('pairWeighing', () => {
  it('gives the weight of every pair and the input norm of every call, whatever the chunks', async () => {
    const model = network();
    const x = tf.randomNormal([70, 5], 0, 1, 'float32', 3);
    const before = tf.memory().numTensors;
    const { weighing, weights, inputNorms, sizes } = await weigh(model, x);
    expect(sizes).toEqual([70]);
    expect(weighing.calls.map(({ layer }) => layer.name)).toEqual(['shared', 'shared', 'last']);
    const layers = [model.getLayer('shared'), model.getLayer('shared')];
    tf.tidy(() => {
      const activations = [x];
      for (const layer of layers) {
        activations.push(layer.apply(activations.at(-1) as tf.Tensor) as tf.Tensor);
      }
      inputNorms.forEach((norms, call) => {
        expectClose(norms, squares(activations[call]));
      });
      const z = model.predict(x) as tf.Tensor2D;
      const columns = hessian.factor(z, 0, 3);
      expectClose(weights, [...tf.transpose(tf.sum(tf.square(columns), 2)).dataSync()]);
    });
    const tight = await weigh(model, x, 2_000);
    expect(tight.sizes.length).toBeGreaterThan(10);
    expectClose(tight.weights, weights);
    expect(tf.memory().numTensors).toBe(before);
    await expect(weigh(model, x, 20)).rejects.toThrow(/^memoryMB: .* is too small/);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });

  it('records nothing for a backward pass: no derivatives, no masks of pooling', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1] }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 3 }),
      ],
    });
    const x = tf.randomNormal([2, 8, 8, 1]);
    const { kernels } = await tf.profile(async () => {
      await weigh(model, x);
      return tf.scalar(0);
    });
    const names = kernels.map(({ name }) => name);
    // Two trials of the memory it takes, and the pass.
    expect(names.filter((name) => name === 'MaxPool')).toHaveLength(3);
    expect(names).not.toContain('Step');
    expect(names).not.toContain('StridedSlice');
    x.dispose();
    model.dispose();
  });

  it('takes whole numbers for names, which have no norm', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 3 }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 3 }),
      ],
    });
    const x = tf.tensor2d(
      [
        [8, 1, 2],
        [0, 3, 8],
      ],
      [2, 3],
      'int32',
    );
    const { inputNorms } = await weigh(model, x);
    expect(inputNorms[0]).toEqual([0, 0]);
    expect(inputNorms[1][0]).toBeGreaterThan(0);
    x.dispose();
    model.dispose();
  });
});
