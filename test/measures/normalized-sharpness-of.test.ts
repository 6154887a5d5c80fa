import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { measuredAsWhole, registerLayerRule } from '../../src/layers.js';
import { gaussNewtonDiagonal, normalizedSharpness, normalizedSharpnessOf } from '../../src/measures.js';
import { smallNetwork } from './small-network.js';

const loss = 'softmaxCrossEntropy';

it('is the sum over the kernels of a network, and leaves biases out', async () => {
  const { model, x, weights } = smallNetwork();
  const { numTensors } = tf.memory();
  const { value, matrices, samples, assumptions } = await normalizedSharpnessOf(model, x, { loss });
  expect(tf.memory().numTensors).toBe(numTensors);
  const { parameters } = await gaussNewtonDiagonal(model, x, { loss });
  const kernels = [0, 2, 4].map((b) => {
    const [rows, columns] = parameters[b]!.shape as [number, number];
    return { rows, columns, weights: weights[b]!.dataSync(), curvature: parameters[b]!.diagonal };
  });
  expect(value).toBeCloseTo(normalizedSharpness(kernels), 6);
  matrices.forEach((each, i) => {
    expect(each.name).toBe(parameters[2 * i]!.name);
    expect(each.value).toBeCloseTo(normalizedSharpness([kernels[i]!]), 6);
  });
  expect(samples).toBe(12);
  expect(assumptions[0]).toMatch(/^Kernels alone count: '.*bias', '.*bias' and '.*bias' are left out\.$/);
  model.dispose();
});

/** A convolution, a depthwise one, another and a dense layer. */
function convolutional() {
  const { layers, initializers } = tfl;
  const kernel = (seed: number) => ({
    kernelInitializer: initializers.heNormal({ seed }),
    depthwiseInitializer: initializers.heNormal({ seed }),
    biasInitializer: initializers.randomNormal({ stddev: 0.2, seed: seed + 10 }),
  });
  const model = tfl.sequential({
    layers: [
      layers.conv2d({ filters: 3, kernelSize: 2, activation: 'relu', inputShape: [6, 6, 2], ...kernel(1) }),
      layers.depthwiseConv2d({ depthMultiplier: 2, kernelSize: 2, activation: 'relu', ...kernel(2) }),
      layers.batchNormalization(),
      layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', ...kernel(3) }),
      layers.flatten(),
      layers.dense({ units: 3, ...kernel(4) }),
    ],
  });
  return { model, x: tf.randomNormal([10, 6, 6, 2], 0, 1, 'float32', 5) };
}

it('takes one factor for all taps of a pair of channels: rescaling channels does not change it', async () => {
  const { model, x } = convolutional();
  const before = await normalizedSharpnessOf(model, x, { loss });
  expect(before.matrices.map(({ name }) => name.replace(/^.*\//, ''))).toEqual([
    'kernel',
    'depthwise_kernel',
    'kernel',
    'kernel',
  ]);
  expect(before.assumptions[0]).toMatch(/^Kernels alone count: .* are left out\.$/);
  expect(before.value).toBeGreaterThan(0);
  const outputs = (model.predict(x) as tf.Tensor).dataSync();
  // Channels of the first convolution times these, those of the depthwise one divided by them, and times others, which gamma takes away.
  const [a, b] = [
    [0.5, 3, 7],
    [2, 0.1, 5, 0.3, 1.5, 9],
  ];
  const scaled = (weight: tf.Tensor, factors: number[], axis: number) =>
    tf.mul(
      weight,
      tf.reshape(
        tf.tensor1d(factors),
        weight.shape.map((_, i) => (i === axis ? factors.length : 1)),
      ),
    );
  tf.tidy(() => {
    const inverse = (factors: number[]) => factors.map((each) => 1 / each);
    const [first, depthwise, normalization] = model.layers as [tfl.layers.Layer, tfl.layers.Layer, tfl.layers.Layer];
    const [kernel, bias] = first.getWeights() as [tf.Tensor, tf.Tensor];
    first.setWeights([scaled(kernel, a!, 3), scaled(bias, a!, 0)]);
    const [ofChannels, ofOutputs] = depthwise.getWeights() as [tf.Tensor, tf.Tensor];
    const outer = tf.reshape(tf.tensor1d(b!), [1, 1, 3, 2]);
    depthwise.setWeights([tf.mul(scaled(ofChannels, inverse(a!), 2), outer), scaled(ofOutputs, b!, 0)]);
    const [gamma, beta, mean, variance] = normalization.getWeights() as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    normalization.setWeights([scaled(gamma, inverse(b!), 0), beta, scaled(mean, b!, 0), variance]);
  });
  const moved = (model.predict(x) as tf.Tensor).dataSync();
  outputs.forEach((each, i) => {
    expect(moved[i]!).toBeCloseTo(each, 3);
  });
  const after = await normalizedSharpnessOf(model, x, { loss });
  after.matrices.forEach(({ value }, i) => {
    expect(value / before.matrices[i]!.value).toBeCloseTo(1, 3);
  });
  model.dispose();
  x.dispose();
});

it('refuses in one line a model without a kernel that is trained', async () => {
  const { layers } = tfl;
  const model = tfl.sequential({ layers: [layers.batchNormalization({ inputShape: [3] })] });
  const x = tf.randomNormal([5, 3], 0, 1, 'float32', 6);
  await expect(normalizedSharpnessOf(model, x, { loss })).rejects.toThrow(
    /^normalizedSharpnessOf: no kernel .* is trained, .*\.$/,
  );
  model.dispose();
  x.dispose();
});

it('counts matrices that an input is multiplied with, no embeddings and no gammas of whatever rank', async () => {
  const { layers, initializers } = tfl;
  const kernelInitializer = initializers.heNormal({ seed: 1 });
  const model = tfl.sequential({
    layers: [
      layers.embedding({
        inputDim: 7,
        outputDim: 3,
        inputLength: 4,
        embeddingsInitializer: initializers.randomNormal({ seed: 2 }),
      }),
      layers.layerNormalization({ axis: [1, 2] }),
      layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'relu', kernelInitializer }) }),
      layers.simpleRNN({ units: 4, kernelInitializer, recurrentInitializer: initializers.randomNormal({ seed: 3 }) }),
      layers.dense({ units: 3, kernelInitializer }),
    ],
  });
  const x = tf.tensor2d([
    [0, 1, 2, 3],
    [6, 5, 4, 3],
    [2, 2, 0, 1],
  ]);
  const { matrices, assumptions } = await normalizedSharpnessOf(model, x, { loss });
  expect(matrices.map(({ name }) => name.replace(/^.*\//, ''))).toEqual(['kernel', 'kernel', 'kernel']);
  // The biases of the other three layers and the recurrent kernel.
  expect(assumptions[0]).toMatch(
    /^Kernels alone count: '.*\/embeddings', '.*\/gamma', '.*\/beta' and 4 more are left out\.$/,
  );
  model.dispose();
  x.dispose();
});

it('refuses a network of gammas before it runs a sample', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.layerNormalization({ axis: [1, 2], inputShape: [3, 2] })] });
  const x = tf.randomNormal([5, 3, 2], 0, 1, 'float32', 6);
  const seen: number[] = [];
  const onProgress = ({ samples }: { readonly samples: number }) => {
    seen.push(samples);
  };
  await expect(normalizedSharpnessOf(model, x, { loss: 'meanSquaredError', onProgress })).rejects.toThrow(
    /^normalizedSharpnessOf: no kernel/,
  );
  expect(seen).toEqual([]);
  model.dispose();
  x.dispose();
});

/** x W, without a bias. */
class Product extends tfl.layers.Layer {
  kernel!: tfl.LayerVariable;
  override build(): void {
    this.kernel = this.addWeight('kernel', [4, 3], 'float32', tfl.initializers.heNormal({ seed: 1 }));
  }
  override computeOutputShape([samples]: number[]): number[] {
    return [samples!, 3];
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor2D];
    return tf.matMul(x, this.kernel.read() as tf.Tensor2D);
  }
  static get className(): string {
    return 'ProductOfNormalized';
  }
}

it('of a layer with a rule of its own counts what that lists, as it does of a dense layer', async () => {
  const kernelInitializer = tfl.initializers.heNormal({ seed: 1 });
  const dense = tfl.sequential({
    layers: [tfl.layers.dense({ units: 3, useBias: false, inputShape: [4], kernelInitializer })],
  });
  const own = tfl.sequential({ layers: [new Product({ inputShape: [4] })] });
  const x = tf.randomNormal([9, 4], 0, 1, 'float32', 2);
  const right = await normalizedSharpnessOf(dense, x, { loss });
  for (const isListed of [true, false]) {
    registerLayerRule('ProductOfNormalized', (layer, parameter) => {
      const parameters = [parameter((layer as Product).kernel, 'kernel')];
      return [{ ...measuredAsWhole(layer, 'affine', parameters), ...(isListed && { matrices: parameters }) }];
    });
    const found = normalizedSharpnessOf(own, x, { loss });
    await (isListed
      ? expect(found.then(({ value }) => value / right.value)).resolves.toBeCloseTo(1, 5)
      : expect(found).rejects.toThrow(/^normalizedSharpnessOf: no kernel/));
  }
  for (const each of [dense, own, x]) {
    each.dispose();
  }
});

it('refuses matrices of a rule of its own that are none before anything is measured', async () => {
  const own = tfl.sequential({ layers: [new Product({ inputShape: [4] })] });
  const x = tf.randomNormal([9, 4], 0, 1, 'float32', 2);
  const seen: unknown[] = [];
  const onProgress = (progress: unknown) => {
    seen.push(progress);
  };
  registerLayerRule('ProductOfNormalized', (layer, parameter) => {
    const { kernel } = layer as Product;
    const whole = measuredAsWhole(layer, 'affine', [parameter(kernel, 'kernel')]);
    return [{ ...whole, matrices: [kernel as never] }];
  });
  for (const found of [
    normalizedSharpnessOf(own, x, { loss, onProgress }),
    measureSharpness(own, x, { loss, onProgress }),
  ]) {
    await expect(found).rejects.toThrow(/^The rule of layer '.*' .*: matrices must be some of its parameters, .*\.$/);
  }
  expect(seen).toEqual([]);
  own.dispose();
  x.dispose();
});

/** x W for W of shape [in, heads, out]. */
class Heads extends Product {
  override build(): void {
    this.kernel = this.addWeight('kernel', [4, 2, 3], 'float32', tfl.initializers.heNormal({ seed: 1 }));
  }
  override computeOutputShape([samples]: number[]): number[] {
    return [samples!, 6];
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor2D];
    return tf.matMul(x, tf.reshape(this.kernel.read(), [4, 6]) as tf.Tensor2D);
  }
  static override get className(): string {
    return 'HeadsOfNormalized';
  }
}

it('says that it takes the first axes of a kernel for taps, where a rule of its own lists one', async () => {
  registerLayerRule('HeadsOfNormalized', (layer, parameter) => {
    const parameters = [parameter((layer as Product).kernel, 'kernel')];
    return [{ ...measuredAsWhole(layer, 'affine', parameters), matrices: parameters }];
  });
  const model = tfl.sequential({ layers: [new Heads({ inputShape: [4] })] });
  const x = tf.randomNormal([9, 4], 0, 1, 'float32', 2);
  const taps = /^'.*kernel' is taken for a kernel \[\.\.\.taps, in, out\], whose taps have one factor\.$/;
  const { assumptions } = await normalizedSharpnessOf(model, x, { loss });
  expect(assumptions.filter((each) => taps.test(each))).toHaveLength(1);
  const ofTfjs = convolutional();
  const convolutions = await normalizedSharpnessOf(ofTfjs.model, ofTfjs.x, { loss });
  expect(convolutions.assumptions.filter((each) => taps.test(each))).toEqual([]);
  model.dispose();
  x.dispose();
  ofTfjs.model.dispose();
  ofTfjs.x.dispose();
});

it('says that it is no sign of a good minimum where all units are dead', async () => {
  const { layers, initializers } = tfl;
  const network = (bias: number) =>
    tfl.sequential({
      layers: [
        layers.dense({
          units: 4,
          activation: 'relu',
          inputShape: [4],
          kernelInitializer: initializers.heNormal({ seed: 1 }),
          biasInitializer: initializers.constant({ value: bias }),
        }),
        layers.dense({ units: 3, kernelInitializer: initializers.heNormal({ seed: 2 }) }),
      ],
    });
  const x = tf.randomNormal([12, 4], 0, 1, 'float32', 5);
  const constant = /^No weight but biases has a trace: .* a small sharpness is no sign of a good minimum\.$/;
  const [dead, alive] = [network(-100), network(1)];
  const found = await normalizedSharpnessOf(dead, x, { loss });
  expect(found.value).toBe(0);
  expect(found.assumptions.filter((each) => constant.test(each))).toHaveLength(1);
  const other = await normalizedSharpnessOf(alive, x, { loss });
  expect(other.assumptions.filter((each) => constant.test(each))).toEqual([]);
  dead.dispose();
  alive.dispose();
  x.dispose();
});
