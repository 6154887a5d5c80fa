import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Masking: [
    one('masking', () => layers.masking({ maskValue: 0 }), [[3, 2]], { plain: plain.masking }),
    one('masking of another value', () => layers.masking({ maskValue: 0.5 }), [[3, 2]], { plain: plain.masking }),
  ],
});
