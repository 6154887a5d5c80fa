import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { unfold } from '../../src/network/graph.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { lcg } from '../measure/golden-network.js';

const { layers } = tfl;

interface Subject {
  readonly inputs: () => tfl.SymbolicTensor;
  readonly body: (x: tfl.SymbolicTensor) => tfl.SymbolicTensor;
  /** Number of scales that are free. */
  readonly free: number;
  /** Input tokens run from 0 to this number. */
  readonly tokens?: number;
  /** Layers that keep the scale of their input in a number of their own, and the bias that stands in front of them. */
  readonly follow?: Readonly<Record<string, string>>;
}

const through = (x: tfl.SymbolicTensor, ...chain: tfl.layers.Layer[]) =>
  chain.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
const merged = (layer: tfl.layers.Layer, ...inputs: tfl.SymbolicTensor[]) => layer.apply(inputs) as tfl.SymbolicTensor;
const image = () => tfl.input({ shape: [4, 4, 2] });
const vector = () => tfl.input({ shape: [5] });
const relu = () => layers.reLU();
const end = () => layers.dense({ units: 3, name: 'end' });

const subjects: Record<string, Subject> = {
  'transposed, depthwise and separable convolution': {
    inputs: image,
    free: 4,
    body: (x) =>
      through(
        x,
        layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, activation: 'relu' }),
        layers.separableConv2d({ filters: 3, kernelSize: 2, activation: 'relu' }),
        layers.conv2dTranspose({ filters: 2, kernelSize: 2, strides: 2, activation: 'relu' }),
        layers.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }),
        layers.cropping2D({ cropping: 1 }),
        layers.globalAveragePooling2d({}),
        end(),
      ),
  },
  'PReLU, permute, repeat, cropped volumes': {
    inputs: () => tfl.input({ shape: [3, 4, 4, 1] }),
    free: 3,
    body: (x) =>
      through(
        x,
        layers.conv3d({ filters: 2, kernelSize: 2, name: 'volume' }),
        layers.prelu({ sharedAxes: [1, 2, 3], alphaInitializer: 'randomUniform', name: 'slopes' }),
        layers.maxPooling3d({ poolSize: [1, 2, 2], strides: 1 }),
        layers.permute({ dims: [4, 1, 2, 3] }),
        layers.flatten(),
        layers.dense({ units: 4 }),
        layers.repeatVector({ n: 2 }),
        layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'relu' }) }),
        layers.flatten(),
        end(),
      ),
  },
  'an embedding, dot and multiply': {
    inputs: () => tfl.input({ shape: [4], dtype: 'int32' }),
    tokens: 6,
    free: 4,
    body: (x) => {
      const words = through(x, layers.embedding({ inputDim: 6, outputDim: 3, name: 'words' }));
      const [a, b, c] = ['a', 'b', 'c'].map((name) =>
        through(words, layers.dense({ units: 3, activation: 'relu', name })),
      );
      const products = merged(layers.dot({ axes: 2 }), a!, b!);
      const mixed = merged(layers.multiply(), merged(layers.dot({ axes: [2, 1] }), products, c!), c!);
      return through(mixed, layers.flatten(), end());
    },
  },
  'maximum, minimum and average': {
    inputs: vector,
    free: 1,
    body: (x) => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => through(x, layers.dense({ units: 4, name })));
      const joined = merged(layers.average(), merged(layers.maximum(), a!, b!), merged(layers.minimum(), b!, c!));
      return through(joined, relu(), end());
    },
  },
  'layer normalization': {
    inputs: vector,
    free: 4,
    follow: { normal: 'b/bias' },
    body: (x) =>
      through(
        x,
        layers.dense({ units: 4, activation: 'relu', name: 'a' }),
        layers.dense({ units: 6, name: 'b' }),
        layers.layerNormalization({
          name: 'normal',
          gammaInitializer: 'randomUniform',
          betaInitializer: 'randomUniform',
        }),
        relu(),
        layers.dense({ units: 4, activation: 'relu', name: 'c' }),
        end(),
      ),
  },
  'layer normalization in a residual branch': {
    inputs: vector,
    free: 4,
    follow: { normal: 'stem/bias' },
    body: (x) => {
      const stem = through(x, layers.dense({ units: 4, name: 'stem' }));
      const branch = through(
        stem,
        layers.layerNormalization({ name: 'normal' }),
        layers.dense({ units: 6, activation: 'relu', name: 'a' }),
        layers.prelu({ name: 'p' }),
        layers.dense({ units: 5, activation: 'relu', name: 'b' }),
        layers.dense({ units: 4, name: 'c' }),
      );
      return through(merged(layers.add(), stem, branch), relu(), end());
    },
  },
  'a cosine': {
    inputs: vector,
    free: 3,
    body: (x) => {
      const [a, b] = ['a', 'b'].map((name) => through(x, layers.dense({ units: 4, name })));
      return through(
        merged(layers.dot({ axes: 1, normalize: true }), a!, b!),
        layers.dense({ units: 2, activation: 'relu' }),
        end(),
      );
    },
  },
};

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function makeModel({ inputs, body, tokens }: Subject, samples: number) {
  const input = inputs();
  const model = tfl.model({ inputs: input, outputs: body(input) });
  model.weights.forEach((weight, i) => {
    const shape = weight.shape as number[];
    const values = lcg(100 + i, size(shape)).map((u) => (2 * u - 1) * 1.2);
    tf.tidy(() => {
      weight.write(tf.tensor(values, shape));
    });
  });
  const shape = [samples, ...(input.shape.slice(1) as number[])];
  const values = lcg(7, size(shape)).map((u) => (tokens ? Math.floor(tokens * u) : 2 * u - 1));
  return { model, x: tf.tensor(values, shape, tokens ? 'int32' : 'float32') };
}

/** Multiplies every weight as the symmetry says, at random; returns the factor of each by name. */
function rescale(model: tfl.LayersModel, seed: number, bound = 1): Map<string, number> {
  const { freedom, parameters } = scaleSymmetry(unfold(model));
  const x = lcg(seed, freedom).map((u) => (2 * u - 1) * bound);
  return new Map(
    parameters.map(({ parameter, exponent }) => {
      const factor = Math.exp(exponent.reduce((sum, c, i) => sum + c * x[i]!, 0));
      tf.tidy(() => {
        (parameter.variable as tfl.LayerVariable).write(tf.mul(parameter.variable.read(), factor));
      });
      return [parameter.name, factor];
    }),
  );
}

type WithEpsilon = tfl.layers.Layer & { epsilon: number };

function compare(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const largest = Math.max(...Array.from(expected, Math.abs));
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(tolerance * largest);
  }
}

describe.each(Object.entries(subjects))('rescaling a network with %s', (_, subject) => {
  test('leaves the function and Minimum Sharpness as they are', async () => {
    const { model, x } = makeModel(subject, 6);
    expect(scaleSymmetry(unfold(model)).freedom).toBe(subject.free);
    const outputs = () => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());
    const original = outputs();
    const options = { loss: 'softmaxCrossEntropy' } as const;
    const before = await measureSharpness(model, x, options);
    let largestChange = 1;
    const weights = model.getWeights().map((weight) => weight.clone());
    const followers = Object.entries(subject.follow ?? {}).map(([name, bias]) => {
      const layer = model.getLayer(name) as WithEpsilon;
      return { layer, bias, epsilon: layer.epsilon };
    });
    for (const seed of [1, 2, 3]) {
      model.setWeights(weights);
      const factors = rescale(model, seed);
      for (const { layer, bias, epsilon } of followers) {
        layer.epsilon = epsilon * factors.get(bias)! ** 2;
      }
      compare(outputs(), original, 1e-5);
      const after = await measureSharpness(model, x, options);
      expect(Math.abs(after.minimumSharpness / before.minimumSharpness - 1), `seed ${seed}`).toBeLessThan(1e-3);
      // Each trace moves as its weight's role says, whether or not it counts.
      after.parameters.forEach(({ name, trace }, b) => {
        const expected = before.parameters[b]!.trace / factors.get(name)! ** 2;
        expect(Math.abs(trace - expected), name).toBeLessThan(1e-3 * expected + 1e-9 * after.trace);
      });
      largestChange = Math.max(largestChange, after.trace / before.trace, before.trace / after.trace);
    }
    expect(largestChange).toBeGreaterThan(1.2);
    tf.dispose([x, ...weights]);
    model.dispose();
  });
});

describe('weights in front of a layer normalization', () => {
  const subject = subjects['layer normalization']!;

  test('do not count, and the reading says so', async () => {
    const { model, x } = makeModel(subject, 6);
    const reading = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
    const said = reading.assumptions.join('\n');
    expect(said).toMatch(/Normalization \('normal'\) takes away the scale of its input/);
    expect(said).toMatch(/the scale of .*goes to infinity/);
    // What is left: the part behind the normalization, by itself.
    const normalized = (model.getLayer('normal') as tfl.layers.Layer).input as tfl.SymbolicTensor;
    const features = tfl.model({ inputs: model.inputs, outputs: normalized });
    const input = tfl.input({ shape: [6] });
    const behind = model.layers.slice(model.layers.findIndex(({ name }) => name === 'normal'));
    const rest = tfl.model({ inputs: input, outputs: through(input, ...behind) });
    const between = features.predict(x) as tf.Tensor;
    const alone = await measureSharpness(rest, between, { loss: 'softmaxCrossEntropy' });
    expect(Math.abs(reading.minimumSharpness / alone.minimumSharpness - 1)).toBeLessThan(1e-4);
    tf.dispose([x, between]);
  });

  test('hardly count with an epsilon that stays as it is', async () => {
    const { model, x } = makeModel(subject, 6);
    (model.getLayer('normal') as WithEpsilon).epsilon = 1e-6;
    const before = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
    rescale(model, 4, 2);
    const after = await measureSharpness(model, x, { loss: 'softmaxCrossEntropy' });
    expect(Math.abs(after.minimumSharpness / before.minimumSharpness - 1)).toBeLessThan(1e-3);
    x.dispose();
    model.dispose();
  });
});
