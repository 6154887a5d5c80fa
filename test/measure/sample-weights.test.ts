import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { freshClassifier, model, x } from './small-classifier.js';

freshClassifier();

describe('sampleWeight', () => {
  it.each([
    ['an array', (weights: number[]) => weights],
    ['a tensor', (weights: number[]) => tf.tensor1d(weights)],
  ])('weights the samples of the mean: %s', async (_, as) => {
    const twice = tf.tidy(() => tf.concat([x, tf.slice(x, 0, 4)]));
    const weights = as([2, 2, 2, 2, ...Array(8).fill(1)]);
    const weighted = await measureSharpness(model, x, { sampleWeight: weights as number[] });
    const repeated = await measureSharpness(model, twice);
    // The mean divides by 12 here and by 16 there.
    expect(weighted.trace / ((repeated.trace * 16) / 12)).toBeCloseTo(1, 5);
    tf.dispose([twice, weights]);
  });
});

describe('sampleWeight', () => {
  const gone = () => {
    const disposed = tf.ones([12]);
    disposed.dispose();
    return disposed;
  };

  it.each<[string, () => unknown, string]>([
    ['a number', () => 5, 'sampleWeight must be a tensor'],
    ['a word', () => 'abc', 'sampleWeight must be a tensor'],
    ['nothing by output', () => ({}), 'sampleWeight must be a tensor'],
    ['numbers by output', () => ({ head: 5 }), 'sampleWeight must be a tensor'],
    ['a disposed tensor', gone, 'sampleWeight is a disposed tensor'],
    ['a disposed tensor by output', () => ({ head: gone() }), 'sampleWeight is a disposed tensor'],
    ['a list of null', () => [null], 'sampleWeight has 1 entries for 12 samples'],
    ['null in a list', () => [...Array(11).fill(1), null], 'sampleWeight[11] is null: weights are finite'],
    ['words', () => Array(12).fill('1'), "sampleWeight[0] is '1': weights are finite"],
  ])('is refused in one line, as an option or with the inputs: %s', async (_, make, message) => {
    const sampleWeight = make() as never;
    for (const call of [
      () => measureSharpness(model, x, { sampleWeight }),
      () => measureSharpness(model, { xs: x, sampleWeight }),
    ]) {
      const thrown = await call().catch((error: Error) => error);
      expect(thrown).toBeInstanceOf(Error);
      expect((thrown as Error).message).toContain(message);
    }
  });
});

it('an array of weights is read once, however many batches there are', async () => {
  let reads = 0;
  const sampleWeight = new Proxy(Array<number>(12).fill(2), {
    get(weights, key, receiver) {
      reads += typeof key === 'string' && /^\d+$/.test(key) ? 1 : 0;
      return Reflect.get(weights, key, receiver);
    },
  });
  const batches = { iterator: async () => [0, 3, 6, 9].map((begin) => tf.slice(x, begin, 3)).values() };
  const weighted = await measureSharpness(model, batches as never, { sampleWeight });
  const plain = await measureSharpness(model, x);
  expect(weighted.trace / plain.trace).toBeCloseTo(2, 4);
  // Once each, and the first entry a few times a batch.
  expect(reads).toBeLessThan(2 * 12 + 4);
});

describe('classWeight', () => {
  const rows = () => tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], 'int32'), 3));

  it('is no list of numbers', async () => {
    const labels = rows();
    await expect(measureSharpness(model, x, { labels, classWeight: [1, 5, 2] as never })).rejects.toThrow(
      /classWeight: \[1,5,2\] is not known\. Pass .* for example \{ 0: 1, 1: 5 \}/,
    );
    labels.dispose();
  });

  it('needs the labels of its own output, where that has a loss, and of no other', async () => {
    const input = tfl.input({ shape: [5] });
    const ends = ['a', 'b'].map((name) => tfl.layers.dense({ units: 3, activation: 'softmax', name }));
    const two = tfl.model({ inputs: input, outputs: ends.map((each) => each.apply(input) as tfl.SymbolicTensor) });
    const labels = rows();
    const loss = 'categoricalCrossentropy';
    const options = { loss: { a: loss, b: loss }, classWeight: { b: { 0: 2, 1: 2, 2: 2 } } } as const;
    const plain = await measureSharpness(two, x, { loss: { b: loss } });
    const weighted = await measureSharpness(two, x, { ...options, loss: { b: loss }, labels: { b: labels } });
    expect(weighted.trace / plain.trace).toBeCloseTo(2, 5);
    expect((await measureSharpness(two, x, { ...options, labels: { b: labels } })).trace).toBeGreaterThan(0);
    await expect(measureSharpness(two, x, { ...options, labels: { a: labels } })).rejects.toThrow(
      'classWeight needs labels',
    );
    labels.dispose();
    two.dispose();
  });
});

describe('sampleWeight of positions', () => {
  const images = () => {
    const made = tfl.sequential({
      layers: [tfl.layers.dense({ units: 3, activation: 'softmax', inputShape: [2, 3, 4], name: 'pixels' })],
    });
    made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    return made;
  };

  it.each([[[5, 3, 2]], [[5, 6]], [[5, 1, 3]], [[5, 2, 3, 1]]])(
    'has the shape of the positions: not %j',
    async (shape) => {
      const [pixels, inputs] = [images(), tf.randomNormal([5, 2, 3, 4], 0, 1, 'float32', 1)];
      const sampleWeight = tf.randomUniform(shape, 0, 3, 'float32', 2);
      await expect(measureSharpness(pixels, inputs, { sampleWeight })).rejects.toThrow(
        `Weights of shape [${shape.slice(1)}] a sample do not fit output 'pixels' of shape [2,3,3] a sample: give one`,
      );
      const [kernel] = pixels.trainableWeights.map((weight) => weight.read() as tf.Variable);
      const f = (given: tf.Tensor) => tf.reshape(tf.matMul(tf.reshape(given, [-1, 4]), kernel as never), [-1, 2, 3, 3]);
      const options = { loss: 'softmaxCrossEntropy', sampleWeight } as const;
      await expect(measureFunctionSharpness(f, [kernel!], inputs, options)).rejects.toThrow(/do not fit output/);
      tf.dispose([inputs, sampleWeight]);
      pixels.dispose();
    },
  );

  it('or is one number a sample', async () => {
    const [pixels, inputs] = [images(), tf.randomNormal([5, 2, 3, 4], 0, 1, 'float32', 1)];
    const weights = tf.tensor1d([1, 0, 2, 3, 1]);
    const labels = tf.zeros([5, 2, 3], 'int32');
    const ofPositions = tf.tidy(() => tf.tile(tf.reshape(weights, [5, 1, 1]), [1, 2, 3]));
    const same = [weights, tf.reshape(weights, [5, 1, 1, 1]), ofPositions];
    const options = { loss: 'sparseCategoricalCrossentropy', labels, classWeight: { 0: 2 } } as const;
    const traces: number[] = [];
    for (const sampleWeight of same) {
      traces.push((await measureSharpness(pixels, inputs, { ...options, sampleWeight })).trace);
    }
    expect(traces[1]! / traces[0]!).toBeCloseTo(1, 6);
    expect(traces[2]! / traces[0]!).toBeCloseTo(1, 6);
    tf.dispose([inputs, labels, same]);
    pixels.dispose();
  });
});
