import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { type Graph, trainedParameters, unfold } from '../../../src/network/graph.js';
import type { Head } from '../../../src/network/heads.js';
import { outputHessians } from '../../../src/network/output-hessian.js';
import { traceKernel } from '../../../src/traces/exact.js';
import { closedForm, closedFormOperations } from '../../../src/traces/pairs/closed-form.js';
import { pairSizing } from '../../../src/traces/pairs/pair-sizes.js';
import { sizeBatch } from '../../../src/traces/pairs/sized-batch.js';
import { setGoldenWeights } from '../../measure/golden-network.js';
import { oneHead } from '../../network/one-head.js';

afterEach(() => tf.disposeVariables());

const { dense } = tfl.layers;
const [head] = oneHead(outputHessians.softmaxCrossEntropy) as [Head];
const BUDGET = 2 ** 26;

/** For each head the layer whose blocks are known in closed form. */
function layersOf(graph: Graph, heads: readonly Head[]): (string | undefined)[] {
  return closedFormOperations(graph, heads).map((operation) => operation?.layer.name);
}

/** A layer, and what follows it up to the outputs. */
function network(end: (hidden: tfl.SymbolicTensor) => tfl.SymbolicTensor | tfl.SymbolicTensor[]): tfl.LayersModel {
  const inputs = tfl.input({ shape: [4] });
  const hidden = dense({ units: 4, activation: 'relu', name: 'first' }).apply(inputs) as tfl.SymbolicTensor;
  return tfl.model({ inputs, outputs: end(hidden) });
}

const last = (name = 'last') => dense({ units: 3, name });

describe('closedFormOperations', () => {
  it('is the last dense layer of each head', () => {
    expect(layersOf(unfold(network((x) => last().apply(x) as tfl.SymbolicTensor)), [head])).toEqual(['last']);
    const two = network((x) => ['left', 'right'].map((name) => last(name).apply(x) as tfl.SymbolicTensor));
    expect(layersOf(unfold(two), [head, { ...head, output: 1 }])).toEqual(['left', 'right']);
  });

  it.each<[string, () => tfl.LayersModel]>([
    [
      'something stands behind it',
      () => network((x) => tfl.layers.reLU().apply(last().apply(x)) as tfl.SymbolicTensor),
    ],
    [
      'it is called twice',
      () =>
        network((x) => {
          const shared = dense({ units: 4 });
          return shared.apply(shared.apply(x)) as tfl.SymbolicTensor;
        }),
    ],
    [
      'something else reads it',
      () =>
        network((x) => {
          const z = last().apply(x) as tfl.SymbolicTensor;
          return [z, tfl.layers.reLU().apply(z) as tfl.SymbolicTensor];
        }),
    ],
    ['it is frozen', () => network((x) => dense({ units: 3, trainable: false }).apply(x) as tfl.SymbolicTensor)],
  ])('is none where %s', (_why, make) => {
    expect(layersOf(unfold(make()), [head])).toEqual([undefined]);
  });

  it('is none where the output has positions', () => {
    const model = tfl.sequential({ layers: [dense({ units: 3, inputShape: [2, 4] })] });
    expect(layersOf(unfold(model), [{ ...head, hasPositions: true }])).toEqual([undefined]);
  });
});

describe('closedForm', () => {
  it.each([true, false])(
    'adds up what the exact kernel finds, sample by sample where it is a part: %s',
    async (part) => {
      const model = network((x) => last().apply(x) as tfl.SymbolicTensor);
      setGoldenWeights(model, 5);
      const graph = unfold(model);
      const sizing = pairSizing(graph, [head], BUDGET);
      const parameters = trainedParameters(graph);
      const known = closedForm(sizing.closed, parameters, part);
      const batches = [tf.randomNormal([3, 4], 0, 1, 'float32', 1), tf.randomNormal([4, 4], 0, 1, 'float32', 2)];
      const exact = parameters.map((): number[] => []);
      for (const x of batches) {
        known.add(await sizeBatch(sizing, [x], async () => {}));
        for await (const { norms } of traceKernel(graph, [head], BUDGET).traces([x])) {
          norms.forEach((ofSamples, b) => {
            exact[b]!.push(...ofSamples);
          });
        }
      }
      expect(parameters.map(({ name }) => name)).toEqual(['first/kernel', 'first/bias', 'last/kernel', 'last/bias']);
      expect(known.sums.slice(0, 2)).toEqual([null, null]);
      expect(known.ofSamples.map(({ length }) => length)).toEqual(part ? [0, 0, 7, 7] : [0, 0, 0, 0]);
      for (const b of [2, 3]) {
        const sum = exact[b]!.reduce((total, norm) => total + norm, 0);
        expect(Math.abs(known.sums[b]! / sum - 1)).toBeLessThan(1e-5);
        known.ofSamples[b]!.forEach((norm, n) => {
          expect(Math.abs(norm / exact[b]![n]! - 1)).toBeLessThan(1e-5);
        });
      }
      sizing.dispose();
      tf.dispose(batches);
    },
  );
});
