import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { type Graph, unfold } from '../../src/network/graph.js';
import { maximaFirst } from '../../src/network/maxima-first.js';
import { lcg, setGoldenWeights } from '../measure/golden-network.js';

const { conv2d, dense, flatten, maxPooling1d, maxPooling2d, globalMaxPooling1d, globalMaxPooling2d } = tfl.layers;
const { leakyReLU, reLU, activation, timeDistributed } = tfl.layers;

function chain(...stack: tfl.layers.Layer[]): tfl.LayersModel {
  const model = tfl.sequential();
  for (const layer of [conv2d({ filters: 3, kernelSize: 2, inputShape: [7, 7, 1] }), ...stack]) {
    model.add(layer);
  }
  return model;
}

const order = (graph: Graph) =>
  maximaFirst(graph).steps.map(({ operation: { description }, inputs, output }) => [description, inputs, output]);

describe('maximaFirst', () => {
  it('puts pooling in front of the activations before it, and leaves the tensors in their order', () => {
    const graph = unfold(chain(reLU(), leakyReLU(), maxPooling2d({ poolSize: 2 }), globalMaxPooling2d({})));
    const [convolution, ...rest] = graph.steps.map(({ operation }) => operation.description);
    expect(rest).toEqual(['relu activation', 'LeakyReLU', 'MaxPooling2D', 'GlobalMaxPooling2D']);
    expect(order(graph)).toEqual([
      [convolution, [0], 1],
      ['MaxPooling2D', [1], 2],
      ['GlobalMaxPooling2D', [2], 3],
      ['relu activation', [3], 4],
      ['LeakyReLU', [4], 5],
    ]);
  });

  it('makes one step of a pooling and the activation behind it, if nothing else reads between them', () => {
    const graph = unfold(chain(reLU(), maxPooling2d({ poolSize: 2 }), flatten()));
    const flattening = graph.steps.at(-1)!.operation.description;
    expect(order(graph).slice(1)).toEqual([
      ['MaxPooling2D', [1], 3],
      [flattening, [3], 4],
    ]);
    const x = tfl.input({ shape: [6, 6, 1] });
    const pooled = maxPooling2d({ poolSize: 2 }).apply(x) as tfl.SymbolicTensor;
    const active = reLU().apply(pooled) as tfl.SymbolicTensor;
    expect(order(unfold(tfl.model({ inputs: x, outputs: [pooled, active] })))).toHaveLength(2);
    expect(order(unfold(tfl.model({ inputs: x, outputs: active })))).toHaveLength(1);
  });

  it.each([
    ['a smooth activation', activation({ activation: 'tanh' })],
    ['a leaky ReLU that falls', leakyReLU({ alpha: -0.5 })],
  ])('leaves %s where it is', (_, layer) => {
    const graph = unfold(chain(layer, maxPooling2d({ poolSize: 2 })));
    expect(order(graph).map(([name]) => name)).toEqual(graph.steps.map(({ operation }) => operation.description));
  });

  it('leaves an activation that is read elsewhere too where it is', () => {
    const x = tfl.input({ shape: [6, 6, 1] });
    const active = reLU().apply(x) as tfl.SymbolicTensor;
    const pooled = maxPooling2d({ poolSize: 2 }).apply(active) as tfl.SymbolicTensor;
    for (const outputs of [
      [pooled, active],
      [pooled, flatten().apply(active) as tfl.SymbolicTensor],
    ]) {
      const graph = unfold(tfl.model({ inputs: x, outputs }));
      expect(order(graph).map(([name]) => name)).toEqual(graph.steps.map(({ operation }) => operation.description));
    }
  });

  it('changes no trace: a falling and a rising leaky ReLU, the first of which keeps its place', async () => {
    // max(f(x)) = -f'(min) for the falling one: pooling first would take other positions.
    for (const alpha of [-0.5, 0.5]) {
      const pooled = chain(leakyReLU({ alpha }), maxPooling2d({ poolSize: 2 }), flatten(), dense({ units: 4 }));
      const hidden = chain(new Hidden({ alpha }), maxPooling2d({ poolSize: 2 }), flatten(), dense({ units: 4 }));
      await expectSameTraces(pooled, hidden, [7, 7, 1], 6);
    }
  });

  const atEveryStep = (layer: tfl.layers.Layer, inputShape?: number[]) => timeDistributed({ layer, inputShape });
  it.each<[string, number[], () => tfl.layers.Layer, () => tfl.layers.Layer[]]>([
    [
      'a layer at every step, then pooling over the steps',
      [6, 5],
      () => dense({ units: 4 }),
      () => [maxPooling1d({}), flatten()],
    ],
    [
      'pooling over steps that overlap',
      [6, 5],
      () => dense({ units: 4 }),
      () => [maxPooling1d({ strides: 1 }), flatten()],
    ],
    ['the maximum of all steps', [6, 5], () => dense({ units: 4 }), () => [globalMaxPooling1d({})]],
    [
      'pooling at every step',
      [3, 7, 6, 2],
      () => conv2d({ filters: 3, kernelSize: 2 }),
      () => [atEveryStep(maxPooling2d({})), flatten()],
    ],
  ])('changes no trace: %s', async (_, inputShape, linear, poolings) => {
    const network = (relu: () => tfl.layers.Layer) => {
      const stack = [atEveryStep(linear(), inputShape), relu(), ...poolings(), dense({ units: 4 })];
      return tfl.sequential({ layers: stack });
    };
    const [pooled, hidden] = [network(() => atEveryStep(reLU())), network(() => new Hidden({ alpha: 0 }))];
    expect(order(unfold(pooled))[1]![0]).toContain('Max');
    await expectSameTraces(pooled, hidden, inputShape, 4);
  });
});

/** Gives both networks the same weights, and disposes them. */
async function expectSameTraces(model: tfl.LayersModel, other: tfl.LayersModel, inputShape: number[], samples: number) {
  setGoldenWeights(model, 5);
  other.setWeights(model.getWeights());
  const shape = [samples, ...inputShape];
  const inputs = tf.tensor(
    lcg(9, tf.util.sizeFromShape(shape)).map((u) => u - 0.5),
    shape,
  );
  const [found, expected] = [
    await measureSharpness(model, inputs, { loss: 'softmaxCrossEntropy' }),
    await measureSharpness(other, inputs, { loss: 'softmaxCrossEntropy' }),
  ];
  found.parameters.forEach(({ trace }, b) => {
    expect(trace).toBeGreaterThan(0);
    expect(trace / expected.parameters[b]!.trace).toBeCloseTo(1, 5);
  });
  inputs.dispose();
  model.dispose();
  other.dispose();
}

/** A leaky ReLU of which nothing is known. */
class Hidden extends tfl.layers.Layer {
  static className = 'HiddenLeakyReLU';
  readonly alpha: number;

  constructor({ alpha }: { alpha: number }) {
    super({});
    this.alpha = alpha;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.leakyRelu([inputs].flat()[0] as tf.Tensor, this.alpha);
  }
}
