import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, traitsOf } from './check-layers.js';

const { layers } = tfl;

checkLayers({
  Bidirectional: [
    one(
      'Bidirectional LSTM',
      () =>
        layers.bidirectional({
          layer: layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal', returnSequences: true }) as tfl.RNN,
          mergeMode: 'concat',
        }),
      [[4, 2]],
    ),
    ...(['concat', 'sum', 'ave', 'mul'] as const).map((mergeMode) =>
      one(
        `Bidirectional GRU, ${mergeMode}, backwards first`,
        () =>
          layers.bidirectional({
            layer: layers.gru({ units: 2, recurrentInitializer: 'glorotNormal', goBackwards: true }) as tfl.RNN,
            mergeMode,
          }),
        [[4, 2]],
      ),
    ),
    one(
      'Bidirectional GRU, sum of sequences, backwards first',
      () =>
        layers.bidirectional({
          layer: layers.gru({
            units: 2,
            recurrentInitializer: 'glorotNormal',
            goBackwards: true,
            returnSequences: true,
          }) as tfl.RNN,
          mergeMode: 'sum',
        }),
      [[4, 2]],
    ),
  ],
});

describe('a bidirectional layer', () => {
  const recurrentInitializer = 'glorotNormal';
  const both = (mergeMode: 'concat' | 'mul', inside: tfl.layers.Layer) =>
    traitsOf(layers.bidirectional({ layer: inside as tfl.RNN, mergeMode }), [3, 2]);

  it('has its layers one after the other, each with a kernel and a bias, and holds the scale', () => {
    const one = ['input of Bidirectional, affine, kernel, bias', 'Bidirectional, pins, fixed'];
    expect(both('concat', layers.gru({ units: 2, recurrentInitializer }))).toEqual([
      ...one,
      ...one,
      'concat of Bidirectional, ties',
    ]);
  });

  it('multiplies factors that have scales of their own, where its layers pass them on', () => {
    const relu = layers.simpleRNN({ units: 2, recurrentInitializer, activation: 'relu' });
    const one = ['input of Bidirectional, affine, kernel, bias', 'Bidirectional, ties, fixed'];
    expect(both('mul', relu)).toEqual([...one, ...one, 'mul of Bidirectional, adds']);
  });

  it('goes the generic way where its layers do', () => {
    const softmax = layers.simpleRNN({ units: 2, recurrentInitializer, activation: 'softmax' });
    expect(both('mul', softmax)).toEqual(['Bidirectional, named, kernel, fixed, fixed, kernel, fixed, fixed']);
  });
});
