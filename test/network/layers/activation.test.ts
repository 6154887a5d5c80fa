import * as tfl from '@tensorflow/tfjs-layers';
import { checkLayers, one } from './check-layers.js';
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
    one('Softmax of positions', () => layers.softmax({ axis: 2 }), [[4, 3]], { plain: plain.softmax }),
  ],
});
