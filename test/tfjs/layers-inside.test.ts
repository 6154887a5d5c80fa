import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { layersInside } from '../../src/tfjs/layers-inside.js';

const { layers } = tfl;
const classes = (outer: object) => layersInside(outer).map((layer) => layer.getClassName());

it('finds the layers inside of wrappers, recurrent layers, stacked cells and models, each once', () => {
  expect(classes(layers.dense({ units: 1 }))).toEqual(['Dense']);
  expect(classes(layers.lstm({ units: 1 }) as tfl.layers.Layer)).toEqual(['LSTM', 'LSTMCell']);
  const cell = layers.gruCell({ units: 1 });
  const stacked = layers.rnn({
    cell: layers.stackedRNNCells({ cells: [cell, layers.simpleRNNCell({ units: 1 }), cell] }),
  });
  expect(classes(stacked as object)).toEqual(['RNN', 'StackedRNNCells', 'GRUCell', 'SimpleRNNCell']);
  const both = layers.bidirectional({ layer: layers.gru({ units: 1 }) as tfl.RNN });
  expect(classes(both).filter((name) => name === 'GRUCell').length).toBeGreaterThanOrEqual(2);
  const chain = tfl.sequential({ layers: [layers.dense({ units: 1, inputShape: [2] }), layers.reLU()] });
  const outer = tfl.sequential({ layers: [layers.timeDistributed({ layer: chain, inputShape: [3, 2] } as never)] });
  expect(classes(outer)).toEqual(expect.arrayContaining(['TimeDistributed', 'Sequential', 'Dense', 'ReLU']));
});

it("is not misled by a field of the user's that holds something else", () => {
  class Own extends tfl.layers.Layer {
    static readonly className = 'Own';
    readonly layers = 3;
    readonly layer = null;
    readonly cells = ['a', undefined];
    readonly cell = this;
  }
  expect(classes(new Own({}))).toEqual(['Own']);
});
