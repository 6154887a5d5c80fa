import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  type Graph,
  parametersOf,
  productsOfRow,
  reaching,
  trainedParameters,
  unfold,
} from '../../src/network/graph.js';
import { generic, measuredAsWhole } from '../../src/network/layers/generic.js';
import type { LayerRule } from '../../src/network/layers/rule.js';
import { registerLayerRule } from '../../src/network/layers/table.js';

const { layers } = tfl;
const symbolic = (layer: tfl.layers.Layer, ...inputs: tfl.SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? inputs[0] : inputs) as tfl.SymbolicTensor;

/** Two dense layers inside of one: tf.js gives their weights the same names. */
class Pair extends layers.Layer {
  static className = 'Pair';
  readonly inside = [1, 2].map((seed) =>
    layers.dense({ units: 3, kernelInitializer: tfl.initializers.glorotNormal({ seed }), useBias: seed === 1 }),
  );
  override build(shape: tfl.Shape): void {
    for (const layer of this.inside) {
      layer.build(shape);
    }
    this._trainableWeights = this.inside.flatMap(({ weights }) => weights);
    this.built = true;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    return this.inside.reduce((y, layer) => layer.apply(y) as tf.Tensor, x);
  }
}

/** Makes a model of a pair that has this rule. */
const pairBy = (rule: LayerRule) => () => {
  registerLayerRule('Pair', rule);
  return tfl.sequential({ layers: [new Pair({ name: 'pair', inputShape: [3] })] });
};

/** Steps as text: `layer(inputs) -> output`. */
function listing(graph: Graph): string[] {
  return graph.steps.map(({ operation, inputs, output }) => `${operation.description}(${inputs.join()}) -> ${output}`);
}

describe('unfold', () => {
  it('takes activations apart from their layers and drops what does nothing in inference', () => {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 3, activation: 'relu', inputShape: [4] }),
        layers.dropout({ rate: 0.5 }),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
    });
    const graph = unfold(model);
    expect(listing(graph)).toEqual([
      'Dense(0) -> 1',
      'relu activation(1) -> 2',
      'Dense(2) -> 3',
      'softmax activation(3) -> 4',
    ]);
    expect(graph.outputs).toEqual([4]);
  });

  it('unfolds nested models, each call of them anew, with the same operations', () => {
    const inner = tfl.sequential({ layers: [layers.dense({ units: 4, inputShape: [4] })] });
    const x = tfl.input({ shape: [4] });
    const once = symbolic(inner as unknown as tfl.layers.Layer, x);
    const twice = symbolic(inner as unknown as tfl.layers.Layer, once);
    const graph = unfold(tfl.model({ inputs: x, outputs: symbolic(layers.add(), once, twice) }));
    expect(listing(graph)).toEqual(['Dense(0) -> 1', 'Dense(1) -> 2', 'Add(1,2) -> 3']);
    expect(graph.steps[0].operation).toBe(graph.steps[1].operation);
    expect(parametersOf(graph).map(({ name }) => name)).toEqual(inner.trainableWeights.map((w) => w.originalName));
  });

  it('keeps the order of several inputs', () => {
    const [a, b] = [tfl.input({ shape: [2] }), tfl.input({ shape: [3] })];
    const outputs = symbolic(layers.concatenate(), symbolic(layers.dense({ units: 1 }), b), a);
    expect(listing(unfold(tfl.model({ inputs: [a, b], outputs })))).toEqual(['Dense(1) -> 2', 'Concatenate(2,0) -> 3']);
  });

  it('marks frozen weights, and moving statistics as weights that training leaves alone', () => {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [4], name: 'frozen', trainable: false }),
        layers.batchNormalization({ name: 'bn' }),
      ],
    });
    const trainable = Object.fromEntries(parametersOf(unfold(model)).map((each) => [each.name, each.trainable]));
    expect(trainable).toEqual({ 'frozen/kernel': false, 'frozen/bias': false, 'bn/gamma': true, 'bn/beta': true });
  });

  it('names the trained weights, each once, in the order of the steps', () => {
    const x = tfl.input({ shape: [4] });
    const shared = layers.dense({ units: 4, name: 'shared' });
    const frozen = symbolic(layers.dense({ units: 4, name: 'still', trainable: false }), symbolic(shared, x));
    const outputs = symbolic(layers.batchNormalization({ name: 'norm' }), symbolic(shared, frozen));
    expect(trainedParameters(unfold(tfl.model({ inputs: x, outputs }))).map(({ name }) => name)).toEqual([
      'shared/kernel',
      'shared/bias',
      'norm/gamma',
      'norm/beta',
    ]);
  });

  it('keeps every output, and drops what no output needs', () => {
    const x = tfl.input({ shape: [2] });
    const hidden = symbolic(layers.dense({ units: 2 }), x);
    const outputs = [symbolic(layers.dense({ units: 1 }), hidden), symbolic(layers.reLU(), hidden)];
    const graph = unfold(tfl.model({ inputs: x, outputs }));
    expect(listing(graph)).toEqual(['Dense(0) -> 1', 'Dense(1) -> 2', 'relu activation(1) -> 3']);
    expect(graph.outputs).toEqual([2, 3]);
    expect(listing(reaching(graph, [3]))).toEqual(['Dense(0) -> 1', 'relu activation(1) -> 3']);
  });

  it('hands masks to the layers that use them, through those that pass them on', () => {
    const embedding = layers.embedding({ inputDim: 3, outputDim: 2, maskZero: true, inputLength: 3 });
    const lstm = layers.lstm({ units: 2, recurrentInitializer: 'zeros', returnSequences: true });
    const model = tfl.sequential({ layers: [embedding, layers.dropout({ rate: 0.5 }), lstm, layers.flatten()] });
    const graph = unfold(model);
    expect(listing(graph)).toEqual([
      'tokens of Embedding(0) -> 1',
      'Embedding(1) -> 2',
      'mask of Embedding(0) -> 3',
      'input of LSTM(2) -> 4',
      'LSTM(4) -> 5',
      'Flatten(5) -> 7',
    ]);
    expect(graph.steps.map(({ mask }) => mask)).toEqual([undefined, undefined, undefined, undefined, 3, undefined]);
  });

  class Split extends layers.Layer {
    static className = 'Split';
    override computeOutputShape(): tfl.Shape[] {
      return [
        [null, 1],
        [null, 1],
      ];
    }
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
      return tf.split(Array.isArray(inputs) ? inputs[0] : inputs, 2, 1);
    }
  }

  it.each([
    [
      'state',
      () =>
        tfl.sequential({
          layers: [
            layers.simpleRNN({
              units: 2,
              stateful: true,
              batchInputShape: [1, 3, 2],
              name: 'memory',
              recurrentInitializer: 'zeros',
            }),
          ],
        }),
      /'memory' \(SimpleRNN\) is stateful/,
    ],
    [
      'a weight of two layers',
      () => {
        const first = layers.dense({ units: 2, inputShape: [2], useBias: false, name: 'first' });
        const second = layers.dense({ units: 2, useBias: false, name: 'second' });
        const model = tfl.sequential({ layers: [first, second] });
        type WithKernel = { kernel: tfl.LayerVariable };
        (second as unknown as WithKernel).kernel = (first as unknown as WithKernel).kernel;
        return model;
      },
      /'first' and 'second' \(Dense\): call one layer twice/,
    ],
    [
      'a layer alone and at every time step',
      () => {
        const layer = layers.dense({ units: 2, name: 'both' });
        const x = tfl.input({ shape: [3, 2] });
        return tfl.model({ inputs: x, outputs: symbolic(layers.timeDistributed({ layer }), symbolic(layer, x)) });
      },
      /is used by two layers, 'both' and 'time_distributed/,
    ],
    [
      'several outputs of a layer with a rule',
      () => {
        registerLayerRule('Split', (layer, parameter) =>
          generic(layer, parameter).map((operation) => ({ ...operation, packsOutputs: false })),
        );
        const x = tfl.input({ shape: [2] });
        return tfl.model({ inputs: x, outputs: (new Split({ name: 'halves' }).apply(x) as tfl.SymbolicTensor[])[0] });
      },
      /'halves' \(Split\) has 2 outputs, and its rule knows one/,
    ],
    [
      'a weight that a rule leaves out',
      pairBy(() => []),
      /'pair' \(Pair\) leaves out 'pair\/kernel', which is trained: add it/,
    ],
    [
      'something that is no weight',
      pairBy((layer, parameter) => [measuredAsWhole(layer, 'pins', [parameter(layer as never, 'fixed')])]),
      /'pair' \(Pair\): the first argument of parameter must be a weight/,
    ],
    [
      'a place with a slip',
      pairBy((layer, parameter) => [
        measuredAsWhole(layer, {}, [parameter(layer.weights[0]!, 'kernel', { form: 'x' } as object)]),
      ]),
      /'pair\/kernel' between scales: there is no option 'form', only from, to/,
    ],
    [
      'names for more inputs than there are',
      pairBy((layer, parameter) => [
        measuredAsWhole(
          layer,
          { inputs: ['a', 'b'] },
          layer.weights.map((weight) => parameter(weight, 'fixed')),
        ),
      ]),
      /'pair' \(Pair\): scale names 2 inputs, but there is 1\.$/,
    ],
  ])('refuses %s in one line that names it', (_, model, message) => {
    expect(() => unfold(model())).toThrow(message);
    expect(() => unfold(model())).not.toThrow(/\n/);
  });
});

it('several weights of one name get a number, and a place between scales', () => {
  const model = pairBy((layer, parameter) => {
    const [first, second] = (layer as Pair).inside.map(({ weights }) => weights);
    const scale = { inputs: ['input'], output: 'output' };
    const parameters = [
      parameter(first![0]!, 'kernel', { from: 'input', to: 'between' }),
      parameter(first![1]!, 'bias', { to: 'between' }),
      parameter(second![0]!, 'kernel', { from: 'between', to: 'output' }),
    ];
    return [measuredAsWhole(layer, scale, parameters)];
  })();
  const found = parametersOf(unfold(model)).map(({ name, role, from, to }) => [name, role, from, to]);
  expect(found).toEqual([
    ['pair/kernel', 'kernel', 'input', 'between'],
    ['pair/bias', 'bias', undefined, 'between'],
    ['pair/kernel_1', 'kernel', 'between', 'output'],
  ]);
});

describe('productsOfRow', () => {
  it('counts every weight at every position of the output of its layer', () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [6, 5, 1] }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 3 }),
      ],
    });
    // 18 + 2 weights at 4 x 3 positions, and 24 x 3 + 3.
    expect(productsOfRow(unfold(model))).toBe(20 * 12 + 75);
    const open = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [null, 2] })] });
    expect(productsOfRow(unfold(open))).toBe(Number.POSITIVE_INFINITY);
    model.dispose();
    open.dispose();
  });
});
