import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minimumSharpnessGradients } from '../../src/measure/sharpness-gradients.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { traceGradientKernel } from '../../src/traces/gradients/trace-gradients.js';
import type { Loss } from '../brute-force/jacobian.js';
import { anyNetwork, buildNetwork, losses, type NetworkSpec } from '../brute-force/random-model.js';
import { sharpnessAlong } from '../brute-force/sharpness-differences.js';
import { referenceTraces } from '../brute-force/traces.js';
import { lcg, setGoldenWeights } from './golden-network.js';

const { dense, conv2d, maxPooling2d, averagePooling2d, flatten, batchNormalization, reLU } = tfl.layers;

// wasm has no gradient of a convolution's kernel.
const convolves = tf.getBackend() !== 'wasm';

/** The last layer, as each loss wants it. */
function head(loss: Loss): tfl.layers.Layer {
  const softmax = loss.endsWith('ategoricalCrossentropy');
  return dense({ units: 3, activation: softmax ? 'softmax' : loss === 'binaryCrossentropy' ? 'sigmoid' : 'linear' });
}

const chain = (inputShape: number[], ...layers: tfl.layers.Layer[]) =>
  tfl.sequential({ layers: [tfl.layers.inputLayer({ inputShape }), ...layers] });

function residual(loss: Loss): tfl.LayersModel {
  const input = tfl.input({ shape: [4, 4, 1] });
  const first = conv2d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' }).apply(input);
  const second = conv2d({ filters: 2, kernelSize: [2, 3], padding: 'same' }).apply(first);
  const sum = tfl.layers.add().apply([first, second] as tfl.SymbolicTensor[]);
  const pooled = tfl.layers.globalAveragePooling2d({}).apply(reLU().apply(sum));
  return tfl.model({ inputs: input, outputs: head(loss).apply(pooled) as tfl.SymbolicTensor });
}

const denseNetworks: Readonly<Record<string, (loss: Loss) => tfl.LayersModel>> = {
  'dense layers': (loss) =>
    chain(
      [4],
      dense({ units: 5, activation: 'relu' }),
      dense({ units: 4 }),
      tfl.layers.leakyReLU({ alpha: 0.2 }),
      head(loss),
    ),
  'smooth activations': (loss) =>
    chain([3], dense({ units: 4, activation: 'tanh' }), dense({ units: 4, activation: 'sigmoid' }), head(loss)),
  'batch normalization': (loss) =>
    chain([4], dense({ units: 5, useBias: false }), batchNormalization(), reLU(), dense({ units: 4 }), head(loss)),
  // The first norm comes from Gram matrices over the positions, the second from explicit gradients.
  'dense layers on sequences': (loss) =>
    chain(
      [2, 6],
      dense({ units: 6, activation: 'relu' }),
      dense({ units: 2, activation: 'relu' }),
      flatten(),
      head(loss),
    ),
};

const convolutionalNetworks: Readonly<Record<string, (loss: Loss) => tfl.LayersModel>> = {
  'max pooling': (loss) =>
    chain(
      [6, 6, 1],
      conv2d({ filters: 3, kernelSize: 3, activation: 'relu', padding: 'same' }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 2, kernelSize: 2, activation: 'relu' }),
      flatten(),
      head(loss),
    ),
  'overlapping max pooling': (loss) =>
    chain(
      [5, 6, 1],
      conv2d({ filters: 2, kernelSize: 2, padding: 'same' }),
      maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      conv2d({ filters: 2, kernelSize: 2, activation: 'relu' }),
      flatten(),
      head(loss),
    ),
  'average pooling': (loss) =>
    chain(
      [6, 5, 1],
      conv2d({ filters: 2, kernelSize: 3, activation: 'relu' }),
      averagePooling2d({ poolSize: 2, strides: 1 }),
      conv2d({ filters: 2, kernelSize: 2, strides: 2 }),
      averagePooling2d({ poolSize: 2, padding: 'same' }),
      flatten(),
      head(loss),
    ),
  'batch normalization of images': (loss) =>
    chain(
      [5, 5, 2],
      conv2d({ filters: 2, kernelSize: 2, strides: 2, padding: 'same' }),
      batchNormalization(),
      reLU(),
      conv2d({ filters: 2, kernelSize: 2 }),
      batchNormalization(),
      reLU(),
      tfl.layers.globalMaxPooling2d({}),
      head(loss),
    ),
  'a residual block': residual,
};
/** One loss of a kind; all losses with the first network of each table. */
const someLosses = ['categoricalCrossentropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const;
const cases = [denseNetworks, ...(convolves ? [convolutionalNetworks] : [])].flatMap((networks) =>
  Object.entries(networks).flatMap(([name, make], i) =>
    (i === 0 ? losses : someLosses).map((loss) => ({ name, make, loss })),
  ),
);

function batchFor(model: tfl.LayersModel, count: number, seed: number): tf.Tensor[] {
  return model.inputs.map(({ shape }, i) => {
    const full = [count, ...(shape.slice(1) as number[])];
    const size = full.reduce((a, b) => a * b, 1);
    return tf.tensor(
      lcg(seed + 7919 * i, size).map((u) => 2 * u - 1),
      full,
    );
  });
}

/** A golden model and a batch that stand far from kinks, where differences mean something. */
function farFromKinks(make: () => tfl.LayersModel, loss: Loss, count = 2) {
  const model = make();
  for (let seed = 1; seed < 200; seed++) {
    setGoldenWeights(model, seed);
    const inputs = batchFor(model, count, seed);
    const { traces, kinkDistance } = referenceTraces(model, loss, inputs);
    if (kinkDistance > 1e-4 && [...traces.values()].every((trace) => trace > 0)) {
      return { model, inputs };
    }
    tf.dispose(inputs);
  }
  throw new Error('no such weights');
}

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
const difference = (a: ArrayLike<number>, b: ArrayLike<number>) => norm(Array.from(a, (v, i) => v - b[i]!));

/** Gradients by `Variable.originalName`, as arrays. */
function found(model: tfl.LayersModel, inputs: tf.Tensor[], options: Parameters<typeof minimumSharpnessGradients>[2]) {
  const result = minimumSharpnessGradients(model, inputs, options);
  const gradients = new Map(
    result.parameters.map(({ name, gradient }) => {
      const weight = model.weights.find((each) => each.name === name)!;
      expect(gradient.shape).toEqual(weight.shape);
      return [weight.originalName, gradient.dataSync()];
    }),
  );
  tf.dispose(result.parameters.map(({ gradient }) => gradient));
  return { ...result, gradients };
}

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  tf.disposeVariables();
  expect(tf.memory().numTensors).toBeLessThanOrEqual(tensors);
});

describe('minimumSharpnessGradients', () => {
  it.each(cases)('agrees with differences in float64: $name, $loss', ({ make, loss }) => {
    const { model, inputs } = farFromKinks(() => make(loss), loss);
    const reference = sharpnessAlong(model, loss, inputs);
    const before = tf.memory().numTensors;
    const { minimumSharpness, gradients } = found(model, inputs, { loss });
    expect(tf.memory().numTensors).toBe(before);
    expect(Math.abs(minimumSharpness / reference.value() - 1)).toBeLessThan(1e-5);
    const expected = new Map([...gradients.keys()].map((key) => [key, reference.gradient(key)]));
    const whole = norm([...expected.values()].map(norm));
    expect(whole).toBeGreaterThan(0);
    for (const [key, gradient] of gradients) {
      const should = expected.get(key)!;
      // Squared error's own weights do not depend on the last bias: 0 there, up to rounding.
      expect(difference(gradient, should), key).toBeLessThan(1e-4 * norm(should) + 1e-7 * whole);
    }
    tf.dispose(inputs);
    model.dispose();
  });

  it('agrees with differences along random directions in networks of every kind that it takes', () => {
    fc.assert(
      fc.property(anyNetwork, (any) => {
        const spec = withinReach(any);
        const { model, inputs } = buildNetwork(spec);
        try {
          fc.pre(model.trainableWeights.length > 0);
          const { traces, total, kinkDistance, outputs } = referenceTraces(model, spec.loss, inputs);
          fc.pre(kinkDistance > 1e-4);
          // Some convolutions are wrong on the native backend (see the brute-force tests): no gradient of those.
          const predicted = tf.tidy(() => (model.predict(inputs) as tf.Tensor).dataSync());
          fc.pre(
            difference(
              predicted,
              outputs.flatMap((y) => [...y]),
            ) < 1e-4,
          );
          // Where float32 would lose digits, gradients are refused.
          fc.pre([...traces.values()].every((trace) => trace === 0 || trace > Math.max(1e-6 * total, 1e-20)));
          const { gradients } = found(model, inputs, { loss: spec.loss });
          const reference = sharpnessAlong(model, spec.loss, inputs);
          const names = [...gradients.keys()];
          const direction = new Map(
            names.map((name, b) => [
              name,
              Float64Array.from(lcg(spec.seed + b, gradients.get(name)!.length), (u) => u - 0.5),
            ]),
          );
          const products = names.map((name) =>
            Array.from(gradients.get(name)!, (g, i) => g * direction.get(name)![i]!),
          );
          const slope = products.flat().reduce((sum, product) => sum + product, 0);
          const scale = norm(names.map((name) => norm(gradients.get(name)!) * norm(direction.get(name)!)));
          expect(Math.abs(slope - reference.slope(direction))).toBeLessThanOrEqual(1e-3 * scale + 1e-6 * total + 1e-12);
        } finally {
          tf.dispose(inputs);
          model.optimizer?.dispose();
          tf.disposeVariables();
        }
      }),
      { numRuns: Number(process.env.BRUTE_FORCE_RUNS ?? 25) },
    );
  });

  it('takes outputs with positions', () => {
    const positions = (...end: tfl.layers.Layer[]) =>
      chain([3, 2], dense({ units: 4, activation: 'relu' }), dense({ units: 2 }), ...end);
    const [sequence, flat] = [positions(), positions(flatten())];
    setGoldenWeights(flat, 4);
    sequence.setWeights(flat.getWeights());
    const inputs = batchFor(flat, 2, 4);
    const loss = 'meanSquaredError';
    // The mean over positions and outputs is that over all outputs of the flat network.
    const expected = [...found(flat, inputs, { loss }).gradients.values()];
    const gradients = [...found(sequence, inputs, { loss }).gradients.values()];
    expected.slice(0, 2).forEach((should, b) => {
      expect(norm(should)).toBeGreaterThan(0);
      expect(difference(gradients[b]!, should)).toBeLessThan(1e-5 * norm(should));
    });
    const { graph, heads } = subjectOfModel(sequence, { loss });
    const shapes: (readonly number[])[] = [];
    const drawn = (shape: readonly number[]) => {
      shapes.push(shape);
      return tf.ones([...shape]);
    };
    tf.dispose(traceGradientKernel(graph, heads).gradients(inputs, () => [1, 1, 1, 1], drawn).gradients);
    expect(shapes).toEqual([[6, 2]]);
    tf.dispose(inputs);
    flat.dispose();
    sequence.dispose();
  });

  it('adds up several outputs', () => {
    const input = tfl.input({ shape: [3] });
    const hidden = dense({ units: 4, activation: 'relu' }).apply(input) as tfl.SymbolicTensor;
    const ends = [2, 2].map((units) => dense({ units }).apply(hidden) as tfl.SymbolicTensor);
    const two = tfl.model({ inputs: input, outputs: ends });
    const joined = tfl.model({ inputs: input, outputs: tfl.layers.concatenate().apply(ends) as tfl.SymbolicTensor });
    setGoldenWeights(two, 6);
    const inputs = batchFor(two, 3, 6);
    // Each mean is over two outputs, that of the joined network over four.
    const whole = found(joined, inputs, { loss: 'meanSquaredError' });
    const parts = found(two, inputs, { loss: ['meanSquaredError', 'meanSquaredError'] });
    expect(parts.minimumSharpness / whole.minimumSharpness).toBeCloseTo(2, 4);
    for (const [name, gradient] of parts.gradients) {
      const half = Array.from(gradient, (g) => g / 2);
      expect(difference(whole.gradients.get(name)!, half)).toBeLessThan(1e-5 * norm(half) + 1e-7);
    }
    tf.dispose(inputs);
  });

  it('draws the signs from the seed', () => {
    const model = chain([3], dense({ units: 3, activation: 'relu' }), head('softmaxCrossEntropy'));
    setGoldenWeights(model, 11);
    const inputs = batchFor(model, 4, 11);
    const traces = (seed: number) =>
      found(model, inputs, { loss: 'softmaxCrossEntropy', columns: 'sign', seed }).parameters.map(({ trace }) => trace);
    expect(traces(1)).toEqual(traces(1));
    expect(traces(1)).not.toEqual(traces(2));
    tf.dispose(inputs);
    model.dispose();
  });

  it('is right where the largest outputs are equal, and where the network is certain', () => {
    for (const [loss, scale] of [
      ['softmaxCrossEntropy', 0],
      ['softmaxCrossEntropy', 40],
      ['sigmoidCrossEntropy', 40],
    ] as const) {
      const model = chain([3], dense({ units: 3, activation: 'tanh' }), dense({ units: 3 }));
      setGoldenWeights(model, 3);
      const kernel = model.layers.at(-1)!.weights[0]!;
      const bias = model.layers.at(-1)!.weights[1]!;
      tf.tidy(() => {
        if (scale > 0) {
          kernel.write(tf.mul(kernel.read(), scale));
          return;
        }
        const [first, , third] = tf.split(kernel.read(), 3, 1);
        kernel.write(tf.concat([first!, first!, third!], 1));
        bias.write(tf.tensor1d([2, 2, 0]));
      });
      const inputs = batchFor(model, 2, 3);
      const { gradients, minimumSharpness } = found(model, inputs, { loss });
      const reference = sharpnessAlong(model, loss, inputs);
      for (const [name, gradient] of gradients) {
        const expected = reference.gradient(name);
        expect(difference(gradient, expected), `${loss} ${scale} ${name}`).toBeLessThan(
          1e-3 * norm(expected) + 1e-6 * minimumSharpness,
        );
      }
      tf.dispose(inputs);
      model.dispose();
    }
  });

  it('is finite where sigmoids are saturated beyond float32', () => {
    const model = chain([1], dense({ units: 2, useBias: false }));
    tf.tidy(() => model.setWeights([tf.tensor2d([[300, -300]])]));
    const x = tf.tensor2d([[1]]);
    const { gradients } = found(model, [x], { loss: 'sigmoidCrossEntropy' });
    expect([...gradients.values()].map((gradient) => [...gradient])).toEqual([[0, 0]]);
    model.dispose();
    x.dispose();
  });

  it('is 0 where the traces do not depend on the weights', () => {
    const model = chain([2], dense({ units: 2 }));
    const x = tf.tensor2d([[1, 2]]);
    const { gradients, minimumSharpness } = found(model, [x], { loss: 'meanSquaredError' });
    expect(minimumSharpness).toBeCloseTo(12, 5);
    expect([...gradients.values()].map((gradient) => [...gradient])).toEqual([
      [0, 0, 0, 0],
      [0, 0],
    ]);
    model.dispose();
    x.dispose();
  });

  it('takes one-dimensional layers for images of height 1', () => {
    if (!convolves) {
      return;
    }
    const { conv1d, maxPooling1d, averagePooling1d } = tfl.layers;
    const flat = chain(
      [9, 2],
      conv1d({ filters: 3, kernelSize: 2, activation: 'relu' }),
      maxPooling1d({ poolSize: 2 }),
      conv1d({ filters: 2, kernelSize: 2, strides: 2 }),
      averagePooling1d({ poolSize: 2, strides: 1 }),
      flatten(),
      dense({ units: 3 }),
    );
    const image = chain(
      [1, 9, 2],
      conv2d({ filters: 3, kernelSize: [1, 2], activation: 'relu' }),
      maxPooling2d({ poolSize: [1, 2] }),
      conv2d({ filters: 2, kernelSize: [1, 2], strides: [2, 2] }),
      averagePooling2d({ poolSize: [1, 2], strides: [1, 1] }),
      flatten(),
      dense({ units: 3 }),
    );
    setGoldenWeights(image, 5);
    tf.tidy(() => flat.setWeights(image.getWeights().map((w, i) => tf.reshape(w, flat.weights[i]!.shape as number[]))));
    const inputs = batchFor(flat, 3, 5);
    const images = [tf.expandDims(inputs[0]!, 1)];
    const loss = 'softmaxCrossEntropy';
    const expected = [...found(image, images, { loss }).gradients.values()];
    [...found(flat, inputs, { loss }).gradients.values()].forEach((gradient, b) => {
      expect(norm(expected[b]!)).toBeGreaterThan(0);
      expect(difference(gradient, expected[b]!)).toBeLessThan(1e-5 * norm(expected[b]!));
    });
    tf.dispose([inputs, images]);
    flat.dispose();
    image.dispose();
  });

  const { layers } = tfl;
  const smooth = () => dense({ units: 2, activation: 'tanh' });
  const toImage = () => layers.reshape({ targetShape: [4, 2, 2] });
  type Layers = () => tfl.layers.Layer[];
  const others: readonly (readonly [name: string, middle: Layers, end?: Layers])[] = [
    ['permute', () => [toImage(), layers.permute({ dims: [2, 1, 3] }), smooth()]],
    ['repeat a vector', () => [layers.repeatVector({ n: 3 }), layers.timeDistributed({ layer: smooth() })]],
    [
      'crop',
      () => [
        toImage(),
        layers.cropping2D({
          cropping: [
            [1, 0],
            [0, 1],
          ],
        }),
        smooth(),
      ],
    ],
    ['enlarge', () => [toImage(), layers.upSampling2d({ size: [2, 3] }), smooth()]],
    [
      'enlarge by interpolation',
      () => [toImage(), layers.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }), smooth()],
    ],
    [
      'pool channels first',
      () => [toImage(), averagePooling2d({ poolSize: [1, 2], strides: [1, 1], dataFormat: 'channelsFirst' }), smooth()],
    ],
    // wasm has no gradient for picking the rows of single positions.
    ...(convolves ? [['end in positions', () => [toImage()], () => []] as const] : []),
  ];
  it.each(others.map(([name, middle, end = () => [flatten()]]) => ({ name, middle, end })))(
    'agrees with differences of Minimum Sharpness in float32 in layers that $name',
    ({ middle, end }) => {
      const model = chain([3], dense({ units: 16, activation: 'tanh' }), ...middle(), ...end(), dense({ units: 3 }));
      setGoldenWeights(model, 8);
      const inputs = batchFor(model, 2, 8);
      const loss = 'softmaxCrossEntropy';
      const { gradients } = found(model, inputs, { loss });
      const whole = norm([...gradients.values()].map(norm));
      const weights = model.weights.map((weight) => [...weight.read().dataSync()]);
      const valueAt = (direction: number[][], step: number) => {
        const moved = (b: number) => weights[b]!.map((v, i) => v + step * direction[b]![i]!);
        tf.tidy(() => model.setWeights(model.weights.map(({ shape }, b) => tf.tensor(moved(b), shape as number[]))));
        return found(model, inputs, { loss }).minimumSharpness;
      };
      for (const seed of [1, 2, 3]) {
        const direction = weights.map((w, b) => lcg(seed + 10 * b, w.length).map((u) => u - 0.5));
        const slope = (valueAt(direction, 0.01) - valueAt(direction, -0.01)) / 0.02;
        const expected = model.weights.flatMap(({ originalName }, b) =>
          direction[b]!.map((d, i) => d * gradients.get(originalName)![i]!),
        );
        const difference = slope - expected.reduce((sum, v) => sum + v, 0);
        expect(Math.abs(difference)).toBeLessThan(0.003 * whole * norm(direction.map(norm)));
      }
      tf.dispose(inputs);
      model.dispose();
    },
  );

  it.each<[string, tfl.layers.Layer[]]>([
    [
      "Layer 'odd' (gelu activation)",
      [dense({ units: 3 }), tfl.layers.activation({ activation: 'gelu', name: 'odd' })],
    ],
    ["Layer 'odd' (elu activation)", [dense({ units: 3, activation: 'elu', name: 'odd' })]],
    ["Layer 'odd' (PReLU)", [tfl.layers.prelu({ name: 'odd' })]],
    ["Layer 'odd' (LayerNormalization)", [dense({ units: 3 }), tfl.layers.layerNormalization({ name: 'odd' })]],
    [
      "Layer 'odd' (Conv2D)",
      [
        tfl.layers.reshape({ targetShape: [4, 4, 1] }),
        conv2d({ filters: 1, kernelSize: 2, dilationRate: 2, name: 'odd' }),
        flatten(),
      ],
    ],
    [
      "Layer 'odd' (SimpleRNN)",
      [
        tfl.layers.reshape({ targetShape: [4, 4] }),
        tfl.layers.simpleRNN({ units: 2, name: 'odd', recurrentInitializer: 'zeros' }),
      ],
    ],
  ])('refuses in one line what it cannot differentiate: %s', (named, layers) => {
    const model = chain([16], ...layers, dense({ units: 2 }));
    const x = tf.zeros([1, 16]);
    const refused = () => minimumSharpnessGradients(model, x, { loss: 'softmaxCrossEntropy' });
    expect(refused).toThrow(`${named} has no second derivative in tf.js`);
    x.dispose();
  });

  it('does not mind such a layer in front of the first trained weights', () => {
    const model = chain(
      [3],
      tfl.layers.activation({ activation: 'gelu' }),
      dense({ units: 3, activation: 'relu' }),
      dense({ units: 2 }),
    );
    const x = tf.randomNormal([2, 3]);
    expect(found(model, [x], { loss: 'softmaxCrossEntropy' }).gradients.size).toBe(4);
    x.dispose();
    model.dispose();
  });

  it('leaves nothing behind where it fails', () => {
    const model = chain([3], dense({ units: 3, activation: 'relu' }), dense({ units: 2 }));
    tf.tidy(() => model.setWeights(model.getWeights().map(({ shape }) => tf.fill(shape, Number.NaN))));
    const x = tf.ones([2, 3]);
    const before = tf.memory().numTensors;
    expect(() => minimumSharpnessGradients(model, x, { loss: 'softmaxCrossEntropy' })).toThrow(/trace of .* is NaN/);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });
});

/**
 * The same network without what gradients do not pass through, with equal strides (others are wrong on the native backend),
 * and on wasm without convolutions.
 */
function withinReach(spec: NetworkSpec): NetworkSpec {
  const renamed = JSON.stringify(spec).replaceAll('"softplus"', '"tanh"').replaceAll('"elu"', '"sigmoid"');
  const plain = JSON.parse(renamed) as NetworkSpec;
  const blocks = plain.blocks.map((block) =>
    block.kind === 'conv'
      ? { ...block, dilation: [1, 1] as const, strides: [block.strides[0], block.strides[0]] as const }
      : block,
  );
  return { ...plain, blocks, inputShape: convolves ? plain.inputShape : plain.inputShape.slice(-1) };
}
