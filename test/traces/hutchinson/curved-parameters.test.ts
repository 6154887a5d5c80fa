import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { curvedParameters } from '../../../src/traces/hutchinson/curved-parameters.js';

afterEach(() => tf.disposeVariables());

const { dense, conv2d, maxPooling2d, flatten, add, multiply, layerNormalization, reLU } = tfl.layers;
const names = (model: tfl.LayersModel) => curvedParameters(unfold(model)).map(({ name }) => name);
const of = (...layers: string[]) => layers.flatMap((layer) => [`${layer}/kernel`, `${layer}/bias`]);

/** a, then b beside a skip, then c. */
function branches(join: () => tfl.layers.Layer, activation: 'relu' | 'tanh'): tfl.LayersModel {
  const inputs = tfl.input({ shape: [3] });
  const first = dense({ units: 4, name: 'a' }).apply(inputs) as tfl.SymbolicTensor;
  const second = dense({ units: 4, name: 'b', activation }).apply(first) as tfl.SymbolicTensor;
  const joined = join().apply([first, second]) as tfl.SymbolicTensor;
  return tfl.model({ inputs, outputs: dense({ units: 2, name: 'c' }).apply(joined) as tfl.SymbolicTensor });
}

describe('curvedParameters', () => {
  it('are none where everything is piecewise linear', () => {
    const layers = [
      conv2d({ filters: 2, kernelSize: 2, activation: 'relu', inputShape: [4, 4, 1] }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dense({ units: 3, activation: 'relu6' }),
      dense({ units: 2 }),
    ];
    expect(names(tfl.sequential({ layers }))).toEqual([]);
    expect(names(branches(add, 'relu'))).toEqual([]);
  });

  it('are those below something smooth, in the order of the graph', () => {
    const layers = [
      dense({ units: 3, activation: 'relu', inputShape: [4], name: 'one' }),
      dense({ units: 3, activation: 'tanh', name: 'two' }),
      dense({ units: 2, name: 'three' }),
    ];
    expect(names(tfl.sequential({ layers }))).toEqual(of('one', 'two'));
    expect(names(branches(add, 'tanh'))).toEqual(of('a', 'b'));
    expect(names(branches(multiply, 'relu'))).toEqual(of('a', 'b'));
  });

  it('are also those inside of something that bends, but not those behind a normalization', () => {
    const layers = [
      tfl.layers.simpleRNN({ units: 3, inputShape: [4, 2], name: 'rnn', recurrentInitializer: 'glorotUniform' }),
      layerNormalization({ name: 'norm' }),
      dense({ units: 2, name: 'last' }),
    ];
    expect(names(tfl.sequential({ layers }))).toEqual(['rnn/kernel', 'rnn/bias', 'rnn/recurrent_kernel']);
  });

  it('are those of a layer called twice, but not of what stands around it', () => {
    const inputs = tfl.input({ shape: [3] });
    const shared = dense({ units: 4, name: 'shared' });
    const first = dense({ units: 4, name: 'first' }).apply(inputs) as tfl.SymbolicTensor;
    const once = reLU().apply(shared.apply(first)) as tfl.SymbolicTensor;
    const outputs = dense({ units: 2, name: 'last' }).apply(shared.apply(once)) as tfl.SymbolicTensor;
    expect(names(tfl.model({ inputs, outputs }))).toEqual(of('shared'));
  });

  it('leave frozen ones out', () => {
    const layers = [
      dense({ units: 3, inputShape: [4], name: 'one', trainable: false }),
      dense({ units: 3, activation: 'tanh', name: 'two' }),
    ];
    expect(names(tfl.sequential({ layers }))).toEqual(of('two'));
  });
});
