import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { from } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tensorBoardInstalled } from '../../../scripts/tensorboard-server.js';
import { minimumSharpness } from '../../../src/index.js';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { accumulateEvents } from './event-accumulator.js';
import { expectedCharts, trainingReadings } from './training.js';

let logdir: string;
beforeEach(() => {
  logdir = mkdtempSync(join(tmpdir(), 'native-writer-'));
});
afterEach(() => rmSync(logdir, { recursive: true }));

function points(folder: string): Record<string, [number, number][]> {
  return Object.fromEntries(Object.entries(accumulateEvents(folder)).map(([tag, chart]) => [tag, chart.points]));
}

// These need the TensorFlow library itself.
describe.skipIf(!tensorBoardInstalled || tf.getBackend() !== 'tensorflow')('tfjs-node', () => {
  it('writes the same charts by its summaryFileWriter', async () => {
    const { node } = await import('@tensorflow/tfjs-node');
    const readings = trainingReadings(20);
    const summaryFileWriter = node.summaryFileWriter(logdir);
    const { numTensors } = tf.memory();
    from(readings).subscribe(tensorBoardWriter(summaryFileWriter));

    expect(tf.memory().numTensors).toBe(numTensors);
    expect(points(logdir)).toEqual(expectedCharts(readings));
  });

  it('logs the same value by its tensorBoard callback, which stands after ours', async () => {
    const { node } = await import('@tensorflow/tfjs-node');
    const model = tfl.sequential();
    model.add(tfl.layers.dense({ units: 5, activation: 'relu', inputShape: [4] }));
    model.add(tfl.layers.dense({ units: 3, activation: 'softmax' }));
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const xs = tf.randomNormal([24, 4], 0, 1, 'float32', 1);
    const ys = tf.tidy(() => tf.oneHot(tf.argMax(xs.slice([0, 0], [24, 3]), 1), 3));

    const sharpness = minimumSharpness({ data: xs });
    const readings: SharpnessReading[] = [];
    sharpness.readings$.subscribe((reading) => readings.push(reading));
    sharpness.readings$.subscribe(tensorBoardWriter(join(logdir, 'ours')));
    await model.fit(xs, ys, {
      epochs: 4,
      batchSize: 8,
      verbose: 0,
      callbacks: [sharpness, node.tensorBoard(join(logdir, 'theirs'))],
    });
    sharpness.dispose();
    model.dispose();
    tf.dispose([xs, ys]);

    expect(readings.map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    expect(points(join(logdir, 'ours'))).toEqual(expectedCharts(readings));
    // tfjs-node counts epochs, and puts what is not a validation value into the folder `train`.
    const theirs = points(join(logdir, 'theirs', 'train'));
    expect(theirs.epoch_minimumSharpness!.map(([, value]) => value)).toEqual(
      readings.map(({ minimumSharpness }) => Math.fround(minimumSharpness)),
    );
    expect(theirs.epoch_loss).toHaveLength(4);
  });
});
