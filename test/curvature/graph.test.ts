import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type Graph, parametersOf, unfold } from '../../src/curvature/graph.js';

const { layers } = tfl;
const symbolic = (layer: tfl.layers.Layer, ...inputs: tfl.SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? inputs[0] : inputs) as tfl.SymbolicTensor;

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
      'a mask',
      () => tfl.sequential({ layers: [layers.masking({ inputShape: [3, 2], name: 'mask' })] }),
      /'mask' \(Masking\) masks positions/,
    ],
    [
      'an embedding with a mask',
      () =>
        tfl.sequential({
          layers: [layers.embedding({ inputDim: 3, outputDim: 2, maskZero: true, inputLength: 3, name: 'words' })],
        }),
      /'words' \(Embedding\) masks positions/,
    ],
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
      'several outputs of the model',
      () => {
        const x = tfl.input({ shape: [2] });
        return tfl.model({
          inputs: x,
          outputs: [symbolic(layers.dense({ units: 1 }), x), symbolic(layers.dense({ units: 1 }), x)],
        });
      },
      /The model has 2 outputs/,
    ],
    [
      'several outputs of a layer',
      () => {
        const x = tfl.input({ shape: [2] });
        return tfl.model({ inputs: x, outputs: (new Split({ name: 'halves' }).apply(x) as tfl.SymbolicTensor[])[0] });
      },
      /'halves' \(Split\) has 2 outputs/,
    ],
  ])('refuses %s in one line that names it', (_, model, message) => {
    expect(() => unfold(model())).toThrow(message);
    expect(() => unfold(model())).not.toThrow(/\n/);
  });
});
