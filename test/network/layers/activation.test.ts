import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Activation: [
    one('softmax activation of positions', () => layers.activation({ activation: 'softmax' }), [[4, 3]], {
      plain: plain.softmax,
    }),
    ...(
      [
        'relu6',
        'sigmoid',
        'hardSigmoid',
        'softplus',
        'softsign',
        'selu',
        'elu',
        'swish',
        'mish',
        'gelu',
        'logSoftmax',
      ] as const
    ).map((activation) =>
      one(`${activation} activation`, () => layers.activation({ activation: activation as 'relu' }), [[5]]),
    ),
  ],
  Dense: (
    [
      ['ReLU', {}],
      ['ReLU', { maxValue: 0.5 }],
      ['LeakyReLU', { alpha: 0.2 }],
      ['ELU', {}],
      ['Softmax', { axis: -1 }],
      ['Softmax', { axis: [1, 2] }],
      ['PReLU', { alphaInitializer: 'ones' }],
    ] as const
  ).map(([className, config]) =>
    one(
      `dense with ${className} ${JSON.stringify(config)} as its activation`,
      () => layers.dense({ units: 4, activation: { className, config } as unknown as 'relu' }),
      [[3, 5]],
    ),
  ),
  ReLU: [one('ReLU', () => layers.reLU(), [[5]]), one('ReLU up to 0.5', () => layers.reLU({ maxValue: 0.5 }), [[5]])],
  LeakyReLU: [one('LeakyReLU', () => layers.leakyReLU({ alpha: 0.3 }), [[5]])],
  ELU: [one('ELU', () => layers.elu(), [[5]])],
  ThresholdedReLU: [
    one('ThresholdedReLU', () => layers.thresholdedReLU({ theta: 0.2 }), [[5]], {
      plain: plain.merge(([x]) => (x! > 0.2 ? x! : 0)),
    }),
  ],
  Softmax: [
    one('Softmax', () => layers.softmax({ axis: -1 }), [[5]], { plain: plain.softmax }),
    ...[[-1], [2]].map((axis) =>
      one(`Softmax with axis [${axis}]`, () => layers.softmax({ axis: axis as unknown as number }), [[4, 3]], {
        plain: plain.softmax,
      }),
    ),
    one('Softmax over several axes', () => layers.softmax({ axis: [1, 2] as unknown as number }), [[4, 3]]),
    one('Softmax of positions', () => layers.softmax({ axis: 2 }), [[4, 3]], { plain: plain.softmax }),
  ],
});

describe('activations', () => {
  it.each<[string, () => tfl.layers.Layer, string[]]>([
    ['linear', () => layers.activation({ activation: 'linear' }), []],
    ['relu', () => layers.activation({ activation: 'relu' }), ['relu activation, ties']],
    ['relu6', () => layers.activation({ activation: 'relu6' }), ['relu6 activation, pins']],
    ['tanh', () => layers.activation({ activation: 'tanh' }), ['tanh activation, pins']],
    ['ReLU', () => layers.reLU(), ['relu activation, ties']],
    ['ReLU up to 2', () => layers.reLU({ maxValue: 2 }), ['ReLU up to 2, pins']],
    ['LeakyReLU', () => layers.leakyReLU({ alpha: 0.3 }), ['LeakyReLU, ties']],
    ['ELU', () => layers.elu(), ['elu activation, pins']],
    ['ThresholdedReLU at 0', () => layers.thresholdedReLU({ theta: 0 }), ['ThresholdedReLU, ties']],
    ['ThresholdedReLU above', () => layers.thresholdedReLU({ theta: 0.2 }), ['ThresholdedReLU, pins']],
    ['Softmax', () => layers.softmax({}), ['Softmax, pins']],
  ])('let the scale of their input through where they are homogeneous: %s', (_, layer, traits) => {
    expect(traitsOf(layer(), [4])).toEqual(traits);
  });

  it.each([
    ['ReLU', {}, 'relu activation, ties'],
    ['ReLU', { maxValue: 2 }, 'ReLU up to 2, pins'],
    ['LeakyReLU', { alpha: 0.3 }, 'LeakyReLU, ties'],
    ['ThresholdedReLU', { theta: 0 }, 'ThresholdedReLU, ties'],
    ['Softmax', { axis: -1 }, 'Softmax, pins'],
    ['PReLU', {}, 'PReLU activation, pins'],
  ])('a layer as the activation of another says what it says of itself: %s %o', (className, config, traits) => {
    const activation = { className, config } as unknown as 'relu';
    expect(traitsOf(layers.dense({ units: 2, activation }), [4])).toEqual(['Dense, affine, kernel, bias', traits]);
    expect(traitsOf(layers.activation({ activation }), [4])).toEqual([traits]);
  });

  it('softmax along the batch axis is refused', () => {
    const layer = layers.softmax({ axis: [0, 1] as unknown as number });
    expect(() => operationsOf(layer, [4])).toThrow(/works along axis 0, where the samples are/);
  });

  it.each<[string, () => tfl.layers.Layer, boolean, boolean]>([
    ['relu', () => layers.reLU(), true, true],
    ['ReLU up to 2', () => layers.reLU({ maxValue: 2 }), true, true],
    ['a LeakyReLU that falls', () => layers.leakyReLU({ alpha: -0.3 }), true, false],
    ['hard sigmoid', () => layers.activation({ activation: 'hardSigmoid' }), true, false],
    ['tanh', () => layers.activation({ activation: 'tanh' }), false, false],
  ])('say whether they are piecewise linear, and monotone: %s', (_, layer, piecewiseLinear, monotone) => {
    const [operation] = operationsOf(layer(), [4]);
    expect(operation!.piecewiseLinear).toBe(piecewiseLinear);
    expect(operation!.monotone ?? false).toBe(monotone);
    expect(operation!.onPieceOf !== undefined).toBe(piecewiseLinear);
  });
});
