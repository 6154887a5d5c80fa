import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { allVariables, learnedWeights, variableOf, weightOf } from '../../src/tfjs/weights.js';

const { layers } = tfl;

it('the variable inside of a weight is the one that training moves', () => {
  const model = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
  const [kernel] = model.trainableWeights;
  const variable = variableOf(kernel);
  expect(variable).toBeInstanceOf(tf.Variable);
  tf.tidy(() => variable.assign(tf.ones([3, 2])));
  expect(model.getWeights()[0].arraySync()).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  model.dispose();
});

it("a variable of the user's is a weight by the name given", () => {
  const variable = tf.tidy(() => tf.variable(tf.scalar(2)));
  const weight = weightOf('w', variable);
  expect(weight.originalName).toBe('w');
  expect(weight.read()).toBe(variable);
  expect(variableOf(weight)).toBe(variable);
  variable.dispose();
});

it('all variables are those that are there now', () => {
  const before = allVariables();
  const [first, second] = tf.tidy(() => [2, 3].map((value) => tf.variable(tf.scalar(value))));
  expect(allVariables()).toEqual([...before, first, second]);
  first.dispose();
  expect(allVariables()).toEqual([...before, second]);
  second.dispose();
  expect(allVariables()).toEqual(before);
});

describe('learnedWeights', () => {
  const recurrent = { recurrentInitializer: 'glorotNormal' } as const;
  const models: [string, () => tfl.layers.Layer[]][] = [
    [
      'dense and batch normalization',
      () => [layers.dense({ units: 2, inputShape: [4, 3] }), layers.batchNormalization()],
    ],
    ['a recurrent layer', () => [layers.lstm({ units: 2, inputShape: [4, 3], ...recurrent })]],
    [
      'a stack of cells',
      () => [
        layers.rnn({
          cell: [layers.gruCell({ units: 2, ...recurrent }), layers.simpleRNNCell({ units: 2, ...recurrent })] as never,
          inputShape: [4, 3],
        }),
      ],
    ],
    [
      'both directions',
      () => [
        layers.bidirectional({
          layer: layers.gru({ units: 2, ...recurrent }) as tfl.RNN,
          mergeMode: 'concat',
          inputShape: [4, 3],
        } as never),
      ],
    ],
    [
      'a layer at every time step',
      () => [layers.timeDistributed({ layer: layers.dense({ units: 2 }), inputShape: [4, 3] } as never)],
    ],
    [
      'a model inside',
      () => [tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [4, 3] }), layers.batchNormalization()] })],
    ],
  ];

  it.each(models)('of %s are those that are trained, also where they are frozen', (_, make) => {
    const model = tfl.sequential({ layers: [...make(), layers.dense({ units: 1 })] });
    const names = (weights: readonly tfl.LayerVariable[]) => weights.map(({ name }) => name).toSorted();
    const trained = names(model.trainableWeights);
    expect(trained.length).toBeGreaterThan(3);
    expect(names(learnedWeights(model))).toEqual(trained);
    for (const layer of model.layers) {
      layer.trainable = false;
    }
    expect(model.trainableWeights).toEqual([]);
    expect(names(learnedWeights(model))).toEqual(trained);
    model.dispose();
  });

  it('has a shared layer once', () => {
    const input = tfl.input({ shape: [3] });
    const shared = layers.dense({ units: 3 });
    const model = tfl.model({ inputs: input, outputs: shared.apply(shared.apply(input)) as tfl.SymbolicTensor });
    expect(learnedWeights(model)).toHaveLength(2);
    model.dispose();
  });
});
