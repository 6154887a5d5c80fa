import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, one, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Embedding: [
    one('embedding', () => layers.embedding({ inputDim: 7, outputDim: 3 }), [[4]], {
      integer: 7,
      plain: plain.embedding,
      alsoTwice: true,
    }),
    one('embedding of few tokens many times', () => layers.embedding({ inputDim: 3, outputDim: 2 }), [[3, 4]], {
      integer: 3,
      plain: plain.embedding,
    }),
    one('embedding of trained numbers', () => layers.embedding({ inputDim: 3, outputDim: 2 }), [[4]], {
      plain: plain.embedding,
    }),
  ],
});

it('an embedding is a kernel over tokens, whose scale is fixed', () => {
  expect(traitsOf(layers.embedding({ inputDim: 3, outputDim: 2 }), [4])).toEqual([
    'tokens of Embedding, pins',
    'Embedding, affine, kernel',
  ]);
});
