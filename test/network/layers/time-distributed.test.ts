import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

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
  ],
});
