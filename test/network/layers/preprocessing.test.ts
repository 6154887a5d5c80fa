import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Rescaling: [
    one('rescaling', () => layers.rescaling({ scale: 3, offset: 0.5 }), [[5]], {
      plain: plain.merge(([x]) => 3 * x! + 0.5),
    }),
  ],
  CategoryEncoding: [
    one(
      'category encoding of trained numbers',
      () => layers.categoryEncoding({ numTokens: 3, outputMode: 'multiHot' }),
      [[5]],
      {
        plain: plain.multiHot,
        notOn: ['tensorflow'],
      },
    ),
  ],
});
