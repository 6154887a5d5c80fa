import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Rescaling: [
    one('rescaling', () => layers.rescaling({ scale: 3, offset: 0.5 }), [[5]], {
      plain: plain.merge(([x]) => 3 * x! + 0.5),
    }),
    one(
      'rescaling, channel by channel',
      () => layers.rescaling({ scale: [3, -2] as unknown as number, offset: [0.5, 1] as unknown as number }),
      [[4, 2]],
    ),
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

describe('preprocessing', () => {
  it('lets a scale through where it only multiplies', () => {
    expect(traitsOf(layers.rescaling({ scale: 3, offset: 0 }), [4])).toEqual(['Rescaling, ties']);
    expect(traitsOf(layers.rescaling({ scale: 3, offset: 1 }), [4])).toEqual(['Rescaling, pins']);
    for (const [offset, traits] of [
      [[0, 0], 'Rescaling, ties'],
      [[0, 1], 'Rescaling, pins'],
    ] as const) {
      const layer = layers.rescaling({ scale: [3, 2] as unknown as number, offset: offset as unknown as number });
      expect(traitsOf(layer, [4, 2])).toEqual([traits]);
    }
    expect(traitsOf(layers.categoryEncoding({ numTokens: 3, outputMode: 'multiHot' }), [4])).toEqual([
      'CategoryEncoding, pins',
    ]);
  });

  it('says where a layer without a gradient can stand', () => {
    const [crop] = operationsOf(layers.centerCrop({ height: 2, width: 2 }), [4, 4, 1]);
    const delta = tf.ones([1, 2, 2, 1]);
    expect(() => crop!.backward({ saved: [], inputShapes: [[1, 4, 4, 1]] }, delta, 1)).toThrow(
      /^it has no gradient in tf\.js, .+ before the first layer with weights\.$/,
    );
    delta.dispose();
  });
});
