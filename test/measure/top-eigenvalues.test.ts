import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  type MeasureOptions,
  measureFunctionSharpness,
  measureSharpness,
  type SharpnessReading,
  sampleSharpness,
} from '../../src/index.js';
import { estimateSharpness } from '../../src/measure/measure-sharpness.js';
import { type Loss, sampleJacobian, samplesOf, weightValues } from '../brute-force/jacobian.js';
import { outputHessian } from '../brute-force/output-hessian.js';

const { layers } = tfl;
const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.heNormal({ seed }) });
const noise = (shape: number[], seed = 3) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** A matrix of all trained weights, explicitly, in float64: sum_n J_n^T H_n J_n / N, each block times a factor. */
function gaussNewton(model: tfl.LayersModel, loss: Loss, x: tf.Tensor, factorOf: (name: string) => number): number[][] {
  const names = model.trainableWeights.map(({ originalName }) => originalName);
  const values = weightValues(model);
  const samples = samplesOf([x]);
  const size = names.reduce((sum, name) => sum + values.get(name)!.data.length, 0);
  const sum = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const sample of samples) {
    const { logits, rows } = sampleJacobian(model, loss, sample, values);
    const hessian = outputHessian(loss, logits);
    const jacobian = rows.map((row) =>
      names.flatMap((name) => Array.from(row.get(name)!, (each) => Math.sqrt(factorOf(name)) * each)),
    );
    const weighted = hessian.map((ofRow) => {
      const product = new Float64Array(size);
      ofRow.forEach((h, k) => {
        jacobian[k]!.forEach((each, i) => {
          product[i]! += (h * each) / samples.length;
        });
      });
      return product;
    });
    jacobian.forEach((row, k) => {
      row.forEach((each, i) => {
        for (let j = 0; j < size && each !== 0; j++) {
          sum[i]![j]! += each * weighted[k]![j]!;
        }
      });
    });
  }
  return sum;
}

/** The largest eigenvalues by orthogonal iteration. */
function largestEigenvalues(matrix: readonly number[][], count: number, steps = 100): number[] {
  let vectors = Array.from({ length: Math.min(count + 14, matrix.length) }, (_, b) =>
    matrix.map((_, i) => Math.sin(1 + b * 7.3 + i * (b + 1.7))),
  );
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, each, i) => sum + each * b[i]!, 0);
  const times = (v: readonly number[]) => matrix.map((row) => dot(row, v));
  for (let step = 0; step < steps; step++) {
    const next: number[][] = [];
    for (const product of vectors.map(times)) {
      let rest = product;
      for (const each of [...next, ...next]) {
        const along = dot(rest, each);
        rest = rest.map((value, i) => value - along * each[i]!);
      }
      const length = Math.sqrt(dot(rest, rest)) || 1;
      next.push(rest.map((value) => value / length));
    }
    vectors = next;
  }
  return vectors
    .map((v) => dot(v, times(v)))
    .sort((a, b) => b - a)
    .slice(0, count);
}

/** The eigenvector of the largest eigenvalue, where that lies far above all others. */
function powerIteration(matrix: readonly number[][]): number[] {
  let v = matrix.map(() => 1);
  for (let step = 0; step < 50; step++) {
    const product = matrix.map((row) => row.reduce((sum, each, i) => sum + each * v[i]!, 0));
    const length = Math.hypot(...product);
    v = product.map((each) => each / length);
  }
  return v;
}

interface Network {
  readonly loss: Loss;
  readonly make: () => tfl.LayersModel;
}

const mlp = (activation: 'softmax' | 'sigmoid' | 'linear') => () =>
  tfl.sequential({
    layers: [
      layers.dense({ units: 7, activation: 'relu', inputShape: [5], name: 'a', ...seeded(1) }),
      layers.dense({ units: 6, activation: 'relu', name: 'b', ...seeded(2) }),
      layers.dense({ units: 4, activation, name: 'c', ...seeded(3) }),
    ],
  });

const networks: Record<string, Network> = {
  'softmax cross-entropy': { loss: 'categoricalCrossentropy', make: mlp('softmax') },
  'sigmoid cross-entropy': { loss: 'binaryCrossentropy', make: mlp('sigmoid') },
  // One dense layer under a squared error: every eigenvalue as many times as there are outputs.
  'squared error of one layer': {
    loss: 'meanSquaredError',
    make: () => tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [5], name: 'c', ...seeded(4) })] }),
  },
  'convolutions and pooling': {
    loss: 'categoricalCrossentropy',
    make: () =>
      tfl.sequential({
        layers: [
          layers.conv2d({
            filters: 3,
            kernelSize: 3,
            activation: 'relu',
            inputShape: [6, 6, 1],
            name: 'a',
            ...seeded(5),
          }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ units: 3, activation: 'softmax', name: 'c', ...seeded(6) }),
        ],
      }),
  },
  'one layer, called twice': {
    loss: 'categoricalCrossentropy',
    make: () => {
      const input = tfl.input({ shape: [5] });
      const twice = layers.dense({ units: 5, activation: 'relu', name: 'a', ...seeded(7) });
      const hidden = twice.apply(twice.apply(input));
      const outputs = layers.dense({ units: 3, activation: 'softmax', name: 'c', ...seeded(8) }).apply(hidden);
      return tfl.model({ inputs: input, outputs: outputs as tfl.SymbolicTensor });
    },
  },
};

const inputsOf = (model: tfl.LayersModel, samples: number) =>
  noise([samples, ...(model.inputs[0]!.shape.slice(1) as number[])]);

async function measured(
  { make, loss }: Network,
  options: MeasureOptions,
  look: (reading: SharpnessReading, model: tfl.LayersModel, x: tf.Tensor) => void | Promise<void>,
  samples = 20,
): Promise<void> {
  const model = make();
  const x = inputsOf(model, samples);
  try {
    const { numTensors } = tf.memory();
    const reading = await measureSharpness(model, x, { loss, ...options });
    expect(tf.memory().numTensors).toBe(numTensors);
    await look(reading, model, x);
  } finally {
    model.dispose();
    x.dispose();
  }
}

const valuesOf = (list: readonly { readonly value: number }[]) => list.map(({ value }) => value);

function expectSame(found: readonly number[], expected: readonly number[], tolerance = 1e-4): void {
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => {
    expect(Math.abs(value / expected[i]! - 1), `${value} for ${expected[i]}`).toBeLessThan(tolerance);
  });
}

describe('of every pair', () => {
  it.each(Object.entries(networks))('are those of the explicit matrix: %s', async (_, network) => {
    await measured(network, { eigenvalues: 4 }, (reading, model, x) => {
      const { given, balanced, pairs } = reading.topEigenvalues!;
      expect(pairs).toBe(reading.pairs);
      expectSame(
        valuesOf(given),
        largestEigenvalues(
          gaussNewton(model, network.loss, x, () => 1),
          4,
        ),
      );
      // What a rescaling makes of each trace, it makes of each block.
      const alphas = new Map(reading.scales.map(({ layer, alpha }) => [layer, alpha]));
      let scale = 1;
      const factors = new Map<string, number>();
      for (const { name, layer } of reading.parameters) {
        if (name.endsWith('kernel')) {
          scale *= alphas.get(layer) ?? 1;
          factors.set(name, (alphas.get(layer) ?? 1) ** -2);
        } else {
          factors.set(name, scale ** -2);
        }
      }
      if (!model.layers.some(({ inboundNodes }) => inboundNodes.length > 1)) {
        const traces = reading.parameters.reduce((sum, { name, trace }) => sum + factors.get(name)! * trace, 0);
        expectSame([traces], [reading.minimumSharpness]);
        const matrix = gaussNewton(model, network.loss, x, (name) => factors.get(name)!);
        expectSame(valuesOf(balanced), largestEigenvalues(matrix, 4));
      }
      for (const { standardError, reliable } of [...given, ...balanced]) {
        expect(standardError).toBeLessThan(1e-4 * given[0]!.value);
        expect(reliable).toBe(true);
      }
    });
  });

  it('are right where one lies far above the others, as of inputs that are not centred', async () => {
    const wide = {
      loss: 'meanSquaredError' as const,
      make: () =>
        tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [120], useBias: false, name: 'a' })] }),
    };
    const model = wide.make();
    const x = tf.tidy(() => tf.add(noise([300, 120]), 30));
    const reading = await measureSharpness(model, x, { loss: wide.loss, eigenvalues: 7 });
    // Each twice; the mean of the two squares has the Hessian 1.
    const columns = x.arraySync() as number[][];
    const covariance = columns[0]!.map((_, i) =>
      columns[0]!.map((__, j) => columns.reduce((sum, row) => sum + row[i]! * row[j]!, 0) / 300),
    );
    // Without the largest, which would take a long iteration for the others.
    const [top] = largestEigenvalues(covariance, 1) as [number];
    const direction = powerIteration(covariance);
    const rest = covariance.map((row, i) => row.map((each, j) => each - top * direction[i]! * direction[j]!));
    const expected = [top, ...largestEigenvalues(rest, 3, 3000)].flatMap((each) => [each, each]).slice(0, 7);
    expect(expected[0]! / expected[2]!).toBeGreaterThan(1e4);
    expect(reading.topEigenvalues!.pairs).toBe(600);
    reading.topEigenvalues!.given.forEach(({ value, standardError, reliable }, i) => {
      expect(Math.abs(value - expected[i]!), `${value} for ${expected[i]}`).toBeLessThan(3 * standardError);
      expect(standardError).toBeLessThan(0.01 * expected[i]!);
      expect(reliable).toBe(true);
    });
    model.dispose();
    x.dispose();
  });

  it('are 0 beyond their rank, and no more than there are weights', async () => {
    const model = tfl.sequential({
      layers: [layers.dense({ units: 3, inputShape: [5], activation: 'softmax', name: 'a', ...seeded(2) })],
    });
    const x = noise([1, 5]);
    const options = { loss: 'categoricalCrossentropy', eigenvalues: 32 } as const;
    const { given, balanced } = (await measureSharpness(model, x, options)).topEigenvalues!;
    // One sample, three classes whose gradients add up to 0; 15 weights and 3 biases.
    expect(given.map(({ value }) => value > 0)).toEqual(Array.from({ length: 18 }, (_, i) => i < 2));
    expect(balanced.length).toBe(18);
    for (const { value, standardError, reliable } of given.slice(2)) {
      expect(value).toBe(0);
      expect(standardError).toBeLessThan(1e-6 * given[0]!.value);
      expect(reliable).toBe(true);
    }
    model.dispose();
    x.dispose();
  });

  it('call what rounding alone may be 0', async () => {
    // All samples along one direction: a single eigenvalue, and products in which 10,000 numbers are added up.
    const model = tfl.sequential({ layers: [layers.dense({ units: 1, inputShape: [10_000], name: 'a' })] });
    const x = tf.tidy(() => tf.mul(tf.randomNormal([20, 1], 0, 1, 'float32', 4), noise([1, 10_000])));
    const options = { loss: 'meanSquaredError', eigenvalues: 4 } as const;
    const { given } = (await measureSharpness(model, x, options)).topEigenvalues!;
    const [{ value: first }, ...others] = given as [(typeof given)[number], ...typeof given];
    expect(first).toBeGreaterThan(1000);
    // The bias has one of its own, by which it is not along the first.
    for (const { value, standardError } of others.slice(1)) {
      expect(value).toBeLessThanOrEqual(3 * standardError);
    }
    model.dispose();
    x.dispose();
  });

  it('of a network that has collapsed are those of its biases', async () => {
    const model = tfl.sequential({
      layers: [
        layers.dense({
          units: 4,
          activation: 'relu',
          inputShape: [5],
          name: 'a',
          biasInitializer: tfl.initializers.constant({ value: -9 }),
        }),
        layers.dense({ units: 3, activation: 'softmax', name: 'c', ...seeded(3) }),
      ],
    });
    const x = noise([10, 5]);
    const reading = await measureSharpness(model, x, { loss: 'categoricalCrossentropy', eigenvalues: 3 });
    expect(reading.collapsed).toBe(true);
    // diag(p) - p p^T of three equal probabilities.
    expectSame(valuesOf(reading.topEigenvalues!.given).slice(0, 2), [1 / 3, 1 / 3]);
    expect(reading.topEigenvalues!.given[2]!.value).toBe(0);
    model.dispose();
    x.dispose();
  });

  it('at the balanced scale are the same whatever the scales of the layers', async () => {
    const network = networks['softmax cross-entropy']!;
    await measured(network, { eigenvalues: 5 }, async (before, model, x) => {
      const [kernel, bias, next, ...others] = model.getWeights() as [tf.Tensor, tf.Tensor, tf.Tensor, ...tf.Tensor[]];
      const moved = tf.tidy(() => [tf.mul(kernel, 8), tf.mul(bias, 8), tf.div(next, 8)].map((each) => tf.keep(each)));
      model.setWeights([...moved, ...others]);
      tf.dispose(moved);
      const after = await measureSharpness(model, x, { loss: network.loss, eigenvalues: 5 });
      expectSame(valuesOf(after.topEigenvalues!.balanced), valuesOf(before.topEigenvalues!.balanced));
      expect(after.topEigenvalues!.given[0]!.value / before.topEigenvalues!.given[0]!.value).toBeGreaterThan(1.5);
    });
  });

  it('need no more memory than there is', async () => {
    const network = networks['convolutions and pooling']!;
    await measured(network, { eigenvalues: 3 }, async (plenty, model, x) => {
      const little = await measureSharpness(model, x, { loss: network.loss, eigenvalues: 3, memoryMB: 0.06 });
      expectSame(valuesOf(little.topEigenvalues!.given), valuesOf(plenty.topEigenvalues!.given), 1e-5);
    });
  });

  it('add up over outputs with losses of their own, and to positions', async () => {
    const input = tfl.input({ shape: [4, 3] });
    const hidden = layers.dense({ units: 4, activation: 'relu', name: 'a', ...seeded(1) }).apply(input);
    const positions = layers.dense({ units: 3, activation: 'softmax', name: 'p', ...seeded(2) }).apply(hidden);
    const flat = layers.flatten().apply(hidden);
    const number = layers.dense({ units: 2, name: 'n', ...seeded(3) }).apply(flat);
    const model = tfl.model({ inputs: input, outputs: [positions, number] as tfl.SymbolicTensor[] });
    const x = noise([6, 4, 3]);
    const options = { eigenvalues: 32, loss: ['categoricalCrossentropy', 'meanSquaredError'] } as const;
    const reading = await measureSharpness(model, x, options);
    const { given } = reading.topEigenvalues!;
    // All of them: their sum is the trace.
    const whole = await measureSharpness(model, x, { ...options, memoryMB: 0.05 });
    expect(valuesOf(given).reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(reading.trace * (1 + 1e-5));
    expect(valuesOf(given).reduce((a, b) => a + b, 0)).toBeGreaterThan(0.9 * reading.trace);
    expectSame(valuesOf(whole.topEigenvalues!.given).slice(0, 5), valuesOf(given).slice(0, 5), 1e-5);
    model.dispose();
    x.dispose();
  });
});

describe('of some pairs', () => {
  const network = networks['softmax cross-entropy']!;
  const samples = 430;
  let all: number[] | undefined;

  it.each<[string, MeasureOptions]>([
    ['exact', {}],
    ['{ pairs }', { method: { pairs: 300 } }],
    ['{ tolerance }', { method: { tolerance: 0.05 } }],
    ['part', { part: 0.8 }],
  ])('are within their errors of those of all: %s', async (_, options) => {
    await measured(
      network,
      { eigenvalues: 3, seed: 5, ...options },
      (reading, model, x) => {
        const { given, balanced, pairs } = reading.topEigenvalues!;
        expect(pairs).toBe(options.method && options.method !== 'exact' && options.method.pairs ? 300 : 512);
        // The same network and samples each time.
        all ??= largestEigenvalues(
          gaussNewton(model, network.loss, x, () => 1),
          3,
        );
        const truths = all;
        given.forEach(({ value, standardError, reliable }, i) => {
          expect(reliable).toBe(true);
          expect(standardError / value).toBeLessThan(0.15);
          expect(standardError / value).toBeGreaterThan(0.001);
          expect(Math.abs(value - truths[i]!)).toBeLessThan(4 * standardError);
        });
        expect(balanced.every(({ standardError }) => standardError > 0)).toBe(true);
        expect(`${reading}`).toContain(`top eigenvalue ${Number(given[0]!.value.toPrecision(4))}`);
        expect(JSON.parse(JSON.stringify(reading)).topEigenvalues.given[0].value).toBe(given[0]!.value);
      },
      samples,
    );
  });

  it('of a dataset, in one pass', async () => {
    const model = network.make();
    const x = inputsOf(model, samples);
    let passes = 0;
    const dataset = tfd.generator(function* () {
      passes++;
      for (let begin = 0; begin < samples; begin += 86) {
        yield tf.slice(x, begin, 86) as tf.TensorContainer;
      }
    });
    const ofTensors = await measureSharpness(model, x, { loss: network.loss, eigenvalues: 2 });
    for (const method of ['exact', { pairs: 256 }] as const) {
      passes = 0;
      const reading = await measureSharpness(model, dataset as never, { loss: network.loss, method, eigenvalues: 2 });
      expect(passes).toBe(1);
      reading.topEigenvalues!.given.forEach(({ value, standardError }, i) => {
        expect(Math.abs(value - ofTensors.topEigenvalues!.given[i]!.value)).toBeLessThan(5 * standardError);
      });
    }
    model.dispose();
    x.dispose();
  });

  it('of a minibatch, as an estimate for its set that is not reliable', async () => {
    const model = network.make();
    const x = inputsOf(model, 40);
    const reading = await estimateSharpness(model, x, { loss: network.loss, eigenvalues: 2 });
    for (const { standardError, reliable } of reading.topEigenvalues!.given) {
      expect(standardError).toBeGreaterThan(0);
      expect(Number.isFinite(standardError)).toBe(true);
      expect(reliable).toBe(false);
    }
    model.dispose();
    x.dispose();
  });
});

it('of a function of variables', async () => {
  const w = tf.variable(noise([4, 3], 5));
  const x = noise([20, 4]);
  const f = (given: tf.Tensor) => tf.matMul(given as tf.Tensor2D, w as tf.Tensor2D);
  const reading = await measureFunctionSharpness(f, [w], x, { loss: 'meanSquaredError', eigenvalues: 6 });
  // 2/3 of the eigenvalues of x^T x / N, each three times.
  const covariance = tf.tidy(() =>
    tf.div(tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D, true), 30).arraySync(),
  ) as number[][];
  const expected = largestEigenvalues(covariance, 2);
  expectSame(
    valuesOf(reading.topEigenvalues!.given),
    expected.flatMap((each) => [each, each, each]),
  );
  tf.dispose([x]);
  w.dispose();
});

describe('where they cannot be had', () => {
  const refused: [string, MeasureOptions, RegExp][] = [
    [
      'none',
      { eigenvalues: 0 },
      /^eigenvalues must be a whole number from 1 to 32, but it is 0: pass how many are wanted, for example 5\.$/,
    ],
    ['half of one', { eigenvalues: 1.5 }, /^eigenvalues must be a whole number from 1 to 32/],
    ['too many', { eigenvalues: 33 }, /^eigenvalues must be a whole number from 1 to 32/],
    [
      'of the Hessian',
      { eigenvalues: 2, method: { hutchinson: 30 } },
      /^eigenvalues are those of the Gauss-Newton matrix: .*hutchinson \}\.$/,
    ],
  ];
  it.each(refused)('is refused in one line: %s', async (_, options, message) => {
    const model = networks['softmax cross-entropy']!.make();
    const x = inputsOf(model, 4);
    await expect(measureSharpness(model, x, { loss: 'categoricalCrossentropy', ...options })).rejects.toThrow(message);
    await expect(sampleSharpness(model, x, { loss: 'categoricalCrossentropy', eigenvalues: 2 })).rejects.toThrow(
      /^eigenvalues cannot be merged from those of shares: .*\.$/,
    );
    model.dispose();
    x.dispose();
  });

  it('samples of several lengths leave them out, and nothing else', async () => {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 3, activation: 'relu', inputShape: [null, 2], name: 'a', ...seeded(1) }),
        layers.globalAveragePooling1d({}),
        layers.dense({ units: 2, activation: 'softmax', name: 'c', ...seeded(2) }),
      ],
    });
    const lengths = tfd.generator(function* () {
      yield noise([4, 3, 2]) as tf.TensorContainer;
      yield noise([4, 5, 2]) as tf.TensorContainer;
    });
    const { numTensors } = tf.memory();
    const reading = await measureSharpness(model, lengths as never, {
      loss: 'categoricalCrossentropy',
      eigenvalues: 2,
    });
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(reading.topEigenvalues).toBeUndefined();
    expect(reading.assumptions.at(-1)).toBe(
      'The eigenvalues are left out: samples of several shapes do not run together: pad them to one length.',
    );
    expect(reading.minimumSharpness).toBeGreaterThan(0);
    model.dispose();
  });
});
