import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import { checkMeasureOptions, type MeasureOptions, type MeasureProgress } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import type { LossName } from '../../src/network/output-hessian.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

// What is small is the same on every backend.
vi.mock('../../src/tfjs/backend-speed.js', () => ({
  backendSpeed: () => ({ passMs: 8, productsInMs: 2 ** 22, firstRun: 2 }),
}));

const layers = tfl.layers;
const he = (seed: number) => tfl.initializers.heNormal({ seed });

function dense(outputs = 5, activation?: 'softmax' | 'sigmoid' | 'tanh', widths = [12, 9]): tfl.LayersModel {
  const [first, second] = widths;
  return tfl.sequential({
    layers: [
      layers.dense({ units: first!, activation: 'relu', inputShape: [8], kernelInitializer: he(1), name: 'one' }),
      layers.dense({ units: second!, activation: 'relu', kernelInitializer: he(2), name: 'two' }),
      layers.dense({ units: outputs, activation, kernelInitializer: he(3), name: 'three' }),
    ],
  });
}

/** Too large to be measured exactly at a loose tolerance. */
const wide = () => dense(5, undefined, [320, 160]);

const inputs = (samples: number, seed = 5) => tf.randomNormal([samples, 8], 0, 2, 'float32', seed) as tf.Tensor2D;
const softmax: MeasureOptions = { loss: 'softmaxCrossEntropy' };

function expectSameReading(actual: SharpnessReading, expected: SharpnessReading, relative: number): void {
  const close = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThanOrEqual(relative * Math.abs(b));
  close(actual.minimumSharpness, expected.minimumSharpness);
  close(actual.trace, expected.trace);
  actual.parameters.forEach((parameter, b) => {
    expect(parameter.name).toBe(expected.parameters[b].name);
    close(parameter.trace, expected.parameters[b].trace);
  });
}

const batched = (x: tf.Tensor2D, size: number) =>
  tfd.generator(function* () {
    for (let begin = 0; begin < x.shape[0]; begin += size) {
      yield tf.slice(x, begin, Math.min(size, x.shape[0] - begin));
    }
  } as never);

/** Runs with a model and inputs that are disposed afterwards, and checks that nothing else stays. */
async function withoutLeak(
  run: (model: tfl.LayersModel, x: tf.Tensor2D) => Promise<void>,
  samples = 200,
  model = dense(),
) {
  const x = inputs(samples);
  await measureSharpness(model, x, { ...softmax, method: { pairs: 40 } });
  const before = tf.memory().numTensors;
  await run(model, x);
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
  model.dispose();
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('{ pairs }', () => {
  it.each<[LossName, Parameters<typeof dense>]>([
    ['softmaxCrossEntropy', [5]],
    ['categoricalCrossentropy', [5, 'softmax']],
    ['sparseCategoricalCrossentropy', [5, 'softmax']],
    ['sigmoidCrossEntropy', [3]],
    ['binaryCrossentropy', [1, 'sigmoid']],
    ['meanSquaredError', [4]],
    ['meanSquaredError', [4, 'tanh']],
  ])('is the exact value once it reaches all pairs: %s %j', async (loss, shape) => {
    const model = dense(...shape);
    const x = inputs(30);
    const exact = await measureSharpness(model, x, { loss });
    const all = await measureSharpness(model, x, { loss, method: { pairs: exact.pairs } });
    expectSameReading(all, exact, 1e-12);
    const streamed = await measureSharpness(model, batched(x, 7), { loss, method: { pairs: exact.pairs } });
    expectSameReading(streamed, exact, 1e-5);
    for (const reading of [all, streamed]) {
      expect(reading).toMatchObject({ standardError: 0, reliable: true, samples: 30, pairs: exact.pairs });
      expect(reading.parameters.every(({ standardError }) => standardError === 0)).toBe(true);
    }
    // All but one: the kernel on pairs is off by little.
    const most = await measureSharpness(model, x, { loss, method: { pairs: exact.pairs - 1 } });
    expect(most.pairs).toBe(exact.pairs - 1);
    expectSameReading(most, exact, 0.05);
    x.dispose();
    model.dispose();
  });

  it('runs as many backward rows as asked for, for all samples, and knows the last dense layer exactly', () =>
    withoutLeak(async (model, x) => {
      const exact = await measureSharpness(model, x, softmax);
      const reading = await measureSharpness(model, x, { ...softmax, method: { pairs: 100 } });
      expect(reading).toMatchObject({ samples: 200, pairs: 100, exact: true });
      expect(reading.standardError).toBeGreaterThan(0);
      const errors = Object.fromEntries(reading.parameters.map((each) => [each.name, each.standardError]));
      expect(errors).toMatchObject({ 'three/kernel': 0, 'three/bias': 0 });
      expect(errors['one/kernel']).toBeGreaterThan(0);
      reading.parameters.slice(-2).forEach(({ trace }, i) => {
        expect(Math.abs(trace / exact.parameters.slice(-2)[i].trace - 1)).toBeLessThan(1e-5);
      });
      expect(Math.abs(reading.minimumSharpness - exact.minimumSharpness)).toBeLessThan(5 * reading.standardError);
    }));

  it('gives the same reading for the same seed, another for another, and leaves Math.random alone', () =>
    withoutLeak(async (model, x) => {
      const random = vi.spyOn(Math, 'random');
      const read = async (data: tf.Tensor2D | ReturnType<typeof batched>, seed?: number) =>
        (await measureSharpness(model, data, { ...softmax, method: { pairs: 60 }, seed })).minimumSharpness;
      expect(await read(x, 3)).toBe(await read(x, 3));
      expect(await read(x)).toBe(await read(x, 0));
      expect(await read(x, 3)).not.toBe(await read(x, 4));
      expect(random).not.toHaveBeenCalled();
      expect(await read(batched(x, 30), 3)).toBe(await read(batched(x, 30), 3));
    }));

  it('keeps within the memory that it is given: other chunks, other draws, as good', () =>
    withoutLeak(async (model, x) => {
      const method = { pairs: 90 };
      const exact = await measureSharpness(model, x, softmax);
      for (const memoryMB of [1024, 0.02]) {
        const reading = await measureSharpness(model, x, { ...softmax, method, memoryMB });
        expect(reading.pairs).toBe(90);
        expect(Math.abs(reading.minimumSharpness - exact.minimumSharpness)).toBeLessThan(4 * reading.standardError);
        // The same budget, the same chunks, the same values.
        const again = await measureSharpness(model, x, { ...softmax, method, memoryMB });
        expectSameReading(again, reading, 1e-12);
      }
      await expect(measureSharpness(model, x, { ...softmax, method, memoryMB: 1e-5 })).rejects.toThrow(/memoryMB/);
    }));

  it('draws from the batches of a dataset independently', () =>
    withoutLeak(async (model, x) => {
      // Were the same pairs of every batch drawn, batches that are all alike would tell no more than one of them.
      const tiled = tf.tidy(() => tf.tile(tf.slice(x, 0, 10), [20, 1])) as tf.Tensor2D;
      const same = batched(tiled, 10);
      const exact = await measureSharpness(model, same, softmax);
      let covered = 0;
      for (let seed = 0; seed < 40; seed++) {
        const reading = await measureSharpness(model, same, { ...softmax, method: { pairs: 64 }, seed });
        covered += Math.abs(reading.minimumSharpness - exact.minimumSharpness) < 2 * reading.standardError ? 1 : 0;
      }
      expect(covered).toBeGreaterThanOrEqual(35);
      tiled.dispose();
    }));

  it('weighs samples', () =>
    withoutLeak(async (model, x) => {
      const sampleWeight = Array.from({ length: 200 }, (_, n) => (n % 3 === 0 ? 0 : n / 50));
      const exact = await measureSharpness(model, x, { ...softmax, sampleWeight });
      const reading = await measureSharpness(model, x, { ...softmax, sampleWeight, method: { pairs: 200 } });
      expect(Math.abs(reading.minimumSharpness / exact.minimumSharpness - 1)).toBeLessThan(0.1);
      // All pairs of a weight above 0, drawn with certainty.
      const all = await measureSharpness(model, x, { ...softmax, sampleWeight, method: { pairs: 799 } });
      expect(all.pairs).toBe(4 * 133);
      expect(all.standardError).toBe(0);
      expectSameReading(all, exact, 1e-5);
    }));

  it('needs no backward row where the last dense layer is all that is trained', () =>
    withoutLeak(async (model, x) => {
      model.getLayer('one').trainable = false;
      model.getLayer('two').trainable = false;
      const exact = await measureSharpness(model, x, softmax);
      for (const data of [x, batched(x, 50)]) {
        const reading = await measureSharpness(model, data, { ...softmax, method: { pairs: 10 } });
        expect(reading).toMatchObject({ pairs: 0, standardError: 0, reliable: true, samples: 200 });
        expectSameReading(reading, exact, 1e-5);
      }
    }));

  it('samples the last layer like the rest where it is called twice or is not the last step', async () => {
    const shared = layers.dense({ units: 8, name: 'shared', kernelInitializer: he(4) });
    const input = tfl.input({ shape: [8] });
    const once = layers.reLU().apply(shared.apply(input)) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: input, outputs: shared.apply(once) as tfl.SymbolicTensor });
    const x = inputs(40);
    const exact = await measureSharpness(model, x, softmax);
    const reading = await measureSharpness(model, x, { ...softmax, method: { pairs: 100 } });
    expect(reading.parameters.every(({ standardError }) => standardError > 0)).toBe(true);
    expect(Math.abs(reading.trace / exact.trace - 1)).toBeLessThan(0.3);
    const squashed = dense(4, 'tanh');
    const pairs = { loss: 'meanSquaredError', method: { pairs: 60 } } as const;
    const { parameters } = await measureSharpness(squashed, x, pairs);
    expect(parameters.at(-1)?.standardError).toBeGreaterThan(0);
    tf.dispose(x);
    model.dispose();
    squashed.dispose();
  });

  it('says where chance has told what pairs are drawn by', async () => {
    const input = tfl.input({ shape: [4, 3] });
    const cells = [2, 3].map((units) =>
      layers.simpleRNNCell({ units, recurrentInitializer: 'glorotUniform', activation: 'softmax' }),
    );
    const hidden = layers.rnn({ cell: cells as never, name: 'two_cells' }).apply(input);
    const model = tfl.model({ inputs: input, outputs: layers.dense({ units: 3 }).apply(hidden) as tfl.SymbolicTensor });
    const x = tf.randomNormal([30, 4, 3], 0, 1, 'float32', 5);
    const drawn = await measureSharpness(model, x, { ...softmax, method: { pairs: 40 } });
    expect(drawn.assumptions.join(' ')).toMatch(/How sensitive 'two_cells' is .* was tried in a few random directions/);
    const all = await measureSharpness(model, x, softmax);
    expect(all.assumptions.join(' ')).not.toMatch(/random directions/);
    expect(Math.abs(drawn.minimumSharpness - all.minimumSharpness)).toBeLessThan(5 * drawn.standardError);
    x.dispose();
    model.dispose();
  });

  it('takes several inputs, and whole numbers', async () => {
    const tokens = tfl.input({ shape: [3], dtype: 'int32', name: 'tokens' });
    const numbers = tfl.input({ shape: [4], name: 'numbers' });
    const words = layers
      .flatten()
      .apply(layers.embedding({ inputDim: 6, outputDim: 2, trainable: false }).apply(tokens));
    const joined = layers.concatenate().apply([words as tfl.SymbolicTensor, numbers]);
    const hidden = layers.dense({ units: 6, activation: 'relu' }).apply(joined);
    const model = tfl.model({
      inputs: [tokens, numbers],
      outputs: layers.dense({ units: 3 }).apply(hidden) as tfl.SymbolicTensor,
    });
    const xs = [tf.randomUniform([20, 3], 0, 6, 'int32', 1), tf.randomNormal([20, 4], 0, 1, 'float32', 2)];
    const exact = await measureSharpness(model, xs, softmax);
    const pairs = { ...softmax, method: { pairs: 39 } };
    expectSameReading(await measureSharpness(model, xs, pairs), exact, 0.2);
    const items = [0, 10].map((begin) => ({
      xs: { tokens: tf.slice(xs[0], begin, 10), numbers: tf.slice(xs[1], begin, 10) },
    }));
    const streamed = await measureSharpness(model, tfd.array(items as never) as never, {
      ...softmax,
      method: { pairs: 40 },
    });
    expectSameReading(streamed, exact, 1e-5);
    tf.dispose(xs);
    model.dispose();
  });

  it('measures all pairs, and 0, where the network is certain beyond what float64 can hold', async () => {
    const model = dense();
    const x = inputs(20);
    tf.tidy(() => model.getLayer('three').setWeights([tf.zeros([9, 5]), tf.tensor1d([1000, 0, 0, 0, 0])]));
    const reading = await measureSharpness(model, x, { ...softmax, method: { pairs: 20 } });
    expect(reading).toMatchObject({ minimumSharpness: 0, standardError: 0, pairs: 80 });
    x.dispose();
    model.dispose();
  });

  it('says so when the network overflows', async () => {
    const model = dense();
    const x = tf.fill([3, 8], 3e38) as tf.Tensor2D;
    await expect(measureSharpness(model, x, { ...softmax, method: { pairs: 4 } })).rejects.toThrow(
      /sample 0 is not finite: look for weights or inputs that are huge/,
    );
    x.dispose();
    model.dispose();
  });
});

describe('{ tolerance }', () => {
  it('draws until the error is within it, and no more than it takes', () =>
    withoutLeak(
      async (model, x) => {
        const exact = await measureSharpness(model, x, softmax);
        const pairs: number[] = [];
        for (const tolerance of [0.2, 0.02, 0.006]) {
          const reading = await measureSharpness(model, x, { ...softmax, method: { tolerance } });
          pairs.push(reading.pairs);
          expect(reading.standardError).toBeLessThanOrEqual(tolerance * reading.minimumSharpness);
          const off = Math.abs(reading.minimumSharpness / exact.minimumSharpness - 1);
          expect(off).toBeLessThan(4 * tolerance);
        }
        expect(pairs[0]).toBe(128);
        // Each pair is run once: samples of 256, 384, 576, ... nearly nest.
        expect(pairs[2]).toBeGreaterThan(256);
        expect(pairs[2]).toBeLessThan(1.2 * 256 * 1.5 ** Math.round(Math.log(pairs[2] / 256) / Math.log(1.5)));
      },
      2000,
      wide(),
    ));

  it('runs no pair twice while the sample grows', () =>
    withoutLeak(
      async (model, x) => {
        const once = await measureSharpness(model, x, { ...softmax, method: { tolerance: 0.006 } });
        let pairs = 0;
        // Not the first time, when trials find how many fit the memory.
        const { kernels, result } = await tf.profile(async () => {
          pairs = (await measureSharpness(model, x, { ...softmax, method: { tolerance: 0.006 } })).pairs;
          return tf.scalar(0);
        });
        const gathered = kernels
          .filter(({ name }) => name === 'GatherV2')
          .map(({ outputShapes }) => outputShapes[0][0]);
        tf.dispose(result);
        expect(pairs).toBeGreaterThan(256);
        expect(pairs).toBe(once.pairs);
        expect(gathered.reduce((sum, rows) => sum + rows, 0)).toBe(pairs);
      },
      2000,
      wide(),
    ));

  it('begins with as many pairs as the last reading needed, and finds the same', () =>
    withoutLeak(
      async (model, x) => {
        const method = { tolerance: 0.006 };
        const { pairs, durationMs: _, ...first } = await measureSharpness(model, x, { ...softmax, method });
        const rounds: (number | undefined)[] = [];
        const onProgress = ({ rows, totalRows }: MeasureProgress) => {
          if (rows > 0 && rows === totalRows) {
            rounds.push(rows);
          }
        };
        const again = await measureSharpness(model, x, { ...softmax, method, onProgress });
        expect(rounds).toEqual([again.pairs]);
        expect(again.pairs).toBeLessThanOrEqual(pairs);
        expect(again).toMatchObject(first);
        // Another tolerance is another matter.
        const other = await measureSharpness(model, x, { ...softmax, method: { tolerance: 0.02 } });
        expect(other.pairs).toBeLessThan(again.pairs);
      },
      2000,
      wide(),
    ));

  it('is exact where half of the pairs would be needed', () =>
    withoutLeak(async (model, x) => {
      const exact = await measureSharpness(model, x, softmax);
      const reading = await measureSharpness(model, x, { ...softmax, method: { tolerance: 1e-6 } });
      expect(reading).toMatchObject({ standardError: 0, reliable: true, pairs: exact.pairs });
      expectSameReading(reading, exact, 1e-12);
    }));

  it('reads a dataset once, and says so when what it kept does not do', () =>
    withoutLeak(async (model, x) => {
      let passes = 0;
      const counted = {
        iterator: async () => {
          passes++;
          return (await batched(x, 100).iterator()) as never;
        },
      };
      const loose = await measureSharpness(model, counted, { ...softmax, method: { tolerance: 0.05 } });
      expect(loose.standardError).toBeLessThanOrEqual(0.05 * loose.minimumSharpness);
      expect(loose.assumptions.join(' ')).not.toMatch(/relative standard error/);
      const tight = await measureSharpness(model, counted, { ...softmax, method: { tolerance: 1e-5 } });
      expect(passes).toBe(2);
      expect(tight.pairs).toBe(8192);
      expect(tight.assumptions.join(' ')).toMatch(/relative standard error of 0.00001 would need more than the 8192/);
      // So little memory holds the rows of 400 samples: inputs, a weight and the sum of the labels.
      const memoryMB = (400 * (x.size / x.shape[0]! + 2) * 4) / 2 ** 20;
      const short = await measureSharpness(model, counted, { ...softmax, method: { tolerance: 1e-5 }, memoryMB });
      expect(short.pairs).toBe(400);
      expect(short.assumptions.join(' ')).toMatch(/relative standard error of 0.00001 would need more than the 400/);
    }, 3000));
});

it('reports progress and stops when asked to', () =>
  withoutLeak(async (model, x) => {
    const seen: number[] = [];
    const method = { pairs: 50 };
    await measureSharpness(model, x, {
      ...softmax,
      method,
      onProgress: ({ samples, total }) => {
        seen.push(samples);
        expect(total).toBe(200);
      },
    });
    // All of them in the forward pass, and once more after the backward pass.
    expect(seen).toEqual([200, 200]);
    const stop = new AbortController();
    const stopped = measureSharpness(model, x, {
      ...softmax,
      method,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
  }));

it('flags a reading whose error a few pairs make', async () => {
  // The rarer a unit is active, the larger what it passes on, in so few pairs.
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 40, activation: 'relu', inputShape: [8], kernelInitializer: he(7) }),
      layers.dense({ units: 1, kernelInitializer: he(8) }),
    ],
  });
  tf.tidy(() => {
    const [kernel] = model.layers[0].getWeights();
    const outgoing = Array.from({ length: 40 }, (_, i) => [Math.exp(i / 4)]);
    model.layers[1].setWeights([tf.tensor2d(outgoing), tf.zeros([1])]);
    model.layers[0].setWeights([kernel, tf.tensor1d(outgoing.map((_, i) => -0.2 * i))]);
  });
  const x = inputs(3000, 11);
  const loss = 'meanSquaredError';
  let flagged = 0;
  for (let seed = 0; seed < 10; seed++) {
    const reading = await measureSharpness(model, x, { loss, method: { pairs: 32 }, seed });
    flagged += reading.reliable ? 0 : 1;
    expect(reading.assumptions.some((each) => /not reliable/.test(each))).toBe(!reading.reliable);
  }
  expect(flagged).toBeGreaterThanOrEqual(5);
  expect((await measureSharpness(model, x, { loss })).reliable).toBe(true);
  x.dispose();
  model.dispose();
});

describe('options', () => {
  it.each<[unknown, RegExp]>([
    ['sampled', /method: 'sampled' is not known\. Pass 'exact', \{ pairs: 256 \}, .* or/],
    [{}, /method: \{\} is not known/],
    [null, /method: null is not known/],
    [{ pairs: 3, tolerance: 0.1 }, /is not known/],
    [{ rows: 3 }, /is not known/],
    [{ pairs: 0 }, /pairs must be a whole number of at least 2, but it is 0: pass a number/],
    [{ pairs: 1.5 }, /pairs must .* it is 1\.5:/],
    [{ pairs: '9' }, /pairs must .* it is '9':/],
    [{ tolerance: 0 }, /tolerance must be a number above 0 and below 1, but it is 0: pass a relative error/],
    [{ tolerance: 1 }, /tolerance must .* it is 1:/],
    [{ tolerance: Number.NaN }, /tolerance must .* it is NaN:/],
  ])('refuses the method %j in one line', (method, message) => {
    expect(() => checkMeasureOptions({ method: method as never })).toThrow(message);
  });

  it('refuses a seed that is no whole number', () => {
    expect(() => checkMeasureOptions({ seed: 0.5 })).toThrow(/^seed must be a whole number, but it is 0\.5\.$/);
    expect(() => checkMeasureOptions({ seed: 2 ** 60 })).toThrow(/seed/);
    checkMeasureOptions({ seed: -4 });
  });

  it('needs data in the callback, which then samples it', async () => {
    expect(() => minimumSharpness({ method: { pairs: 64 } })).toThrow(/Pass \{ data \}/);
    const model = dense(5, 'softmax');
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const x = inputs(100);
    const y = tf.tidy(() =>
      tf.cast(
        tf.oneHot(
          tf.tensor1d(
            Array.from({ length: 100 }, (_, n) => n % 5),
            'int32',
          ),
          5,
        ),
        'float32',
      ),
    );
    const sharpness = minimumSharpness({ data: x, method: { pairs: 64 }, seed: 3 });
    await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [sharpness] });
    const { minimumSharpness: value } = await measureSharpness(model, x, { method: { pairs: 64 }, seed: 3 });
    expect(sharpness.latest).toMatchObject({ pairs: 64, samples: 100, minimumSharpness: value });
    sharpness.dispose();
    tf.dispose([x, y]);
    model.dispose();
  });

  it('refuses to sample a minibatch', async () => {
    const model = dense();
    const x = inputs(3);
    await expect(estimateSharpness(model, x, { ...softmax, method: { pairs: 9 } })).rejects.toThrow(/Pass \{ data \}/);
    x.dispose();
    model.dispose();
  });
});
