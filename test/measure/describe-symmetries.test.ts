import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DescribeOptions, describeSymmetries } from '../../src/measure/describe-symmetries.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { registerLayerRule } from '../../src/network/layers/table.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { buildNetwork, networkSpec } from '../symmetry/random-network.js';

const { layers } = tfl;
type Layer = tfl.layers.Layer;

const dense = (name: string, config: Partial<Parameters<typeof layers.dense>[0]> = {}) =>
  layers.dense({ name, units: 3, activation: 'relu', ...config });
const end = () => dense('out', { activation: 'linear' });
const chain = (inputShape: number[], ...stack: Layer[]) =>
  tfl.sequential({ layers: [layers.inputLayer({ inputShape }), ...stack] });
const apply = (layer: Layer, ...inputs: tfl.SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? inputs[0] : inputs) as tfl.SymbolicTensor;

/** From a vector of 3 to the layer 'out'. */
function network(body: (x: tfl.SymbolicTensor) => tfl.SymbolicTensor): tfl.LayersModel {
  const x = tfl.input({ shape: [3] });
  return tfl.model({ inputs: x, outputs: apply(end(), body(x)) });
}

/** Everything that is said about a network, groups as their rules in text. */
function said(model: tfl.LayersModel, loss: DescribeOptions['loss'] = 'softmaxCrossEntropy'): string[] {
  const tensors = tf.memory().numTensors;
  const [first, ...lines] = `${describeSymmetries(model, { loss })}`.split('\n');
  expect(tf.memory().numTensors).toBe(tensors);
  const count = /^(\d+) scales? (?:is|are) free\./.exec(first!)?.[1];
  expect(first).toMatch(count ? /alpha\(layer\) is what/ : /^No layers can trade scale: .* is the plain trace\.$/);
  return [count ?? '0', ...lines];
}

describe('describeSymmetries', () => {
  test('a chain', () => {
    const model = chain([3], dense('a'), dense('b'), dense('c', { activation: 'softmax' }));
    const description = describeSymmetries(model, { loss: 'categoricalCrossentropy' });
    expect(description).toMatchObject({
      freedom: 2,
      groups: [{ layers: ['a', 'b', 'c'], freedom: 2, rules: [{ a: 1, b: 1, c: 1 }] }],
      pinned: [],
    });
    expect(said(model, 'categoricalCrossentropy')).toEqual([
      '2',
      "'a', 'b' and 'c' trade scale: alpha(a) * alpha(b) * alpha(c) = 1.",
    ]);
    expect(JSON.parse(JSON.stringify(description))).toMatchObject({ freedom: 2 });
  });

  test('the loss that the model was compiled with, which takes the last softmax away', () => {
    const model = chain([3], dense('a'), dense('b', { activation: 'softmax' }));
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    expect(describeSymmetries(model).groups).toHaveLength(1);
    // Squared error keeps it.
    expect(said(model, 'meanSquaredError')).toEqual(['1', "'a' and 'b' trade scale: alpha(a) * alpha(b) = 1."]);
    model.optimizer.dispose();
  });

  test('a residual network', () => {
    const model = network((x) => {
      const stem = apply(dense('stem'), x);
      return apply(layers.add(), stem, apply(dense('second'), apply(dense('first'), stem)));
    });
    expect(said(model)).toEqual([
      '2',
      "'stem' and 'out' trade scale: alpha(stem) * alpha(out) = 1.",
      "'first' and 'second' trade scale: alpha(first) * alpha(second) = 1.",
    ]);
  });

  test('a sum with the input itself', () => {
    const model = network((x) => apply(layers.add({ name: 'sum' }), x, apply(dense('branch'), x)));
    expect(said(model)).toEqual([
      '0',
      "'branch' is fixed by 'sum' (which takes all its inputs at one scale).",
      "'out' is fixed between the network's input and the network's output.",
    ]);
  });

  test('batch normalization', () => {
    const model = chain(
      [4, 4, 1],
      layers.conv2d({ name: 'conv', filters: 2, kernelSize: 2 }),
      layers.batchNormalization({ name: 'norm' }),
      layers.reLU(),
      layers.separableConv2d({ name: 'separable', filters: 2, kernelSize: 2 }),
      layers.batchNormalization({ name: 'offset', scale: false }),
      layers.flatten(),
      end(),
    );
    const all = ['conv', 'norm', 'separable/depthwise_kernel', 'separable/pointwise_kernel', 'out'];
    const description = describeSymmetries(model, { loss: 'softmaxCrossEntropy' });
    expect(description.groups).toEqual([
      { layers: all, freedom: 4, rules: [Object.fromEntries(all.map((name) => [name, 1]))] },
    ]);
    expect(description.pinned).toEqual([
      { layer: 'offset', reason: 'has a bias only, which follows the scale that reaches it' },
    ]);
  });

  test('activations that are not homogeneous', () => {
    const model = chain(
      [3],
      dense('a'),
      dense('b', { activation: 'tanh' }),
      dense('c', { activation: 'relu6' }),
      dense('d', { activation: 'linear' }),
      layers.reLU({ name: 'clip', maxValue: 1 }),
      end(),
    );
    expect(said(model)).toEqual([
      '1',
      "'a' and 'b' trade scale: alpha(a) * alpha(b) = 1.",
      "'c' is fixed between the tanh activation of 'b' (not homogeneous) and the relu6 activation of 'c' (not homogeneous).",
      "'d' is fixed between the relu6 activation of 'c' (not homogeneous) and the ReLU up to 1 of 'clip' (not homogeneous).",
      "'out' is fixed between the ReLU up to 1 of 'clip' (not homogeneous) and the network's output.",
    ]);
  });

  test('frozen layers and weights', () => {
    const frozen = { trainable: false };
    const model = chain([3], dense('a', frozen), dense('b'), dense('c', frozen), dense('d'), end());
    expect(said(model)).toEqual([
      '1',
      "'d' and 'out' trade scale: alpha(d) * alpha(out) = 1.",
      "'a' is fixed, because it is frozen.",
      "'b' is fixed between the network's input and the frozen bias of 'c'.",
      "'c' is fixed, because it is frozen.",
    ]);
  });

  test('normalizations that take the scale away', () => {
    const model = chain(
      [3],
      dense('a'),
      layers.layerNormalization({ name: 'beta', scale: false }),
      dense('b'),
      layers.layerNormalization({ name: 'norm' }),
      end(),
    );
    expect(said(model)).toEqual([
      '3',
      "'a' can have any scale: a normalization behind it takes it away.",
      "'b' can have any scale: a normalization behind it takes it away.",
      "'norm' and 'out' trade scale: alpha(norm) * alpha(out) = 1.",
      "'beta' has a bias only, at a scale that is fixed.",
    ]);
    const held = chain(
      [3],
      dense('c'),
      layers.layerNormalization({ scale: false, name: 'plain', center: false }),
      end(),
    );
    expect(said(held).at(-1)).toBe(
      "'out' is fixed between the normalization of 'plain' (which sets the scale anew) and the network's output.",
    );
  });

  test('PReLU, maximum and products', () => {
    const branches = (merge: Layer) =>
      network((x) => apply(merge, apply(dense('a'), x), apply(layers.prelu({ name: 'slopes' }), apply(dense('b'), x))));
    const slopes = "'slopes' is fixed: it passes scales on and keeps its own weights.";
    expect(said(branches(layers.maximum()))).toEqual([
      '1',
      "'a', 'b' and 'out' trade scale: alpha(a) = alpha(b); alpha(a) * alpha(out) = 1.",
      slopes,
    ]);
    expect(said(branches(layers.multiply()))).toEqual([
      '2',
      "'a', 'b' and 'out' trade scale: alpha(a) * alpha(b) * alpha(out) = 1.",
      slopes,
    ]);
  });

  test('a layer that is called twice', () => {
    const twice = (layer: Layer) => network((x) => apply(layer, apply(layer, x)));
    expect(said(twice(dense('shared', { useBias: false })))).toEqual([
      '1',
      "'shared' and 'out' trade scale: alpha(shared)^2 * alpha(out) = 1.",
    ]);
    expect(said(twice(dense('biased')))).toEqual([
      '0',
      "'biased' is fixed by 'biased' (whose weights are used several times).",
      "'out' is fixed between the network's input, 'biased' (whose weights are used several times) and the network's output.",
    ]);
  });

  test('recurrent layers and layers of your own', () => {
    const model = chain(
      [3, 2],
      dense('a'),
      layers.simpleRNN({ name: 'rnn', units: 2, recurrentInitializer: 'glorotUniform' }),
      end(),
    );
    expect(said(model)).toEqual([
      '1',
      "'a' and 'rnn' trade scale: alpha(a) * alpha(rnn) = 1.",
      "'out' is fixed between the SimpleRNN of 'rnn' (not homogeneous) and the network's output.",
    ]);
    class Own extends layers.Layer {
      static className = 'OwnOfSymmetries';
      override computeOutputShape(shape: tfl.Shape) {
        return shape;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        return tf.add(Array.isArray(inputs) ? inputs[0]! : inputs, 1);
      }
    }
    tf.serialization.registerClass(Own);
    expect(said(chain([3], dense('a'), new Own({ name: 'own' }), end()))[1]).toBe(
      "'a' is fixed between the network's input and the OwnOfSymmetries of 'own' (a class of your own).",
    );
    registerLayerRule('OwnOfSymmetries', () => []);
    expect(said(chain([3], dense('a'), new Own({ name: 'own' }), end()))[0]).toBe('1');
  });

  test('says of every random network what its symmetries are', () => {
    fc.assert(
      fc.property(networkSpec, (spec) => {
        const { model, inputs } = buildNetwork(spec);
        try {
          fc.pre(model.trainableWeights.length > 0);
          const { freedom, groups, pinned } = describeSymmetries(model, { loss: spec.loss });
          const symmetry = scaleSymmetry(subjectOfModel(model, { loss: spec.loss }).graph);
          expect(freedom).toBe(symmetry.freedom);
          expect(groups.reduce((sum, group) => sum + group.freedom, 0)).toBe(freedom);
          const named = [...groups.flatMap((group) => group.layers), ...pinned.map(({ layer }) => layer)];
          expect(new Set(named).size).toBe(named.length);
          const exponents = new Map(
            symmetry.parameters
              .filter(({ parameter }) => parameter.role === 'kernel')
              .flatMap(({ parameter: { layer, name }, exponent }) => {
                const own = name.slice(name.lastIndexOf('/') + 1);
                return [layer.name, `${layer.name}/${own}`].map((key) => [key, exponent] as const);
              }),
          );
          for (const { layers: names, rules } of groups) {
            for (const name of names) {
              expect(exponents.get(name)!.some((c) => c !== 0)).toBe(true);
            }
            for (const rule of rules) {
              for (let i = 0; i < freedom; i++) {
                const total = Object.entries(rule).reduce((sum, [name, p]) => sum + p * exponents.get(name)![i]!, 0);
                expect(Math.abs(total)).toBeLessThan(1e-9);
              }
            }
          }
          const trained = symmetry.parameters.map(({ parameter }) => parameter.layer.name);
          for (const name of trained) {
            expect(named.some((each) => each === name || each.startsWith(`${name}/`))).toBe(true);
          }
        } finally {
          tf.dispose(inputs);
          tf.disposeVariables();
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('errors are those of measureSharpness', () => {
  const frozen = () => {
    const model = chain([3], dense('a'), end());
    for (const layer of model.layers) {
      layer.trainable = false;
    }
    return model;
  };
  const cases: Record<string, { model: () => tfl.LayersModel; options?: object; says: RegExp }> = {
    'a model that is not built': { model: () => tfl.sequential(), says: /not built/ },
    'no model': { model: () => ({}) as tfl.LayersModel, says: /must be a tf\.LayersModel/ },
    'no trained weights': { model: frozen, options: { loss: 'meanSquaredError' }, says: /every layer is frozen/ },
    'no loss': { model: () => chain([3], dense('a'), end()), says: /not compiled/ },
    'an unknown loss': {
      model: () => chain([3], dense('a'), end()),
      options: { loss: 'focal' as 'hinge' },
      says: /'focal' is not known/,
    },
    'a loss that does not fit': {
      model: () => chain([3], dense('a'), end()),
      options: { loss: 'categoricalCrossentropy' },
      says: /belongs to a model that ends in 'softmax'/,
    },
  };
  test.each(Object.entries(cases))('%s', async (_, { model: make, options, says }) => {
    const model = make();
    const x = tf.ones([2, 3]);
    const error = (() => {
      try {
        describeSymmetries(model, options);
        return undefined;
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    expect(error?.message).toMatch(says);
    expect(error?.message).not.toContain('\n');
    await expect(measureSharpness(model, x, options)).rejects.toThrow(error?.message);
    x.dispose();
  });
});
