import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { architectureOf } from '../../src/measure/architecture.js';
import { unfold } from '../../src/network/graph.js';

const { layers } = tfl;
type Layer = tfl.layers.Layer;
type Shape = number[];

const image: Shape = [8, 8, 3];
const sequence: Shape = [6, 4];
const recurrentInitializer = 'glorotUniform';
const of = (model: tfl.LayersModel) => architectureOf(unfold(model), model.inputs.length, model.outputs.length);

function ofLayers(inputShape: Shape, ...stack: Layer[]): string {
  const model = tfl.sequential({
    layers: [layers.inputLayer({ inputShape }), ...stack, ...(inputShape.length > 1 ? [layers.flatten()] : [])],
  });
  model.add(layers.dense({ units: 2 }));
  const found = of(model);
  model.dispose();
  return found;
}

// In each row, all have weights of the same names and shapes.
it.each<[string, Shape, (() => Layer)[]]>([
  [
    'activations',
    [4],
    (['relu', 'tanh', 'elu', 'linear', 'softplus', 'relu6'] as const).map(
      (activation) => () => layers.dense({ units: 4, activation }),
    ),
  ],
  [
    'layers without weights',
    image,
    [
      () => layers.maxPooling2d({ poolSize: 2, strides: 1 }),
      () => layers.averagePooling2d({ poolSize: 2, strides: 1 }),
      () => layers.maxPooling2d({ poolSize: [2, 1], strides: 1 }),
      () => layers.reLU(),
      () => layers.reLU({ maxValue: 2 }),
      () => layers.leakyReLU({ alpha: 0.1 }),
      () => layers.leakyReLU({ alpha: 0.2 }),
      () => layers.thresholdedReLU({ theta: 0.5 }),
      () => layers.softmax({ axis: -1 }),
      () => layers.softmax({ axis: 1 }),
      () => layers.permute({ dims: [2, 1, 3] }),
      () => layers.dropout({ rate: 0.5 }),
    ],
  ],
  [
    'convolutions',
    image,
    [
      { filters: 3, kernelSize: 3 },
      { filters: 3, kernelSize: 3, strides: 2 },
      { filters: 3, kernelSize: 3, dilationRate: 2 },
      { filters: 3, kernelSize: 3, padding: 'same' as const },
      { filters: 3, kernelSize: 3, activation: 'relu' as const },
    ].map((config) => () => layers.conv2d(config)),
  ],
  [
    'upsampling',
    image,
    (['nearest', 'bilinear'] as const).map((interpolation) => () => layers.upSampling2d({ interpolation })),
  ],
  ['normalization', image, [0.001, 0.1].map((epsilon) => () => layers.batchNormalization({ epsilon }))],
  [
    'recurrent layers',
    sequence,
    [
      () => layers.gru({ units: 3, returnSequences: true, recurrentInitializer }),
      () => layers.gru({ units: 3, returnSequences: true, recurrentInitializer, activation: 'relu' }),
      () => layers.gru({ units: 3, returnSequences: true, recurrentInitializer, goBackwards: true }),
      () => layers.lstm({ units: 3, returnSequences: true, recurrentInitializer }),
      () => layers.lstm({ units: 3, returnSequences: true, recurrentInitializer, recurrentActivation: 'sigmoid' }),
    ],
  ],
  [
    'what is wrapped',
    sequence,
    (['relu', 'tanh'] as const).map(
      (activation) => () => layers.timeDistributed({ layer: layers.dense({ units: 3, activation }) }),
    ),
  ],
])('tells %s apart, and made anew they are the same', (_, shape, stack) => {
  const found = stack.map((make) => ofLayers(shape, make()));
  expect(new Set(found).size).toBe(stack.length);
  expect(stack.map((make) => ofLayers(shape, make()))).toEqual(found);
});

it('tells types of inputs apart, also of a model inside', () => {
  const make = (outer: 'int32' | 'float32', within: 'int32' | 'float32', name: string) => {
    const x = tfl.input({ shape: [4], dtype: within });
    const inner = tfl.model({ inputs: x, outputs: layers.dense({ units: 2 }).apply(x) as tfl.SymbolicTensor, name });
    const y = tfl.input({ shape: [4], dtype: outer });
    const model = tfl.model({ inputs: y, outputs: inner.apply(y) as tfl.SymbolicTensor });
    const found = of(model);
    model.dispose();
    return found;
  };
  const types = ['int32', 'float32'] as const;
  const found = types.flatMap((outer) => types.map((within) => make(outer, within, 'one')));
  expect(new Set(found).size).toBe(4);
  expect(types.flatMap((outer) => types.map((within) => make(outer, within, 'other')))).toEqual(found);
});

it('does not look at names, at how weights began, nor at regularizers', () => {
  const dense = (config: object) => ofLayers([4], layers.dense({ units: 4, activation: 'relu', ...config }));
  const found = dense({});
  expect(dense({ name: 'other' })).toBe(found);
  expect(dense({ kernelInitializer: 'zeros', biasInitializer: 'ones' })).toBe(found);
  expect(dense({ kernelRegularizer: 'l1l2', kernelConstraint: 'nonNeg' })).toBe(found);
  expect(dense({ trainable: false })).not.toBe(found);
});

it('tells how layers are joined', () => {
  const make = (join: (x: tfl.SymbolicTensor, first: Layer, second: Layer) => tfl.SymbolicTensor) => {
    const x = tfl.input({ shape: [4] });
    const [first, second] = [layers.dense({ units: 4 }), layers.dense({ units: 4 })] as const;
    const model = tfl.model({ inputs: x, outputs: join(x, first, second) });
    const found = of(model);
    model.dispose();
    return found;
  };
  const apply = (layer: Layer, x: tfl.SymbolicTensor) => layer.apply(x) as tfl.SymbolicTensor;
  const sum = (...x: tfl.SymbolicTensor[]) => layers.add().apply(x) as tfl.SymbolicTensor;
  const found = [
    make((x, a, b) => apply(b, apply(a, x))),
    make((x, a) => apply(a, apply(a, x))),
    make((x, a, b) => sum(apply(a, x), apply(b, x))),
    make((x, a, b) => sum(x, apply(b, apply(a, x)))),
    make((x, a, b) => layers.maximum().apply([apply(a, x), apply(b, x)]) as tfl.SymbolicTensor),
  ];
  expect(new Set(found).size).toBe(found.length);
});

it('is the same for a model and what is loaded from its file', async () => {
  const x = tfl.input({ shape: image });
  const inner = tfl.sequential({
    layers: [
      layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', inputShape: image }),
      layers.batchNormalization(),
    ],
  });
  const joined = layers
    .concatenate()
    .apply([inner.apply(x) as tfl.SymbolicTensor, layers.dropout({ rate: 0.1 }).apply(x) as tfl.SymbolicTensor]);
  const flat = layers.flatten().apply(layers.reLU().apply(joined));
  const model = tfl.model({
    inputs: x,
    outputs: layers.dense({ units: 3, activation: 'softmax' }).apply(flat) as tfl.SymbolicTensor,
  });
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined }));
      saved!.weightData = artifacts.weightData;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved!));
  expect(of(loaded)).toBe(of(model));
  model.dispose();
  loaded.dispose();
});

it('takes a layer that does not tell its configuration by its class', () => {
  class Own extends layers.Layer {
    static readonly className: string = 'Own';
    override call(x: tf.Tensor | tf.Tensor[]) {
      return tf.mul([x].flat()[0] as tf.Tensor, 2);
    }
    override getConfig(): tf.serialization.ConfigDict {
      throw new Error('not saved');
    }
  }
  class Other extends Own {
    static override readonly className = 'Other';
  }
  expect(ofLayers([4], new Own())).toBe(ofLayers([4], new Own()));
  expect(ofLayers([4], new Own())).not.toBe(ofLayers([4], new Other()));
});
