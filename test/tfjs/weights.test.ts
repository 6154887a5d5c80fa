import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { allVariables, learnedWeights, trainedWeights, variableOf, weightOf } from '../../src/tfjs/weights.js';

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

describe('trainedWeights', () => {
  type Build = (compile: (model: tfl.LayersModel) => void) => tfl.LayersModel;
  const dense = (units: number, more: object = {}) => layers.dense({ units, activation: 'tanh', ...more });
  const sequential = (...inside: tfl.layers.Layer[]) => tfl.sequential({ layers: inside });
  /** A functional model of these layers. */
  function functional(...inside: tfl.layers.Layer[]): tfl.LayersModel {
    const input = tfl.input({ shape: [4] });
    const output = inside.reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, input);
    return tfl.model({ inputs: input, outputs: output });
  }
  const frozen = <L extends tfl.layers.Layer>(layer: L): L => Object.assign(layer, { trainable: false });
  const base = () => sequential(dense(2, { inputShape: [4] }), dense(2));
  const steps = (layer: tfl.layers.Layer) => sequential(layer, dense(3));
  const inputShape = [3, 4];
  const recurrent = (more: object = {}) =>
    layers.simpleRNN({ units: 2, returnSequences: true, recurrentInitializer: 'glorotNormal', ...more });
  const kinds: Record<string, () => tfl.layers.Layer> = {
    'a recurrent layer': () => recurrent({ inputShape }),
    'a bidirectional layer': () =>
      layers.bidirectional({ layer: recurrent() as never, mergeMode: 'concat', inputShape } as never),
    'a layer for every step': () => layers.timeDistributed({ layer: dense(2), inputShape }),
    'a stack of cells': () =>
      layers.rnn({
        cell: [2, 3].map((units) => layers.simpleRNNCell({ units, recurrentInitializer: 'glorotNormal' })),
        returnSequences: true,
        inputShape,
      }),
    'batch normalization': () => layers.batchNormalization({ inputShape }),
  };
  const ofLayers: [string, Build][] = Object.entries(kinds).flatMap(([kind, layer]): [string, Build][] => [
    [
      `${kind}, frozen before compile`,
      (compile) => {
        const model = steps(frozen(layer()));
        compile(model);
        return model;
      },
    ],
    [
      `${kind}, frozen after compile`,
      (compile) => {
        const model = steps(layer());
        compile(model);
        frozen(model.layers[0]!);
        return model;
      },
    ],
    [
      `${kind}, frozen at compile and set free`,
      (compile) => {
        const model = steps(frozen(layer()));
        compile(model);
        model.layers[0]!.trainable = true;
        return model;
      },
    ],
  ]);
  const now =
    (make: () => tfl.LayersModel): Build =>
    (compile) => {
      const model = make();
      compile(model);
      return model;
    };
  const nested: [string, Build][] = [
    ['a frozen Sequential first in a Sequential', now(() => sequential(frozen(base()), dense(3)))],
    [
      'a frozen Sequential later in a Sequential',
      now(() => sequential(dense(4, { inputShape: [4] }), frozen(base()), dense(3))),
    ],
    ['a frozen functional model first in a Sequential', now(() => sequential(frozen(functional(dense(2))), dense(3)))],
    ['a frozen Sequential in a functional model', now(() => functional(frozen(base()), dense(3)))],
    ['a frozen functional model in a functional model', now(() => functional(frozen(functional(dense(2))), dense(3)))],
    ['a frozen model with a model in it', now(() => functional(frozen(functional(base(), dense(4))), dense(3)))],
    ['a model in it frozen', now(() => functional(functional(frozen(base()), dense(4)), dense(3)))],
    [
      'a model with a model in it, frozen after compile',
      (compile) => {
        const inner = functional(base(), dense(4));
        const model = functional(inner, dense(3));
        compile(model);
        frozen(inner);
        return model;
      },
    ],
    [
      'a layer inside, frozen, and its model set free',
      now(() => {
        const inner = base();
        frozen(inner.layers[0]!);
        inner.trainable = true;
        return sequential(inner, dense(3));
      }),
    ],
    [
      'a discriminator that is compiled and then frozen inside of a generator',
      (compile) => {
        const judge = base();
        compile(judge);
        const model = functional(dense(4), frozen(judge));
        compile(model);
        return model;
      },
    ],
  ];

  it.each([...nested, ...ofLayers])('are those that a step moves: %s', async (_, build) => {
    tf.engine().startScope();
    const model = build((each) => each.compile({ loss: 'meanSquaredError', optimizer: tf.train.sgd(0.1) }));
    const sized = (shape: tfl.Shape) => [6, ...shape.slice(1)] as number[];
    const x = tf.randomNormal(sized(model.inputs[0]!.shape), 0, 1, 'float32', 1);
    const y = tf.randomNormal(sized(model.outputs[0]!.shape), 0, 1, 'float32', 2);
    const trained = trainedWeights(model);
    const before = valuesBy(learnedWeights(model));
    await model.trainOnBatch(x, y);
    const moved = learnedWeights(model).filter((weight) => before.get(weight) !== valuesOf(weight));
    expect(new Set(trained)).toEqual(new Set(moved));
    expect(trained.length).toBeGreaterThan(0);
    tf.engine().endScope();
    model.dispose();
  });

  it('are those that the layers say where nothing is compiled', () => {
    const model = sequential(frozen(base()), dense(3));
    expect(trainedWeights(model)).toEqual(model.layers[1]!.trainableWeights);
    frozen(model.layers[1]!);
    expect(trainedWeights(model)).toEqual([]);
    model.dispose();
  });

  const valuesOf = (weight: tfl.LayerVariable) => weight.read().dataSync().join();
  const valuesBy = (weights: readonly tfl.LayerVariable[]) =>
    new Map(weights.map((weight) => [weight, valuesOf(weight)]));
});
