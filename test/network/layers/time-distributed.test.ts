import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

/** A model that is no chain. */
function branches(): tfl.layers.Layer {
  const x = tfl.input({ shape: [2] });
  const parts = [2, 3].map((units) => layers.dense({ units, activation: 'relu' }).apply(x) as tfl.SymbolicTensor);
  return tfl.model({ inputs: x, outputs: layers.concatenate().apply(parts) as tfl.SymbolicTensor }) as never;
}

checkLayers({
  TimeDistributed: [
    one('dense at every time step', () => layers.timeDistributed({ layer: layers.dense({ units: 3 }) }), [[4, 2]], {
      plain: plain.timeDistributed(plain.dense),
    }),
    one(
      'convolution at every time step',
      () => layers.timeDistributed({ layer: layers.conv2d({ filters: 2, kernelSize: 2, activation: 'relu' }) }),
      [[3, 3, 4, 2]],
      { plain: plain.timeDistributed(plain.convolution), alsoTwice: true },
    ),
    one(
      'separable convolution at every time step',
      () => layers.timeDistributed({ layer: layers.separableConv2d({ filters: 2, kernelSize: 2 }) }),
      [[3, 3, 4, 2]],
      { plain: plain.timeDistributed(plain.separableConvolution) },
    ),
    one(
      'layer normalization at every time step',
      () => layers.timeDistributed({ layer: layers.layerNormalization({}) }),
      [[4, 3]],
      {
        plain: plain.timeDistributed(plain.layerNormalization),
      },
    ),
    one(
      'LSTM at every time step',
      () => layers.timeDistributed({ layer: layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal' }) }),
      [[2, 3, 2]],
      { plain: plain.timeDistributed(plain.recurrent(plain.lstmCell, 2)) },
    ),
    one(
      'a model at every time step',
      () =>
        layers.timeDistributed({
          layer: tfl.sequential({
            layers: [layers.dense({ units: 2, inputShape: [3] })],
          }) as unknown as tfl.layers.Layer,
        }),
      [[4, 3]],
      { plain: plain.timeDistributed(plain.dense) },
    ),
    one('a chain at every time step', () => {
      const first = layers.dense({ units: 3, inputShape: [2], activation: 'tanh' });
      const chain = tfl.sequential({ layers: [first, layers.dense({ units: 3, activation: 'relu' })] });
      return layers.timeDistributed({ layer: chain as unknown as tfl.layers.Layer });
    }, [[4, 2]]),
    one('branches at every time step', () => layers.timeDistributed({ layer: branches() }), [[4, 2]]),
  ],
});

describe('a layer at every time step', () => {
  it('is taken apart as the layer inside, under the name of the wrapper', () => {
    const layer = layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'relu' }), name: 'every' });
    const operations = operationsOf(layer, [3, 2]);
    expect(operations.map((operation) => operation.layer.name)).toEqual(['every', 'every']);
    // Those are for vectors, which sequences are not.
    expect(operations[0]).not.toHaveProperty('byColumn');
    expect(operations[0]).not.toHaveProperty('squaredNormsOfVector');
    expect(traitsOf(layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'relu' }) }), [3, 2])).toEqual(
      ['TimeDistributed Dense, affine, kernel, bias', 'TimeDistributed relu activation, ties'],
    );
  });

  it('is taken apart layer by layer where it is a Sequential', () => {
    const inner = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [2], activation: 'relu' })] });
    const inside = tfl.sequential({ layers: [inner as unknown as tfl.layers.Layer, layers.dense({ units: 3 })] });
    const layer = layers.timeDistributed({ layer: inside as unknown as tfl.layers.Layer });
    expect(traitsOf(layer, [3, 2])).toEqual([
      'TimeDistributed Dense, affine, kernel, bias',
      'TimeDistributed relu activation, ties',
      'TimeDistributed Dense, affine, kernel, bias',
    ]);
  });

  it('has the same operations for a layer that stands in a Sequential twice', () => {
    const square = layers.dense({ units: 2, inputShape: [2] });
    const inside = tfl.sequential({ layers: [square, square] }) as unknown as tfl.layers.Layer;
    const [first, second, ...rest] = operationsOf(layers.timeDistributed({ layer: inside }), [3, 2]);
    expect(first).toBe(second);
    expect(rest).toEqual([]);
  });

  it('goes the generic way where it is a model that is no chain', () => {
    const x = tfl.input({ shape: [2] });
    const inside = tfl.model({ inputs: x, outputs: layers.dense({ units: 2 }).apply(x) as tfl.SymbolicTensor });
    const layer = layers.timeDistributed({ layer: inside as unknown as tfl.layers.Layer });
    expect(traitsOf(layer, [3, 2])).toEqual(['TimeDistributed, pins, fixed, fixed']);
  });
});
