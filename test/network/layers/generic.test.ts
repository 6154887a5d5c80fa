import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';

const { layers } = tfl;

checkLayers({
  ConvLSTM2D: [
    one(
      'ConvLSTM2D',
      () => layers.convLstm2d({ filters: 2, kernelSize: 2, recurrentInitializer: 'glorotNormal' }) as tfl.layers.Layer,
      [[2, 3, 4, 2]],
    ),
  ],
});
