import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, image, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  BatchNormalization: [
    one(
      'batch normalization',
      () => layers.batchNormalization({ gammaInitializer: 'randomNormal', movingMeanInitializer: 'randomNormal' }),
      image,
    ),
    one('batch normalization on another axis', () => layers.batchNormalization({ axis: 1 }), image, {
      plain: plain.batchNormalization,
      wrongInTfjs: ['cpu', 'wasm'],
    }),
    one('batch normalization without scale', () => layers.batchNormalization({ scale: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
    one('batch normalization without center', () => layers.batchNormalization({ center: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
  ],
});
