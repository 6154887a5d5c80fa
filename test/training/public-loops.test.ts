import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { Monitor } from '../../src/training/monitor.js';
import { sharpnessMonitor } from '../../src/training/sharpness-monitor.js';

/*
 * Kinds of training loops that public programs have, made small. In each of them nothing goes wrong, the last reading is the value of the
 * network as it is then, and the weights are those of the same loop without monitors.
 */

const { layers } = tfl;
let seed = 0;
const dense = (units: number, options: object = {}) =>
  layers.dense({ units, kernelInitializer: tfl.initializers.glorotNormal({ seed: ++seed }), ...options });
const normal = (shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', ++seed);

beforeEach(() => {
  seed = 0;
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
  tf.engine().startScope();
});
afterEach(() => {
  tf.engine().endScope();
  vi.restoreAllMocks();
});

/** What a program trains, and tells. */
interface Run {
  readonly weights: () => tf.Tensor[];
  /** Makes the monitors, where there are to be some. */
  monitors?: Monitor[];
}

const valuesOf = (run: Run) => run.weights().map((weight) => [...weight.dataSync()]);

/** Runs a program with and without its monitors. @returns those of the first run, after it. */
async function compared(program: (isWatched: boolean) => Promise<Run>): Promise<Monitor[]> {
  seed = 0;
  const plain = await program(false);
  seed = 0;
  const watched = await program(true);
  expect(valuesOf(watched)).toEqual(valuesOf(plain));
  return watched.monitors!;
}

/** A monitor whose problems are none. */
function quiet(monitor: Monitor): Monitor {
  monitor.problems$.subscribe((problem) => expect(problem).toBeUndefined());
  return monitor;
}

it('a polynomial fitted by minimize', async () => {
  const x = tf.linspace(-1, 1, 30).reshape([30, 1]);
  const y = tf.tidy(() => x.pow(3).mul(-0.8).add(x.pow(2).mul(-0.2)).add(x.mul(0.9)).add(0.5));
  let predict: ((x: tf.Tensor) => tf.Tensor) | undefined;
  let blocks: tf.Variable[] = [];
  const [monitor] = await compared(async (isWatched) => {
    const coefficients = [0.1, -0.3, 0.2, 0.4].map((value) => tf.variable(tf.scalar(value)));
    const [a, b, c, d] = coefficients as [tf.Variable, tf.Variable, tf.Variable, tf.Variable];
    const f = (given: tf.Tensor) =>
      tf.tidy(() => a.mul(given.pow(3)).add(b.mul(given.square())).add(c.mul(given)).add(d));
    const monitors = isWatched
      ? [
          quiet(
            sharpnessMonitor(
              { function: f, blocks: coefficients },
              { data: x, loss: 'meanSquaredError', method: 'exact' },
            ),
          ),
        ]
      : [];
    const optimizer = tf.train.sgd(0.5);
    for (let iteration = 0; iteration < 10; iteration++) {
      const loss = optimizer.minimize(() => f(x).sub(y).square().mean() as tf.Scalar, true)!;
      await monitors[0]?.batchEnd({ loss });
      await monitors[0]?.epochEnd();
    }
    [predict, blocks] = [f, coefficients];
    return { weights: () => coefficients, monitors };
  });
  const expected = await measureFunctionSharpness(predict!, blocks, x, { loss: 'meanSquaredError' });
  expect(monitor!.latest).toMatchObject({ step: 10, epoch: 9, minimumSharpness: expected.minimumSharpness });
  // d2/dd2 of mean (f - y)^2 is 2, d2/dc2 is 2 mean x^2, ...
  const powers = await Promise.all([6, 4, 2, 0].map(async (power) => 2 * (await x.pow(power).mean().data())[0]!));
  const [last] = powers.slice(-1);
  expect(expected.parameters.at(-1)!.trace).toBeCloseTo(last!, 5);
  expect(expected.trace).toBeCloseTo(
    powers.reduce((a, b) => a + b),
    4,
  );
});

it('an auxiliary-classifier GAN, its two models in turns by trainOnBatch', async () => {
  const ends: tfl.LayersModel[] = [];
  const [ofDiscriminator, ofGenerator] = await compared(async (isWatched) => {
    const image = tfl.input({ shape: [6] });
    const features = layers.leakyReLU().apply(dense(8).apply(image)) as tfl.SymbolicTensor;
    const real = dense(1, { activation: 'sigmoid' }).apply(features) as tfl.SymbolicTensor;
    const digit = dense(3, { activation: 'softmax' }).apply(features) as tfl.SymbolicTensor;
    const discriminator = tfl.model({ inputs: image, outputs: [real, digit] });
    const loss = ['binaryCrossentropy', 'sparseCategoricalCrossentropy'];
    discriminator.compile({ optimizer: tf.train.adam(0.01), loss });

    const latent = tfl.input({ shape: [4] });
    const wanted = tfl.input({ shape: [3] });
    const hidden = layers.concatenate().apply([latent, wanted]);
    const generated = dense(6, { activation: 'tanh' }).apply(dense(8, { activation: 'relu' }).apply(hidden));
    const generator = tfl.model({ inputs: [latent, wanted], outputs: generated as tfl.SymbolicTensor });
    discriminator.trainable = false;
    const judged = discriminator.apply(generator.apply([latent, wanted])) as tfl.SymbolicTensor[];
    const combined = tfl.model({ inputs: [latent, wanted], outputs: judged });
    combined.compile({ optimizer: tf.train.adam(0.01), loss });
    discriminator.trainable = true; // what combined trains, compile has decided

    const monitors = isWatched ? [discriminator, combined].map((each) => quiet(sharpnessMonitor(each))) : [];
    for (let epoch = 0; epoch < 2; epoch++) {
      for (let batch = 0; batch < 3; batch++) {
        const digits = tf.tensor2d([[0], [1], [2], [1]]);
        const classes = tf.oneHot(digits.flatten().toInt(), 3).toFloat();
        const images = tf.concat([normal([4, 6]), generator.predict([normal([4, 4]), classes]) as tf.Tensor]);
        const isReal = tf.concat([tf.ones([4, 1]).mul(0.95), tf.zeros([4, 1])]);
        const [d] = (await discriminator.trainOnBatch(images, [isReal, tf.concat([digits, digits])])) as number[];
        const noise = [normal([8, 4]), tf.concat([classes, classes])];
        const [g] = (await combined.trainOnBatch(noise, [tf.ones([8, 1]), tf.concat([digits, digits])])) as number[];
        await monitors[0]?.batchEnd({ loss: d! });
        await monitors[1]?.batchEnd({ loss: g! });
      }
      for (const monitor of monitors) {
        await monitor.epochEnd();
      }
    }
    ends.push(discriminator, generator);
    return { weights: () => [...discriminator.getWeights(), ...generator.getWeights()], monitors };
  });
  const [, , discriminator, generator] = ends as [unknown, unknown, tfl.LayersModel, tfl.LayersModel];
  for (const [monitor, of] of [
    [ofDiscriminator!, discriminator],
    [ofGenerator!, generator],
  ] as const) {
    expect(monitor.latest).toMatchObject({ step: 6, epoch: 1, samples: 8 });
    expect(monitor.latest!.minimumSharpness).toBeGreaterThan(0);
    // Of the combined model the generator's weights alone, since the discriminator is frozen in it.
    const names = of.layers.map(({ name }) => name);
    expect(monitor.latest!.parameters.every(({ layer }) => names.includes(layer))).toBe(true);
  }
});

it('REINFORCE on a pole: gradients of each move, discounted, averaged and applied', async () => {
  const seen: tf.Tensor[] = [];
  let policy: tfl.Sequential | undefined;
  const [monitor] = await compared(async (isWatched) => {
    const network = tfl.sequential({ layers: [dense(4, { activation: 'relu', inputShape: [4] }), dense(1)] });
    const states: tf.Tensor[] = [];
    const dataset = { iterator: async () => [tf.concat(states)][Symbol.iterator]() } as never;
    const monitors = isWatched
      ? [quiet(sharpnessMonitor(network, { data: dataset, loss: 'sigmoidCrossEntropy', method: 'exact' }))]
      : [];
    const optimizer = tf.train.adam(0.05);
    for (let iteration = 0; iteration < 3; iteration++) {
      const moves: tf.NamedTensorMap[] = [];
      states.length = 0;
      for (let move = 0; move < 5; move++) {
        const state = normal([1, 4]);
        states.push(state);
        const { grads } = tf.variableGrads(() => {
          const logits = network.predict(state) as tf.Tensor;
          const action = logits.dataSync()[0]! > 0 ? 1 : 0;
          return tf.losses.sigmoidCrossEntropy(tf.tensor2d([[1 - action]]), logits) as tf.Scalar;
        });
        moves.push(grads);
      }
      const mean = Object.keys(moves[0]!).map((name) => ({
        name,
        tensor: tf.div(tf.addN(moves.map((grads, i) => grads[name]!.mul(0.9 ** i - 0.6))), moves.length),
      }));
      optimizer.applyGradients(mean);
      await monitors[0]?.epochEnd({ steps: 5 });
    }
    policy = network;
    seen.splice(0, seen.length, ...states);
    return { weights: () => network.getWeights(), monitors };
  });
  const expected = await measureSharpness(policy!, tf.concat(seen), { loss: 'sigmoidCrossEntropy' });
  expect(monitor!.latest).toMatchObject({ step: 3, epoch: 2, samples: 5 });
  expect(monitor!.latest!.minimumSharpness).toBeCloseTo(expected.minimumSharpness, 6);
});

it('deep Q-learning from a replay buffer: the value of the action taken is a model of its own', async () => {
  let measured: tfl.LayersModel | undefined;
  const data = tf.tidy(() => [
    normal([16, 5]),
    tf.oneHot(tf.range(0, 16, 1, 'int32').mod(3).toInt() as tf.Tensor1D, 3).toFloat(),
  ]);
  const [monitor] = await compared(async (isWatched) => {
    seed = 10;
    const state = tfl.input({ shape: [5] });
    const values = dense(3).apply(dense(8, { activation: 'relu' }).apply(state)) as tfl.SymbolicTensor;
    const online = tfl.model({ inputs: state, outputs: values });
    const action = tfl.input({ shape: [3] });
    const taken = layers.dot({ axes: 1 }).apply([values, action]) as tfl.SymbolicTensor;
    const valueOfAction = tfl.model({ inputs: [state, action], outputs: taken });
    const options = { data, loss: 'meanSquaredError', method: 'exact', every: { batches: 2 } } as const;
    const monitors = isWatched ? [quiet(sharpnessMonitor(valueOfAction, options))] : [];
    const optimizer: tf.Optimizer = tf.train.adam(0.01);
    for (let frame = 0; frame < 4; frame++) {
      const [states, actions, target] = [normal([8, 5]), tf.oneHot([0, 1, 2, 0, 1, 2, 0, 1], 3).toFloat(), normal([8])];
      const { grads } = tf.variableGrads(
        () => {
          const q = online.apply(states, { training: true }) as tf.Tensor;
          return tf.losses.meanSquaredError(target, q.mul(actions).sum(-1)) as tf.Scalar;
        },
        online.trainableWeights.map((weight) => weight.read() as tf.Variable),
      );
      optimizer.applyGradients(grads);
      const reading = await monitors[0]?.batchEnd();
      expect(reading !== undefined).toBe(isWatched && frame % 2 === 1);
    }
    measured = valueOfAction;
    return { weights: () => online.getWeights(), monitors };
  });
  const expected = await measureSharpness(measured!, data, { loss: 'meanSquaredError' });
  expect(monitor!.latest).toMatchObject({ step: 4, minimumSharpness: expected.minimumSharpness });
  // The last bias: its trace is 2, shared by the actions as often as they are taken.
  expect(expected.parameters.at(-1)!.trace).toBeCloseTo(2, 5);
});

it('a recurrent network by trainOnBatch on windows of a text, with a new monitor after a restart', async () => {
  const text = 'to be or not to be that is the question ';
  const letters = [...new Set(text)];
  const window = (start: number) =>
    tf
      .oneHot(
        [...text.slice(start, start + 5)].map((letter) => letters.indexOf(letter)),
        letters.length,
      )
      .toFloat();
  const batch = (first: number) => {
    const starts = [0, 1, 2, 3].map((i) => first + i);
    const next = starts.map((start) => letters.indexOf(text[start + 5]!));
    return [tf.stack(starts.map(window)), tf.oneHot(next, letters.length).toFloat()] as const;
  };
  const [first, second] = await compared(async (isWatched) => {
    const recurrent = layers.simpleRNN({
      units: 6,
      inputShape: [5, letters.length],
      kernelInitializer: tfl.initializers.glorotNormal({ seed: ++seed }),
      recurrentInitializer: tfl.initializers.glorotNormal({ seed: ++seed }),
    });
    const model = tfl.sequential({ layers: [recurrent, dense(letters.length, { activation: 'softmax' })] });
    model.compile({ optimizer: tf.train.rmsprop(0.01), loss: 'categoricalCrossentropy' });
    const monitors: Monitor[] = [];
    for (const initialStep of [0, 4]) {
      const monitor = isWatched ? quiet(sharpnessMonitor(model, { every: { batches: 2 }, initialStep })) : undefined;
      monitors.push(...(monitor ? [monitor] : []));
      for (let step = 0; step < 4; step++) {
        const [x, y] = batch(4 * step);
        await model.trainOnBatch(x, y);
        await monitor?.batchEnd();
      }
      monitor?.dispose();
    }
    return { weights: () => model.getWeights(), monitors };
  });
  expect([first!.latest?.step, second!.latest?.step]).toEqual([4, 8]);
  expect(second!.latest).toMatchObject({ samples: 4 });
});

it('a transfer head by custom gradients, clipped, on a dataset of the frozen base', async () => {
  let whole: tfl.LayersModel | undefined;
  const x = normal([12, 4]);
  const labels = tf.oneHot(tf.range(0, 12, 1, 'int32').mod(2).toInt() as tf.Tensor1D, 2).toFloat();
  const rows = { xs: x.arraySync() as number[][] };
  const [monitor] = await compared(async (isWatched) => {
    seed = 20;
    const base = tfl.sequential({ layers: [dense(5, { activation: 'relu', inputShape: [4] })] });
    base.trainable = false;
    const head = dense(2);
    const input = tfl.input({ shape: [4] });
    const model = tfl.model({ inputs: input, outputs: head.apply(base.apply(input)) as tfl.SymbolicTensor });
    const data = tfd.array(rows.xs).batch(5) as tfd.Dataset<tf.Tensor>;
    const options = { data, loss: 'softmaxCrossEntropy', method: 'exact' } as const;
    const monitors = isWatched ? [quiet(sharpnessMonitor(model, options))] : [];
    const optimizer = tf.train.momentum(0.1, 0.9);
    const trained = head.trainableWeights.map((weight) => weight.read() as tf.Variable);
    for (let epoch = 0; epoch < 3; epoch++) {
      const { value, grads } = tf.variableGrads(
        () => tf.losses.softmaxCrossEntropy(labels, model.predict(x) as tf.Tensor) as tf.Scalar,
        trained,
      );
      optimizer.applyGradients(
        Object.entries(grads).map(([name, tensor]) => ({ name, tensor: tf.clipByValue(tensor, -0.5, 0.5) })),
      );
      await monitors[0]?.batchEnd({ loss: value });
      await monitors[0]?.epochEnd();
    }
    whole = model;
    return { weights: () => model.getWeights(), monitors };
  });
  const expected = await measureSharpness(whole!, x, { loss: 'softmaxCrossEntropy' });
  expect(monitor!.latest!.parameters).toHaveLength(2);
  expect(monitor!.latest!.minimumSharpness / expected.minimumSharpness).toBeCloseTo(1, 6);
});
