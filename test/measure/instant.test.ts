import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { thisInstant } from '../../src/measure/instant.js';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { sampleSharpness } from '../../src/measure/sharpness-sample.js';
import { copyWeights } from '../../src/tfjs/saved-weights.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

const { layers } = tfl;
const he = (seed: number) => tfl.initializers.heNormal({ seed });
const MOVED = /^(Layer '.*' [^:]*: )?Weight '.*' was (changed|disposed) during the measurement.*[^\n]*$/;

describe('a measurement', () => {
  let model: tfl.LayersModel;
  let x: tf.Tensor2D;
  let y: tf.Tensor;
  let tensors: number;
  beforeEach(() => {
    vi.spyOn(console, 'info').mockImplementation(() => {});
    model = tfl.sequential({
      layers: [
        layers.dense({ units: 12, activation: 'tanh', inputShape: [6], kernelInitializer: he(1), name: 'one' }),
        layers.batchNormalization({ name: 'norm' }),
        layers.dense({ units: 5, activation: 'softmax', kernelInitializer: he(2), name: 'two' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    x = tf.randomNormal([300, 6], 0, 1, 'float32', 3);
    y = tf.tensor2d(Array.from({ length: 300 }, (_, n) => [0, 1, 2, 3, 4].map((k) => (n % 5 === k ? 1 : 0))));
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensors);
    tf.dispose([x, y]);
    model.dispose();
  });

  const dataset = () =>
    tfd.generator(function* () {
      for (let begin = 0; begin < 300; begin += 60) {
        yield { xs: tf.slice(x, begin, 60), ys: tf.slice(y, begin, 60) };
      }
    } as never);

  type Run = (options: MeasureOptions) => Promise<unknown>;
  const onTensors: Run = (options) => measureSharpness(model, x, options);
  const runs: [string, MeasureOptions, Run][] = [
    ['exact', {}, onTensors],
    ['a part', { part: 0.8 }, onTensors],
    ['pairs', { method: { pairs: 400 } }, onTensors],
    ['a tolerance', { method: { tolerance: 0.001 } }, onTensors],
    ['of a minibatch', {}, (options) => estimateSharpness(model, x, options)],
    [
      'with random probes',
      { method: { hutchinson: 4 } },
      (options) => measureSharpness(model, x, { ...options, labels: y }),
    ],
    ['of a dataset', {}, (options) => measureSharpness(model, dataset() as never, options)],
    [
      'of pairs of a dataset',
      { method: { pairs: 90 } },
      (options) => measureSharpness(model, dataset() as never, options),
    ],
    ['of a share', { method: 'exact' }, (options) => sampleSharpness(model, x, options)],
    ['of a share by pairs', { method: { pairs: 400 } }, (options) => sampleSharpness(model, x, options)],
  ];
  const budget = { memoryMB: 0.05 };

  it('of one sample with many columns is refused once a weight is set between two pieces', async () => {
    const wide = tfl.sequential({ layers: [layers.dense({ units: 600, inputShape: [500] })] });
    const one = tf.randomNormal([1, 500], 0, 1, 'float32', 4);
    const loss = 'softmaxCrossEntropy';
    let pieces = 0;
    const run = (atPiece: () => void) =>
      measureSharpness(wide, one, {
        loss,
        memoryMB: 1,
        onProgress({ samples }) {
          if (samples === 0 && ++pieces === 2) {
            atPiece();
          }
        },
      });
    await run(() => {});
    expect(pieces).toBeGreaterThan(2);
    pieces = 0;
    const moved = run(() => {
      tf.tidy(() => void wide.weights[0]!.write(tf.mul(wide.weights[0]!.read(), 2)));
    });
    await expect(moved).rejects.toThrow(MOVED);
    expect(pieces).toBe(2);
    one.dispose();
    wide.dispose();
  });

  it.each(runs)('%s goes through where nothing moves', async (_, options, run) => {
    let pauses = 0;
    await run({ ...options, ...budget, onProgress: () => void pauses++ });
    expect(pauses).toBeGreaterThan(2);
  });

  it.each(runs)('%s is refused once a weight is set', async (_, options, run) => {
    for (const name of ['two/bias', 'norm/moving_mean']) {
      const weight = model.weights.find(({ originalName }) => originalName === name)!;
      let pauses = 0;
      const onProgress = () => {
        if (pauses++ === 1) {
          tf.tidy(() => void weight.write(tf.add(weight.read(), 0.5)));
        }
      };
      await expect(run({ ...options, ...budget, onProgress })).rejects.toThrow(
        new RegExp(`^Weight '${name}' was changed during the measurement`),
      );
    }
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a step of training', async () => tf.dispose((await model.trainOnBatch(x, y)) as never)],
    ['fit', () => model.fit(x, y, { epochs: 1, verbose: 0 })],
    [
      'setWeights',
      async () => {
        const values = model.getWeights().map((each) => tf.mul(each, 1.5));
        model.setWeights(values);
        tf.dispose(values);
      },
    ],
  ])('that nobody awaits is refused by %s', async (_, move) => {
    for (const options of [{}, { method: { pairs: 400 } } as const]) {
      const found = measureSharpness(model, x, { ...budget, ...options }).catch((error: Error) => error);
      const moved = move();
      expect(((await found) as Error).message).toMatch(MOVED);
      await moved;
    }
    tensors = tf.memory().numTensors; // what the optimizer and the metrics keep
  });

  it('is refused also where the weights are back before anybody looks', async () => {
    // A loop that moves a weight, waits, and puts the very values back.
    const bias = model.layers[2]!.weights[1]!.read() as tf.Variable;
    const values = tf.clone(bias);
    let wrong = 0;
    const ordinary = await measureSharpness(model, x, budget);
    for (let delay = 0; delay < 24; delay++) {
      const found = measureSharpness(model, x, budget).catch(() => null);
      for (let turn = 0; turn < delay; turn++) {
        await null;
      }
      const moved = tf.tidy(() => tf.add(values, [9, 0, 0, 0, 0]));
      bias.assign(moved as tf.Variable);
      moved.dispose();
      await null;
      await null;
      await null;
      bias.assign(values as never);
      const reading = await found;
      wrong += reading !== null && reading.minimumSharpness !== ordinary.minimumSharpness ? 1 : 0;
    }
    values.dispose();
    expect(wrong).toBe(0);
  });

  it('is refused where the model is disposed meanwhile', async () => {
    const other = tfl.sequential({ layers: [layers.dense({ units: 5, inputShape: [6], activation: 'softmax' })] });
    const options = { ...budget, loss: 'categoricalCrossentropy', onProgress: () => void other.dispose() } as const;
    await expect(measureSharpness(other, x, options)).rejects.toThrow(/was disposed during the measurement/);
  });

  it('speaks for the weights at the call where all of it has been started', async () => {
    const before = await measureSharpness(model, x);
    const bias = model.layers[2]!.weights[1]!;
    const onProgress = () => tf.tidy(() => void bias.write(tf.add(bias.read(), [3, 0, 0, 0, 0])));
    const after = await measureSharpness(model, x, { onProgress });
    expect(after.minimumSharpness).toBe(before.minimumSharpness);
  });

  it('does not mind another one, which moves weights and puts them back', async () => {
    const [probed, exact] = await Promise.all([
      measureSharpness(model, x, { ...budget, method: { hutchinson: 3 }, labels: y }),
      measureSharpness(model, x, budget),
    ]);
    const alone = await measureSharpness(model, x, budget);
    expect(exact.minimumSharpness).toBe(alone.minimumSharpness);
    expect(probed.minimumSharpness).toBeGreaterThan(0);
  });

  it('does not mind best weights put back where they are', async () => {
    const best = copyWeights(model);
    const reading = await measureSharpness(model, x, { ...budget, onProgress: () => best.restore() });
    best.dispose();
    expect(reading.minimumSharpness).toBeGreaterThan(0);
  });

  it('does not mind the training of another model', async () => {
    const other = tfl.sequential({ layers: [layers.dense({ units: 5, inputShape: [6] })] });
    other.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const [reading] = await Promise.all([
      measureSharpness(model, x, budget),
      other.fit(x, y, { epochs: 1, verbose: 0 }),
    ]);
    expect(reading.minimumSharpness).toBeGreaterThan(0);
    other.dispose();
    tensors = tf.memory().numTensors;
  });

  it('inside of fit waits, and is not refused', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const sharpness = minimumSharpness({ data: x, every: { batches: 1 }, ...budget });
    let readings = 0;
    sharpness.readings$.subscribe(() => readings++);
    await model.fit(x, y, { epochs: 2, batchSize: 100, verbose: 0, callbacks: [sharpness] });
    expect([readings, warn.mock.calls]).toEqual([6, []]);
    sharpness.dispose();
    tensors = tf.memory().numTensors;
  });

  it('of a function minds every variable that the function reads, and no other', async () => {
    const [w, shift, unread] = [tf.randomNormal([6, 3], 0, 1, 'float32', 1), tf.zeros([3]), tf.zeros([1])].map(
      (value) => {
        const variable = tf.variable(value);
        value.dispose();
        return variable;
      },
    ) as [tf.Variable, tf.Variable, tf.Variable];
    const f = (input: tf.Tensor) => tf.add(tf.matMul(input as tf.Tensor2D, w as tf.Tensor2D), shift);
    const measure = (moving: tf.Variable) => {
      const onProgress = () => {
        const moved = tf.tidy(() => tf.add(moving, 1));
        moving.assign(moved as tf.Variable);
        moved.dispose();
      };
      const few = tf.slice(x, 0, 40);
      return measureFunctionSharpness(f, [w], few, {
        loss: 'meanSquaredError',
        memoryMB: 0.004,
        onProgress,
      }).finally(() => few.dispose());
    };
    await measure(unread);
    await expect(measure(w)).rejects.toThrow(MOVED);
    await expect(measure(shift)).rejects.toThrow(MOVED);
    // On a slow machine, chunks have pieces, and the weight moves between the forward and the backward pass of one.
    let time = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      time += 500;
      return time;
    });
    await expect(measure(shift)).rejects.toThrow(MOVED);
    tf.dispose([w, shift, unread]);
  });
});

it('thisInstant reads no values', () => {
  const variable = tf.variable(tf.scalar(1), false, 'a_variable_of_its_own');
  const data = vi.spyOn(variable, 'data');
  const check = thisInstant([{ originalName: 'w', read: () => variable }]);
  check();
  variable.assign(tf.scalar(1) as never);
  expect(check).toThrow(/^Weight 'w' was changed during the measurement, .*await/);
  expect(data).not.toHaveBeenCalled();
  variable.dispose();
  expect(check).toThrow(/^Weight 'w' was disposed/);
});
