import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { checkKnownOptions } from '../src/checks.js';
import { asam } from '../src/training/optimizers/asam.js';
import { sam } from '../src/training/optimizers/sam.js';
import { sharpnessPenalty } from '../src/training/optimizers/sharpness-penalty.js';
import { earlyStopping } from '../src/training/stopping/early-stopping.js';

describe('options that there are not', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'earlyStopping',
      () => earlyStopping({ monitor: 'loss', patiance: 3 } as never),
      /no option 'patiance', only monitor/,
    ],
    ['sam', () => sam(tf.train.sgd(0.1), { rho: 0.1, eta: 1 } as never), /^sam: there is no option 'eta', only rho\./],
    ['sam', () => sam(tf.train.sgd(0.1), 0.05 as never), /^sam: options must be an object of rho, but they are 0.05/],
    ['asam', () => asam(tf.train.sgd(0.1), { rho: 1, Rho: 1 } as never), /no option 'Rho', only rho, eta/],
    ['penalty', () => sharpnessPenalty(tf.train.sgd(0.1), { lambda: 1, sample: 4 } as never), /no option 'sample'/],
  ])('%s refuses them in one line', (_name, make, message) => {
    expect(make).toThrow(message);
    expect(make).not.toThrow(/\n/);
  });

  it('takes those that there are, and none', () => {
    expect(() => checkKnownOptions('f', { a: 1, b: undefined }, { a: true, b: true })).not.toThrow();
    expect(() => checkKnownOptions('f', undefined, { a: true })).not.toThrow();
    expect(() => checkKnownOptions('f', null, { a: true })).toThrow(
      /options must be an object of a, but they are null/,
    );
  });
});
