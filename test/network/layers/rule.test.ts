import type * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { refused } from '../../../src/network/layers/rule.js';

it('a refused layer says its name, its class and the reason in one line', () => {
  const layer = { name: 'odd', getClassName: () => 'Odd' } as tfl.layers.Layer;
  const parameter = () => {
    throw new Error('no weight is looked at');
  };
  expect(() => refused('is odd: leave it out.')(layer, parameter)).toThrow(
    /^Layer 'odd' \(Odd\) is odd: leave it out\.$/,
  );
});
