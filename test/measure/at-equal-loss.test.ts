import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { atEqualLoss, measureSharpness, type SharpnessReading } from '../../src/index.js';

/** MS = c loss^p, which is a straight line in the logarithms. */
const power = (c: number, p: number, losses: readonly number[]) =>
  losses.map((loss) => ({ loss, minimumSharpness: c * loss ** p, standardError: 0.02 * c * loss ** p }));

describe('atEqualLoss', () => {
  it('finds a power of the loss exactly, whatever the readings lie at', () => {
    const runs = [power(30, 0.7, [2.3, 1.1, 0.31, 0.04]), power(90, 1.3, [1.9, 0.8, 0.5, 0.001])];
    for (const loss of [1.5, 0.6, 0.1]) {
      const [first, second] = atEqualLoss(runs, loss);
      expect(first!.minimumSharpness).toBeCloseTo(30 * loss ** 0.7, 10);
      expect(second!.minimumSharpness).toBeCloseTo(90 * loss ** 1.3, 10);
    }
  });

  it('has the error of the two readings: less than each half way, that of one at its loss', () => {
    const run = power(10, 0, [1, 0.25]);
    const [half] = atEqualLoss([run], 0.5);
    expect(half).toEqual({
      minimumSharpness: expect.closeTo(10, 12),
      standardError: expect.closeTo(0.2 / Math.SQRT2, 12),
      between: [0, 1],
    });
    expect(atEqualLoss([run], 0.25)[0]!.standardError).toBeCloseTo(0.2, 12);
  });

  it('states an error that draws of the readings spread by', () => {
    // Normal, by sums of twelve uniform numbers of a generator with a fixed seed.
    let state = 7;
    const uniform = () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const normal = () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b) - 6;
    const found = Array.from({ length: 2000 }, () => {
      const noisy = power(20, 0.5, [1, 0.1]).map((each) => ({
        ...each,
        minimumSharpness: each.minimumSharpness + each.standardError * normal(),
      }));
      return atEqualLoss([noisy], 0.3)[0]!;
    });
    const truth = 20 * Math.sqrt(0.3);
    const spread = Math.sqrt(
      found.reduce((sum, { minimumSharpness }) => sum + (minimumSharpness - truth) ** 2, 0) / 2000,
    );
    expect(spread / found[0]!.standardError).toBeGreaterThan(0.94);
    expect(spread / found[0]!.standardError).toBeLessThan(1.06);
  });

  it('takes the first fall to the loss, where a run rises again', () => {
    const run = [
      { loss: 2, minimumSharpness: 8 },
      { loss: 0.5, minimumSharpness: 2 },
      { loss: 3, minimumSharpness: 100 },
      { loss: 0.5, minimumSharpness: 50 },
    ];
    expect(atEqualLoss([run], 1)[0]).toEqual({
      minimumSharpness: expect.closeTo(4, 12),
      standardError: 0,
      between: [0, 1],
    });
  });

  it('says nothing of a run that does not fall to the loss, begins below it, or is empty', () => {
    const runs = [power(1, 1, [2, 1]), power(1, 1, [0.1, 0.01]), power(1, 1, [0.1, 2, 1]), []];
    expect(atEqualLoss(runs, 0.5)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('takes a first reading at just this loss', () => {
    expect(atEqualLoss([power(3, 1, [0.5, 0.1])], 0.5)[0]).toMatchObject({ minimumSharpness: 1.5, between: [0, 0] });
  });

  it('passes over readings that have no logarithm: of a dead network, without labels, after a failure', () => {
    const run = [
      { loss: 2, minimumSharpness: 8 },
      { loss: Number.NaN, minimumSharpness: 7 },
      { minimumSharpness: 6 },
      { loss: 1, minimumSharpness: 0 },
      { loss: 0, minimumSharpness: 5 },
      { loss: 0.5, minimumSharpness: Number.POSITIVE_INFINITY },
      { loss: 0.5, minimumSharpness: 2 },
    ];
    expect(atEqualLoss([run], 1)[0]).toEqual({
      minimumSharpness: expect.closeTo(4, 12),
      standardError: 0,
      between: [0, 6],
    });
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a loss of %s', (loss) => {
    expect(() => atEqualLoss([], loss)).toThrow(
      new RangeError(`atEqualLoss: the loss must be a finite number above 0, but it is ${loss}.`),
    );
  });

  it('takes readings as they come from a measurement', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 3, inputShape: [2], kernelInitializer: tfl.initializers.glorotNormal({ seed: 1 }) }),
        tfl.layers.softmax(),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const labels = tf.tensor2d([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]);
    const run: SharpnessReading[] = [await measureSharpness(model, x, { labels })];
    expect(atEqualLoss([run], run[0]!.loss!)[0]!.minimumSharpness).toBe(run[0]!.minimumSharpness);
    tf.dispose([x, labels]);
    model.dispose();
  });
});
