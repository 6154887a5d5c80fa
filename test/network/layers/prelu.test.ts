import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, image, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  PReLU: [
    one('PReLU', () => layers.prelu({ alphaInitializer: 'randomNormal' }), [[5]], {
      plain: plain.prelu,
      alsoTwice: true,
    }),
    one('PReLU, shared', () => layers.prelu({ alphaInitializer: 'randomNormal', sharedAxes: [1, 2] }), image, {
      plain: plain.prelu,
      alsoTwice: true,
    }),
  ],
});
