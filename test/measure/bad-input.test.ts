import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, expect, test, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';

interface BadCall {
  readonly model: () => tfl.LayersModel;
  /** Default: ones of the shape that the model asks for. */
  readonly inputs?: (model: tfl.LayersModel) => unknown;
  /** As a user of plain JavaScript may pass them. */
  readonly options?: Record<string, unknown>;
  /** What the line must name: the culprit, and what to do about it. */
  readonly names: readonly RegExp[];
}

const layers = tfl.layers;

function classifier(
  activation: 'softmax' | 'sigmoid' | 'linear' = 'softmax',
  compile?: Partial<tfl.ModelCompileArgs>,
): tfl.Sequential {
  const model = tfl.sequential();
  model.add(layers.dense({ name: 'bad_hidden', units: 4, activation: 'relu', inputShape: [3] }));
  model.add(layers.dense({ name: 'bad_out', units: 2, activation }));
  model.build();
  if (compile) {
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', ...compile });
  }
  return model;
}

function withWeight(name: string, value: number): tfl.LayersModel {
  const model = classifier();
  const weight = model.weights.find((w) => w.originalName === name)!;
  tf.tidy(() => {
    const values = weight.read().dataSync();
    values[1] = value;
    weight.write(tf.tensor(values, weight.shape as number[]));
  });
  return model;
}

function chain(...stack: tfl.layers.Layer[]): tfl.Sequential {
  const model = tfl.sequential();
  for (const layer of stack) {
    model.add(layer);
  }
  model.build();
  return model;
}

const head = () => layers.dense({ units: 2, activation: 'softmax' });
const rows = (...values: number[]) => tf.tensor2d(values, [values.length / 3, 3]);
const loss = 'categoricalCrossentropy';
const knownLosses = [
  /categoricalCrossentropy/,
  /sparseCategoricalCrossentropy/,
  /binaryCrossentropy/,
  /meanSquaredError/,
  /softmaxCrossEntropy/,
  /sigmoidCrossEntropy/,
];

const badCalls: Record<string, BadCall> = {
  'a model without weights': {
    model: () => chain(layers.flatten({ inputShape: [2, 1] }), layers.softmax()),
    options: { loss },
    names: [/weights/],
  },
  'a model with every layer frozen': {
    model: () => {
      const model = classifier();
      for (const layer of model.layers) {
        layer.trainable = false;
      }
      return model;
    },
    options: { loss },
    names: [/frozen|trainable/],
  },
  'a model that is not built: without layers': {
    model: () => tfl.sequential(),
    inputs: () => rows(1, 2, 3),
    options: { loss },
    names: [/built|layers/],
  },
  'something that is no model': {
    model: () => ({ predict: () => 0 }) as unknown as tfl.LayersModel,
    inputs: () => rows(1, 2, 3),
    options: { loss },
    names: [/model/i],
  },
  'inputs of the wrong width': {
    model: classifier,
    inputs: () => tf.ones([5, 4]),
    options: { loss },
    names: [/\[5, ?4\]/, /3/, /bad_hidden_input/],
  },
  'inputs of the wrong rank': {
    model: classifier,
    inputs: () => tf.ones([3]),
    options: { loss },
    names: [/\[3\]/, /bad_hidden_input/],
  },
  'inputs of the wrong dtype': {
    model: classifier,
    inputs: () => tf.complex(tf.ones([5, 3]), tf.ones([5, 3])),
    options: { loss },
    names: [/complex64/, /float32/],
  },
  'text as inputs': {
    model: classifier,
    inputs: () => tf.tensor2d([['a', 'b', 'c']]),
    options: { loss },
    names: [/string/, /float32/],
  },
  'inputs that are no tensor': {
    model: classifier,
    inputs: () => [[1, 2, 3]],
    options: { loss },
    names: [/tensor/],
  },
  'no inputs': { model: classifier, inputs: () => undefined, options: { loss }, names: [/inputs/, /tensor/] },
  'a disposed tensor': {
    model: classifier,
    inputs: () => {
      const x = tf.ones([5, 3]);
      x.dispose();
      return x;
    },
    options: { loss },
    names: [/disposed/],
  },
  'two tensors for one input': {
    model: classifier,
    inputs: () => [tf.ones([5, 3]), tf.ones([5, 3])],
    options: { loss },
    names: [/2/, /bad_hidden_input/, /^The model has 1 input \([^)]+\), but 2 were given: /],
  },
  'inputs under a wrong name': {
    model: classifier,
    inputs: () => ({ pixels: tf.ones([5, 3]) }),
    options: { loss },
    names: [/bad_hidden_input/],
  },
  'different numbers of samples': {
    model: () => {
      const [a, b] = [tfl.input({ shape: [3] }), tfl.input({ shape: [3] })];
      const joined = layers.concatenate().apply([a, b]) as tfl.SymbolicTensor;
      return tfl.model({ inputs: [a, b], outputs: head().apply(joined) as tfl.SymbolicTensor });
    },
    inputs: () => [tf.ones([5, 3]), tf.ones([4, 3])],
    options: { loss },
    names: [/samples/, /5/, /4/],
  },
  'zero samples': { model: classifier, inputs: () => tf.zeros([0, 3]), options: { loss }, names: [/samples/] },
  'NaN in a weight': {
    model: () => withWeight('bad_out/kernel', Number.NaN),
    options: { loss },
    names: [/bad_out/, /NaN/],
  },
  'infinity in a weight': {
    model: () => withWeight('bad_hidden/bias', Number.NEGATIVE_INFINITY),
    options: { loss },
    names: [/bad_hidden/, /infinit/],
  },
  'NaN in an input': {
    model: classifier,
    inputs: () => rows(1, 2, 3, 4, Number.NaN, 6),
    options: { loss },
    names: [/bad_hidden_input/, /NaN/],
  },
  'infinity in an input': {
    model: classifier,
    inputs: () => rows(1, 2, 3, 4, Number.POSITIVE_INFINITY, 6),
    options: { loss },
    names: [/bad_hidden_input/, /infinit/],
  },
  'no loss, model not compiled': { model: classifier, names: [/compile/, /loss/, ...knownLosses] },
  'a loss it does not know': {
    model: classifier,
    options: { loss: 'focal' as 'hinge' },
    names: [/focal/, ...knownLosses],
  },
  'a compiled loss it does not know': {
    model: () => classifier('softmax', { loss: tf.losses.computeWeightedLoss }),
    names: [/computeWeightedLoss/, /sampleWeight/],
  },
  'a function as the loss': {
    model: classifier,
    options: { loss: (y: tf.Tensor, p: tf.Tensor) => tf.sum(tf.mul(y, p)) },
    names: [/loss/, ...knownLosses],
  },
  'a custom function as the compiled loss': {
    model: () =>
      classifier('softmax', { loss: (y: tf.Tensor, p: tf.Tensor) => tf.losses.huberLoss(y, p) as tf.Scalar }),
    names: [/function/, /loss/, ...knownLosses],
  },
  'categoricalCrossentropy on a sigmoid': {
    model: () => classifier('sigmoid'),
    options: { loss },
    names: [/categoricalCrossentropy/, /sigmoid/, /softmax/, /bad_out/],
  },
  'sparseCategoricalCrossentropy on logits': {
    model: () => classifier('linear'),
    options: { loss: 'sparseCategoricalCrossentropy' },
    names: [/sparseCategoricalCrossentropy/, /softmaxCrossEntropy/, /bad_out/],
  },
  'binaryCrossentropy on a softmax': {
    model: classifier,
    options: { loss: 'binaryCrossentropy' },
    names: [/binaryCrossentropy/, /softmax/, /sigmoid/, /bad_out/],
  },
  'softmaxCrossEntropy on a softmax': {
    model: classifier,
    options: { loss: 'softmaxCrossEntropy' },
    names: [/softmaxCrossEntropy/, /categoricalCrossentropy/, /bad_out/],
  },
  'sigmoidCrossEntropy on a sigmoid': {
    model: () => classifier('sigmoid'),
    options: { loss: 'sigmoidCrossEntropy' },
    names: [/sigmoidCrossEntropy/, /binaryCrossentropy/, /bad_out/],
  },
  'a model with two outputs and one loss listed': {
    model: () => {
      const input = tfl.input({ shape: [3] });
      const outputs = [head(), head()].map((layer) => layer.apply(input) as tfl.SymbolicTensor);
      return tfl.model({ inputs: input, outputs });
    },
    options: { loss: [loss] },
    names: [/outputs/, /one for each/],
  },
  'an output of numbers without rows': {
    model: () => chain(layers.dense({ units: 2, inputShape: [3] }), layers.reshape({ targetShape: [] })),
    inputs: () => tf.ones([1, 3]),
    options: { loss: 'meanSquaredError' },
    names: [/Output '/, /samples, K/],
  },
  'a layer that keeps state': {
    model: () =>
      chain(
        layers.lstm({
          name: 'bad_state',
          units: 2,
          recurrentInitializer: 'zeros',
          stateful: true,
          batchInputShape: [5, 4, 3],
        }),
        head(),
      ),
    options: { loss },
    names: [/bad_state/, /stateful/],
  },
  'memoryMB of zero': { model: classifier, options: { loss, memoryMB: 0 }, names: [/memoryMB/, /above 0/] },
  'negative memoryMB': { model: classifier, options: { loss, memoryMB: -5 }, names: [/memoryMB/, /-5/] },
  'memoryMB that is no number': { model: classifier, options: { loss, memoryMB: '64' }, names: [/memoryMB/, /64/] },
  'NaN as memoryMB': { model: classifier, options: { loss, memoryMB: Number.NaN }, names: [/memoryMB/, /NaN/] },
  'a method it does not know': {
    model: classifier,
    options: { loss, method: 'fast' },
    names: [/method/, /fast/, /exact/],
  },
  'a method that JSON does not know': {
    model: classifier,
    options: { loss, method: 7n },
    names: [/^method: 7n is not known/],
  },
  'a hole in a list of losses': {
    model: classifier,
    options: { loss: [undefined] },
    names: [/^loss: undefined is not known\. Pass one of/],
  },
  'a multiple of a loss by text': {
    model: classifier,
    options: { loss: { loss: 'mse', factor: '2' } },
    names: [/^loss: factor must be a finite number above 0, but it is '2'\.$/],
  },
  'NaN as a weight of a loss': {
    model: classifier,
    options: { loss, lossWeights: [Number.NaN] },
    names: [/^lossWeights: \[NaN\] is not a list of weights/],
  },
  'a signal that is none': { model: classifier, options: { loss, signal: true }, names: [/signal/, /AbortSignal/] },
  'progress that is no function': {
    model: classifier,
    options: { loss, onProgress: 3 },
    names: [/onProgress/, /function/],
  },
  'too few sample weights': {
    model: classifier,
    options: { loss, sampleWeight: [1, 2] },
    names: [/sampleWeight/, /2/, /5/],
  },
  'a negative sample weight': {
    model: classifier,
    options: { loss, sampleWeight: [1, 1, -1, 1, 1] },
    names: [/sampleWeight/, /-1|negative|at least 0/],
  },
  'a sample weight that is NaN': {
    model: classifier,
    options: { loss, sampleWeight: [1, 1, Number.NaN, 1, 1] },
    names: [/sampleWeight/, /NaN|finite/],
  },
};

/** Kernels that finding a NaN may need; running the network needs others. */
const looking = /^(Sum|Identity|Cast|Reshape|Pack|Slice|Max|Min|IsFinite|All|LogicalNot|Abs|Multiply|Concat)$/;

afterEach(() => vi.restoreAllMocks());

test.each(Object.entries(badCalls))('%s: one clear line, nothing computed, nothing leaked', async (_name, bad) => {
  const model = bad.model();
  const inputs = bad.inputs
    ? bad.inputs(model)
    : tf.ones([model.inputs[0]!.shape[0] ?? 5, ...(model.inputs[0]!.shape.slice(1) as number[])]);
  const calls = (model.layers ?? []).map((layer) => vi.spyOn(layer, 'call'));
  const before = tf.memory().numTensors;
  let error: unknown;
  const { kernels } = await tf.profile(async () => {
    error = await measureSharpness(model, inputs as tf.Tensor, bad.options as MeasureOptions).then(
      () => undefined,
      (reason) => reason,
    );
    return [];
  });
  expect(error).toBeInstanceOf(Error);
  const { message } = error as Error;
  expect(message).not.toContain('\n');
  expect(message.length).toBeLessThan(330);
  for (const name of bad.names) {
    expect(message).toMatch(name);
  }
  for (const call of calls) {
    expect(call).not.toHaveBeenCalled();
  }
  expect(kernels.map(({ name }) => name).filter((name) => !looking.test(name))).toEqual([]);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(inputs as tf.TensorContainer);
  tf.disposeVariables();
});

test('a signal that was aborted before: its reason, nothing computed', async () => {
  const model = classifier();
  const inputs = tf.ones([5, 3]);
  const reason = new Error('enough');
  const before = tf.memory().numTensors;
  const { kernels } = await tf.profile(async () => {
    await expect(measureSharpness(model, inputs, { loss, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    return [];
  });
  expect(kernels).toEqual([]);
  expect(tf.memory().numTensors).toBe(before);
  inputs.dispose();
  model.dispose();
});

test('memory that does not hold one sample: how much it takes', async () => {
  const model = classifier();
  const inputs = tf.ones([5, 3]) as tf.Tensor;
  const before = tf.memory().numTensors;
  await expect(measureSharpness(model, inputs, { loss, memoryMB: 1e-6 })).rejects.toThrow(/^memoryMB.*one sample.*$/);
  expect(tf.memory().numTensors).toBe(before);
  inputs.dispose();
  model.dispose();
});

test('a sequential model with an inputShape is built enough, also before it was compiled or called', async () => {
  const model = tfl.sequential({ layers: [layers.dense({ units: 2, activation: 'softmax', inputShape: [3] })] });
  const inputs = rows(1, 2, 3);
  const { numTensors } = tf.memory();
  const { minimumSharpness } = await measureSharpness(model, inputs, { loss });
  expect(minimumSharpness).toBeGreaterThan(0);
  // Building makes the variables, if they were not made before.
  expect(tf.memory().numTensors - numTensors).toBeLessThanOrEqual(2);
  inputs.dispose();
  model.dispose();
});
