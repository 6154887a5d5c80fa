import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Dense: [
    one('dense', () => layers.dense({ units: 4, biasInitializer: 'randomNormal' }), [[5]]),
    one('dense without bias', () => layers.dense({ units: 4, useBias: false }), [[5]]),
    one('dense on a sequence', () => layers.dense({ units: 4, activation: 'relu' }), [[3, 5]], {
      plain: plain.dense,
      alsoTwice: true,
    }),
    one('dense, tanh', () => layers.dense({ units: 4, activation: 'tanh' }), [[5]]),
    one('dense, softmax', () => layers.dense({ units: 4, activation: 'softmax' }), [[5]]),
  ],
});
