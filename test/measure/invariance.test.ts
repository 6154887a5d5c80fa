import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { lcg, setGoldenWeights } from './golden-network.js';

/**
 * A rescaling that leaves the function unchanged, as log scales s of the tensors around each layer with weights:
 * kernel and gamma are multiplied by exp(out - in), bias and beta by exp(out), the moving mean by exp(in).
 */
type Scales = Readonly<Record<string, { readonly in: number; readonly out: number }>>;

interface Subject {
  readonly model: tfl.Sequential | tfl.LayersModel;
  readonly inputShape: number[];
  /** Scales from one log-uniform alpha of each layer that may choose its own, in the order of `layers`. */
  readonly scales: (alphas: readonly number[]) => Scales;
  readonly free: number;
}

/** Draws alphas until those of the layers that have no choice also stand in [1/10, 10]. */
function draw(subject: Subject, seed: number): Scales {
  const u = lcg(seed, 1000 * subject.free);
  for (let i = 0; i < 1000; i++) {
    const logs = u.slice(i * subject.free, (i + 1) * subject.free).map((v) => (2 * v - 1) * Math.log(10));
    const scales = subject.scales(logs);
    if (Object.values(scales).every((s) => Math.abs(s.out - s.in) <= Math.log(10))) {
      return scales;
    }
  }
  throw new Error('no rescaling found');
}

function rescale(model: tfl.LayersModel, scales: Scales): void {
  for (const layer of model.layers.filter(({ weights }) => weights.length > 0)) {
    const s = scales[layer.name]!;
    const factors: Record<string, number> = {
      kernel: Math.exp(s.out - s.in),
      gamma: Math.exp(s.out - s.in),
      bias: Math.exp(s.out),
      beta: Math.exp(s.out),
      moving_mean: Math.exp(s.in),
      moving_variance: 1,
    };
    for (const weight of layer.weights) {
      const kind = weight.originalName.slice(weight.originalName.lastIndexOf('/') + 1);
      tf.tidy(() => {
        weight.write(tf.mul(weight.read(), factors[kind]!));
      });
    }
  }
}

function denseNetwork(): Subject {
  const model = tfl.sequential();
  const layers = [12, 10, 8, 4].map((units, i) =>
    tfl.layers.dense({
      name: `rescaled_dense_${i}`,
      units,
      activation: i === 3 ? 'softmax' : 'relu',
      ...(i === 0 ? { inputShape: [6] } : {}),
    }),
  );
  for (const layer of layers) {
    model.add(layer);
  }
  return {
    model,
    inputShape: [6],
    free: 3,
    scales: (alphas) => {
      const s = [0];
      for (const alpha of alphas) {
        s.push(s.at(-1)! + alpha);
      }
      s.push(0);
      return Object.fromEntries(layers.map(({ name }, i) => [name, { in: s[i]!, out: s[i + 1]! }]));
    },
  };
}

function residualNetwork(): Subject {
  const conv = (name: string) =>
    tfl.layers.conv2d({ name: `rescaled_${name}`, filters: 3, kernelSize: 3, padding: 'same' });
  const norm = (name: string) => tfl.layers.batchNormalization({ name: `rescaled_${name}`, momentum: 0.5 });
  const through = (x: tfl.SymbolicTensor, ...layers: tfl.layers.Layer[]) =>
    layers.reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
  const relu = () => tfl.layers.reLU();
  const input = tfl.input({ shape: [6, 6, 1] });
  const stem = through(input, conv('c0'), norm('n0'), relu());
  const branch = through(stem, conv('c1'), norm('n1'), relu(), conv('c2'), norm('n2'));
  const joined = tfl.layers.add().apply([stem, branch]) as tfl.SymbolicTensor;
  const output = through(
    joined,
    relu(),
    tfl.layers.globalAveragePooling2d({}),
    tfl.layers.dense({ name: 'rescaled_out', units: 4, activation: 'softmax' }),
  );
  return {
    model: tfl.model({ inputs: input, outputs: output }),
    inputShape: [6, 6, 1],
    free: 5,
    // The branch must come back at the scale of the stem: n2 has no choice, nor has the last layer.
    scales: ([c0, n0, c1, n1, c2]) => {
      const stemScale = c0! + n0!;
      const inner = stemScale + c1! + n1!;
      return {
        rescaled_c0: { in: 0, out: c0! },
        rescaled_n0: { in: c0!, out: stemScale },
        rescaled_c1: { in: stemScale, out: stemScale + c1! },
        rescaled_n1: { in: stemScale + c1!, out: inner },
        rescaled_c2: { in: inner, out: inner + c2! },
        rescaled_n2: { in: inner + c2!, out: stemScale },
        rescaled_out: { in: stemScale, out: 0 },
      };
    },
  };
}

/** A few steps, on the pure-JavaScript backend: the wasm backend cannot train a convolution. */
async function train({ model, inputShape }: Subject, samples: number): Promise<void> {
  const backend = tf.getBackend();
  await tf.setBackend('cpu');
  setGoldenWeights(model, 42);
  const x = randomInputs(inputShape, samples, 1);
  const labels = tf.tidy(() =>
    tf.cast(
      tf.oneHot(
        tf
          .range(0, samples, 1, 'int32')
          .arraySync()
          .map((n) => n % 4),
        4,
      ),
      'float32',
    ),
  );
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  for (let step = 0; step < 15; step++) {
    await model.trainOnBatch(x, labels);
  }
  tf.dispose([x, labels]);
  model.optimizer.dispose();
  await tf.setBackend(backend);
}

function randomInputs(shape: number[], samples: number, seed: number): tf.Tensor {
  const all = [samples, ...shape];
  const size = all.reduce((a, b) => a * b, 1);
  return tf.tensor(
    lcg(seed, size).map((u) => 2 * u - 1),
    all,
  );
}

describe.each([
  ['a dense network with biases', denseNetwork],
  ['a residual network with batch normalization', residualNetwork],
])('rescaling %s', (_name, make) => {
  test('moves the plain trace tenfold and Minimum Sharpness not at all', async () => {
    const subject = make();
    const { model } = subject;
    await train(subject, 32);
    for (const weight of model.weights.filter(({ originalName }) => originalName.endsWith('moving_mean'))) {
      expect(Math.max(...weight.read().dataSync().map(Math.abs))).toBeGreaterThan(0.01);
    }
    const x = randomInputs(subject.inputShape, 16, 2);
    const outputs = () => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());
    const trained = model.getWeights().map((w) => w.clone());
    const original = outputs();
    const before = await measureSharpness(model, x);
    expect(before.minimumSharpness).toBeLessThan(before.trace);

    let largestChange = 1;
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
      model.setWeights(trained);
      rescale(model, draw(subject, seed));
      const rescaled = outputs();
      for (const [i, y] of original.entries()) {
        expect(Math.abs(rescaled[i]! / y - 1)).toBeLessThan(1e-4);
      }
      const after = await measureSharpness(model, x);
      expect(Math.abs(after.minimumSharpness / before.minimumSharpness - 1), `seed ${seed}`).toBeLessThan(1e-3);
      largestChange = Math.max(largestChange, after.trace / before.trace, before.trace / after.trace);
    }
    expect(largestChange).toBeGreaterThan(10);
    tf.dispose([x, ...trained]);
    model.dispose();
  });
});
