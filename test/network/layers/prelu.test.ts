import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, image, one, traitsOf } from './check-layers.js';
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

it('alpha takes no part in a rescaling, which PReLU lets through', () => {
  expect(traitsOf(layers.prelu(), [4])).toEqual(['PReLU, ties, fixed']);
});
