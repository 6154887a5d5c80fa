import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, image, one } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  AveragePooling1D: [one('average pooling 1d', () => layers.averagePooling1d({ poolSize: 2 }), [[7, 2]])],
  AveragePooling2D: [
    one('average pooling', () => layers.averagePooling2d({ poolSize: 2 }), image),
    one(
      'average pooling same, overlapping',
      () => layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      image,
      { plain: plain.pooling(plain.mean) },
    ),
    one('average pooling same, separate', () => layers.averagePooling2d({ poolSize: [4, 2], padding: 'same' }), image, {
      plain: plain.pooling(plain.mean),
    }),
    one(
      'average pooling channels first',
      () => layers.averagePooling2d({ poolSize: 2, padding: 'same', dataFormat: 'channelsFirst' }),
      [[2, 6, 4]],
    ),
  ],
  AveragePooling3D: [
    one('average pooling 3d', () => layers.averagePooling3d({ poolSize: [1, 2, 2] }), [[4, 6, 5, 2]], {
      plain: plain.pooling(plain.mean),
    }),
    one(
      'average pooling 3d, overlapping, same',
      () => layers.averagePooling3d({ poolSize: 3, strides: 2, padding: 'same' }),
      [[4, 6, 5, 2]],
      { plain: plain.pooling(plain.mean) },
    ),
  ],
  GlobalAveragePooling1D: [one('global average pooling 1d', () => layers.globalAveragePooling1d(), [[7, 2]])],
  GlobalAveragePooling2D: [
    one('global average pooling channels first', () => layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }), [
      [2, 6, 5],
    ]),
    one('global average pooling', () => layers.globalAveragePooling2d({}), image),
  ],
});
