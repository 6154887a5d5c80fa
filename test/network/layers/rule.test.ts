import type * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/network/layers/operation.js';
import { checkOperations, refused } from '../../../src/network/layers/rule.js';

it('a refused layer says its name, its class and the reason in one line', () => {
  const layer = { name: 'odd', getClassName: () => 'Odd' } as tfl.layers.Layer;
  const parameter = () => {
    throw new Error('no weight is looked at');
  };
  expect(() => refused('is odd: leave it out.')(layer, parameter)).toThrow(
    /^Layer 'odd' \(Odd\) is odd: leave it out\.$/,
  );
});

describe('checkOperations', () => {
  const layer = { name: 'odd', getClassName: () => 'Odd' } as tfl.layers.Layer;
  const sound = {
    layer,
    description: 'Odd',
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward: () => ({ output: null, saved: [] }),
    backward: () => [],
  } as unknown as Operation;

  const weight = (name: string, shape: number[]) => ({
    name,
    variable: { originalName: name, read: () => ({ shape }) },
  });
  const [gain, kernel] = [weight('odd/gain', [4]), weight('odd/kernel', [4, 3])];
  const withMatrices = (matrices: unknown) => [
    { ...sound, parameters: [gain, kernel], squaredNorms: () => [], matrices },
  ];

  it('takes sound ones, and none', () => {
    expect(() => checkOperations(layer, [sound, sound])).not.toThrow();
    expect(() => checkOperations(layer, [])).not.toThrow();
    for (const matrices of [undefined, [], [kernel], [kernel, kernel]]) {
      expect(() => checkOperations(layer, withMatrices(matrices))).not.toThrow();
    }
  });

  it.each<[string, unknown, RegExp]>([
    ['one operation', sound, /must return an array of operations/],
    ['a scale in capitals', [{ ...sound, scale: 'Pins' }], /scale must be 'ties', .* or 'affine', but it is 'Pins'/],
    ['no scale', [sound, { ...sound, scale: undefined }], /scale must be .* but it is undefined/],
    ['no way back', [{ ...sound, backward: undefined }], /no backward, a function/],
    ['no way forward', [{ ...sound, forward: 1 }], /no forward, a function/],
    ['no parameters', [{ ...sound, parameters: undefined }], /no parameters: give an array/],
    [
      'names misspelt',
      [{ ...sound, scale: { input: ['x'] } }],
      /scale: there is no option 'input', only inputs, output, rules/,
    ],
    [
      'a place without names',
      [{ ...sound, parameters: [{ name: 'w', to: 'x' }], squaredNorms: () => [] }],
      /weight 'w' has a place between scales with names, but the scale of its operation is 'ties': make that \{ inputs, output \}/,
    ],
    ['matrices that are a word', withMatrices('kernel'), /matrices must be some of its parameters, .*: list those/],
    ['matrices that are nothing', withMatrices([undefined]), /matrices must be some of its parameters/],
    ['matrices that are null', withMatrices(null), /matrices must be some of its parameters/],
    ['a variable in place of its record', withMatrices([kernel.variable]), /matrices must be some of its parameters/],
    [
      'a record that is none of its own',
      withMatrices([kernel, { ...kernel }]),
      /matrices must be some of its parameters/,
    ],
    [
      'a gain among the matrices',
      withMatrices([kernel, gain]),
      /'odd\/gain' of shape \[4\] is in matrices, but is none: list weights of shape \[\.\.\.taps, in, out\] only/,
    ],
    ['weights without norms', [{ ...sound, parameters: [{}] }], /with weights has no squaredNorms/],
  ])('refuses %s in one line that names the layer', (_, returned, message) => {
    expect(() => checkOperations(layer, returned)).toThrow(message);
    expect(() => checkOperations(layer, returned)).toThrow(/^The rule of layer 'odd' \(Odd\)[^\n]*$/);
  });
});
