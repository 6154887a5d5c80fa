import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { pairKernel } from '../../../src/traces/pairs/pair-kernel.js';
import { pairGrams } from '../../../src/traces/spectrum/pair-grams.js';
import { oneHead } from '../../network/one-head.js';

const SAMPLES = 9;
const COLUMNS = 3;
const noPause = async () => {};

function network() {
  const { layers, initializers } = tfl;
  const dense = (units: number, seed: number, more: object = {}) =>
    layers.dense({ units, kernelInitializer: initializers.heNormal({ seed }), ...more });
  const model = tfl.sequential({
    layers: [dense(5, 1, { activation: 'relu', inputShape: [4] }), dense(COLUMNS + 1, 2)],
  });
  const x = tf.randomNormal([SAMPLES, 4], 0, 1, 'float32', 3);
  const rowsOf = (places: readonly number[]) => ({
    inputs: [
      tf.tidy(() =>
        tf.gather(
          x,
          tf.tensor1d(
            places.map((place) => Math.floor(place / COLUMNS)),
            'int32',
          ),
        ),
      ),
    ],
    columns: places.map((place) => place % COLUMNS),
  });
  return { model, x, graph: unfold(model), rowsOf };
}

it('has the squared norms of the kernel on its diagonal, and is the same in groups', async () => {
  const { model, x, graph, rowsOf } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const pairs = SAMPLES * COLUMNS;
  const { numTensors } = tf.memory();
  const whole = await pairGrams(graph, heads, 2 ** 30, pairs, rowsOf, noPause);
  let passes = 0;
  const inGroups = await pairGrams(graph, heads, 12_000, pairs, rowsOf, async () => {
    passes++;
  });
  expect(passes).toBeGreaterThan(3);
  expect(tf.memory().numTensors).toBe(numTensors);
  const kernel = pairKernel(graph, heads, 2 ** 30);
  const norms: number[][] = kernel.parameters.map(() => []);
  const range = (begin: number, count: number) => rowsOf(Array.from({ length: count }, (_, i) => begin + i));
  for await (const chunk of kernel.traces(pairs, [[4]], range)) {
    chunk.forEach((ofBlock, b) => {
      norms[b]!.push(...ofBlock);
    });
  }
  expect(whole.parameters.map(({ name }) => name)).toEqual(kernel.parameters.map(({ name }) => name));
  for (const { products, units } of [whole, inGroups]) {
    products.forEach((ofBlock, b) => {
      for (let i = 0; i < pairs; i++) {
        const norm = units[i]! ** 2 * ofBlock[i * pairs + i]!;
        expect(Math.abs(norm - norms[b]![i]!)).toBeLessThan(1e-5 * norms[b]![i]! + 1e-12);
        for (let j = 0; j < pairs; j++) {
          expect(ofBlock[i * pairs + j]!).toBeCloseTo(whole.products[b]![i * pairs + j]!, 4);
        }
      }
    });
  }
  model.dispose();
  x.dispose();
});

it('holds gradients far below the range of their squares', async () => {
  const { model, x, graph, rowsOf } = network();
  const heads = oneHead(outputHessians.softmaxCrossEntropy);
  const last = model.layers[1]!;
  const [kernel, bias] = last.getWeights() as [tf.Tensor, tf.Tensor];
  const before = await pairGrams(graph, heads, 2 ** 30, 6, rowsOf, noPause);
  const sure = tf.tidy(() => tf.keep(tf.add(bias, [120, 0, 0, 0])));
  last.setWeights([kernel, sure]);
  const after = await pairGrams(graph, heads, 2 ** 30, 6, rowsOf, noPause);
  expect(Math.max(...after.units)).toBeLessThan(1e-20);
  expect(Math.min(...after.units)).toBeGreaterThan(0);
  after.products.forEach((ofBlock, b) => {
    expect(Math.max(...ofBlock)).toBeGreaterThan(0.01 * Math.max(...before.products[b]!));
  });
  sure.dispose();
  model.dispose();
  x.dispose();
});

it('says in one line where two pairs do not fit, leaves nothing behind, and knows no products without a head', async () => {
  const { model, x, graph, rowsOf } = network();
  const { numTensors } = tf.memory();
  await expect(pairGrams(graph, oneHead(outputHessians.softmaxCrossEntropy), 20, 6, rowsOf, noPause)).rejects.toThrow(
    /^memoryMB: .* is too small: .* Raise memoryMB\.$/,
  );
  const stop = async () => {
    throw new Error('enough');
  };
  await expect(pairGrams(graph, oneHead(outputHessians.softmaxCrossEntropy), 2 ** 30, 6, rowsOf, stop)).rejects.toThrow(
    'enough',
  );
  const flat = await pairGrams(graph, [], 2 ** 30, 6, rowsOf, noPause);
  expect(flat.products.every((ofBlock) => ofBlock.every((product) => product === 0))).toBe(true);
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
  x.dispose();
});
