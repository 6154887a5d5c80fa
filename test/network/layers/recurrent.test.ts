import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  SimpleRNN: [
    one(
      'simple RNN',
      () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', biasInitializer: 'randomNormal' }),
      [[4, 2]],
      { plain: plain.recurrent(plain.simpleCell, 1) },
    ),
    one(
      'simple RNN, softmax',
      () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', activation: 'softmax' }),
      [[4, 2]],
    ),
    one(
      'simple RNN, linear',
      () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', activation: 'linear' }),
      [[4, 2]],
    ),
  ],
  GRU: [
    one(
      'GRU',
      () => layers.gru({ units: 3, recurrentInitializer: 'glorotNormal', biasInitializer: 'randomNormal' }),
      [[4, 2]],
      { plain: plain.recurrent(plain.gruCell, 1) },
    ),
  ],
  LSTM: [
    one(
      'LSTM, backwards, sequences, no bias',
      () =>
        layers.lstm({
          units: 3,
          recurrentInitializer: 'glorotNormal',
          goBackwards: true,
          returnSequences: true,
          useBias: false,
          recurrentActivation: 'sigmoid',
        }),
      [[4, 2]],
    ),
    one('LSTM', () => layers.lstm({ units: 3, recurrentInitializer: 'glorotNormal' }), [[4, 2]], {
      plain: plain.recurrent(plain.lstmCell, 2),
      alsoTwice: true,
    }),
  ],
  RNN: [
    one(
      'RNN of a cell',
      () =>
        layers.rnn({
          cell: layers.simpleRNNCell({ units: 3, recurrentInitializer: 'glorotNormal' }),
        }) as tfl.layers.Layer,
      [[4, 2]],
      { plain: plain.recurrent(plain.simpleCell, 1) },
    ),
    one(
      'RNN of two cells',
      () =>
        layers.rnn({
          cell: [
            layers.simpleRNNCell({ units: 3, recurrentInitializer: 'glorotNormal' }),
            layers.gruCell({ units: 2, recurrentInitializer: 'glorotNormal' }),
          ],
        }) as tfl.layers.Layer,
      [[4, 2]],
    ),
  ],
});

describe('recurrent layers', () => {
  const recurrentInitializer = 'glorotNormal';

  it('have a kernel and a bias in front, and a recurrence that holds the scale', () => {
    expect(traitsOf(layers.lstm({ units: 2, recurrentInitializer }), [3, 2])).toEqual([
      'input of LSTM, affine, kernel, bias',
      'LSTM, pins, fixed',
    ]);
  });

  it('of several cells are one cell after the other', () => {
    const cell = [1, 2].map((units) => layers.simpleRNNCell({ units, recurrentInitializer }));
    const one = ['input of RNN, affine, kernel, bias', 'RNN, pins, fixed'];
    expect(traitsOf(layers.rnn({ cell }) as tfl.layers.Layer, [3, 2])).toEqual([...one, ...one]);
  });

  it('go the generic way where one of several cells does', () => {
    const cell = ['tanh', 'softmax'].map((activation) =>
      layers.simpleRNNCell({ units: 2, recurrentInitializer, activation: activation as 'tanh' }),
    );
    expect(traitsOf(layers.rnn({ cell }) as tfl.layers.Layer, [3, 2])).toEqual([
      'RNN, named, kernel, fixed, fixed, fixed, fixed, fixed',
    ]);
  });
});
