import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minimumSharpnessGradients } from '../../src/control/sharpness-gradients.js';
import { unfold } from '../../src/curvature/graph.js';
import { traceGradientKernel } from '../../src/curvature/trace-gradients.js';
import { cutAtLoss } from '../../src/loss.js';
import type { Loss } from '../brute-force/jacobian.js';
import { anyNetwork, buildNetwork, losses, type NetworkSpec } from '../brute-force/random-model.js';
import { sharpnessAlong } from '../brute-force/sharpness-differences.js';
import { referenceTraces } from '../brute-force/traces.js';
import { lcg, setGoldenWeights } from '../golden-network.js';

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
/** One loss of a kind. */
const someLosses = ['categoricalCrossentropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const;
const cases = [
  ...Object.entries(denseNetworks).flatMap(([name, make]) => losses.map((loss) => ({ name, make, loss }))),
  ...Object.entries(convolves ? convolutionalNetworks : {}).flatMap(([name, make]) =>
    someLosses.map((loss) => ({ name, make, loss })),
  ),
];

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
    if (kinkDistance > 1e-4 && [...traces.values()].every((trace) => trace > 0)) return { model, inputs };
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
          const { traces, total, kinkDistance } = referenceTraces(model, spec.loss, inputs);
          fc.pre(kinkDistance > 1e-4);
          fc.pre([...traces.values()].every((trace) => trace === 0 || trace > 1e-6 * total));
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
          expect(Math.abs(slope - reference.slope(direction))).toBeLessThanOrEqual(1e-3 * scale + 1e-6 * total);
        } finally {
          tf.dispose(inputs);
          model.optimizer?.dispose();
          tf.disposeVariables();
        }
      }),
      { numRuns: Number(process.env.BRUTE_FORCE_RUNS ?? 40) },
    );
  });
});

/** The same network without what gradients do not pass through, and on wasm without convolutions. */
function withinReach(spec: NetworkSpec): NetworkSpec {
  const renamed = JSON.stringify(spec).replaceAll('"softplus"', '"tanh"').replaceAll('"elu"', '"sigmoid"');
  const plain = JSON.parse(renamed) as NetworkSpec;
  const blocks = plain.blocks.map((block) => (block.kind === 'conv' ? { ...block, dilation: [1, 1] as const } : block));
  return { ...plain, blocks, inputShape: convolves ? plain.inputShape : plain.inputShape.slice(-1) };
}
void unfold;
void traceGradientKernel;
void cutAtLoss;
