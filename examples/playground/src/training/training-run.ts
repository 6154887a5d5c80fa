import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { earlyStopping, minimumSharpness, type SharpnessCallback } from 'tfjs-sharpness';
import type { Settings } from '../settings.js';
import { endingInWords } from './ending.js';
import { experiment } from './experiment.js';
import { lineOf } from './line-of-error.js';
import type { Report } from './messages.js';
import { network } from './networks.js';
import { optimizer } from './optimizer.js';
import { hearPackageWarnings } from './package-warnings.js';
import { rescaled } from './rescaling.js';
import type { Samples } from './samples.js';

/** Samples that the effect of rescaling is measured on. */
const RESCALED = 300;
/** Milliseconds between two pictures, and between two reports of batches. */
const PICTURE_EVERY = 250;
const BATCH_EVERY = 60;

const schedules = { epoch: { epochs: 1 }, batches: { batches: 10 }, share: { overhead: 0.2 } } as const;

/** One training, and its network, which can be rescaled until `dispose`. */
export interface TrainingRun {
  /** Trains to the end. It never rejects: what went wrong is reported. */
  train(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Training ends after the batch that is under way. */
  stop(): void;
  /** Measures what rescaling does, between two batches or when training is paused or over. A later wish takes the place of an earlier one. */
  rescale(layer: string, factor: number): void;
  /** Ends training and frees all tensors, when nothing needs them any more. */
  dispose(): Promise<void>;
}

/** The rest of the event loop has its turn, also in a hidden tab, where timers and frames wait. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** @throws Error with one line where the data cannot be loaded, or the network not be made. */
export async function trainingRun(
  number: number,
  settings: Settings,
  report: (message: Report) => void,
): Promise<TrainingRun> {
  const { train, test, scene, shown } = await experiment(settings);
  const { model, rescalable } = network(settings, train);
  model.compile({
    optimizer: optimizer(settings, model),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const { x, y } = tensorsOf(train);
  const { x: testX, y: testY } = tensorsOf(test);
  const shownX = tf.tensor2d(shown, [shown.length / train.width, train.width]);
  const part = tf.slice(x, 0, Math.min(RESCALED, x.shape[0]));

  let [paused, stopped] = [false, false];
  let wanted: { readonly layer: string; readonly factor: number } | undefined;
  /** Goes on where something waits for a command. */
  let wake = () => {};
  let working: Promise<void> = Promise.resolve();
  let training = false;
  let sharpness: SharpnessCallback | undefined;
  const disposal = new AbortController();

  async function picture(): Promise<void> {
    const output = tf.tidy(() => model.predict(shownX, { batchSize: 4096 }) as tf.Tensor);
    const probabilities = (await output.data()) as Float32Array;
    output.dispose();
    report({ kind: 'outlook', run: number, outlook: { probabilities, classes: train.classes } });
  }

  async function serveRescaling(): Promise<void> {
    while (wanted !== undefined) {
      const { layer, factor } = wanted;
      wanted = undefined;
      try {
        const found = rescalable.find(({ name }) => name === layer);
        if (found === undefined) {
          throw new Error(`there is no layer '${layer}'.`);
        }
        report({
          kind: 'rescaled',
          run: number,
          rescaled: await rescaled(model, found, factor, part, disposal.signal),
        });
      } catch (error) {
        if (disposal.signal.aborted) {
          return;
        }
        report({
          kind: 'not rescaled',
          run: number,
          message: `The rescaled network was not measured: ${lineOf(error)}`,
        });
      }
    }
  }

  async function fit(): Promise<void> {
    const perEpoch = Math.ceil(train.labels.length / settings.batchSize);
    let [epoch, step, loss, lastPicture, lastBatch] = [0, 0, 0, 0, 0];
    sharpness = minimumSharpness({ data: { xs: x, ys: y }, every: schedules[settings.every], memoryMB: 32 });
    sharpness.readings$.subscribe((reading) => report({ kind: 'reading', run: number, reading }));
    sharpness.problems$.subscribe(({ kind, step, epoch, message }) =>
      report({ kind: 'problem', run: number, problem: { kind, step, epoch, message } }),
    );
    const stopping = earlyStopping({
      monitor: 'minimumSharpness',
      startFromAccuracy: 0.5,
      patience: settings.patience,
      restoreBestWeights: true,
    });
    const progress = new tfl.CustomCallback(
      {
        onEpochBegin: async (begun) => {
          epoch = begun;
        },
        onBatchEnd: async (batch, logs) => {
          step = epoch * perEpoch + batch + 1;
          loss = Number(logs?.loss);
          const now = performance.now();
          if (now - lastBatch > BATCH_EVERY) {
            lastBatch = now;
            report({ kind: 'batch', run: number, epoch, step, loss, accuracy: Number(logs?.acc) });
          }
          if (scene.kind === 'points' && now - lastPicture > PICTURE_EVERY) {
            lastPicture = now;
            await picture();
          }
          await turn();
          await serveRescaling();
          while (paused && !stopped) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            await serveRescaling();
          }
          if (stopped) {
            model.stopTraining = true;
          }
        },
        onEpochEnd: async (ended, logs) => {
          const { loss: mean, acc, val_loss, val_acc } = logs as Record<string, number>;
          const end = { epoch: ended, step, loss: mean, accuracy: acc, testLoss: val_loss, testAccuracy: val_acc };
          report({ kind: 'epoch', run: number, end });
          if (performance.now() - lastPicture > PICTURE_EVERY) {
            lastPicture = performance.now();
            await picture();
          }
        },
      },
      'never', // frames do not come in a hidden tab: `turn` yields in their place
    );
    const leaveWarnings = hearPackageWarnings((message) => report({ kind: 'warning', run: number, message }));
    try {
      await picture();
      await model.fit(x, y, {
        epochs: settings.epochs,
        batchSize: settings.batchSize,
        validationData: [testX, testY],
        shuffle: false, // the samples come in random order; so a seed is a training
        verbose: 0,
        yieldEvery: 'never',
        callbacks: [sharpness, ...(settings.earlyStopping ? [stopping] : []), progress],
      });
    } finally {
      leaveWarnings();
      sharpness.dispose();
    }
    await picture();
    const message = endingInWords({
      epoch,
      epochs: settings.epochs,
      stopped,
      stoppedEarly: stopping.stoppedEpoch !== undefined,
      bestEpoch: stopping.bestEpoch,
      loss,
    });
    report({ kind: 'ended', run: number, message, tensors: tf.memory().numTensors });
  }

  report({
    kind: 'started',
    run: number,
    layers: rescalable.map(({ name }) => name),
    weights: model.countParams(),
    samples: train.labels.length,
    scene,
  });

  return {
    async train() {
      training = true;
      working = fit().catch((error) => report({ kind: 'failed', run: number, message: lineOf(error) }));
      await working;
      training = false;
      // Wishes that came with the last batch.
      working = serveRescaling();
      await working;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      wake();
    },
    stop() {
      stopped = true;
      wake();
    },
    rescale(layer, factor) {
      const idle = wanted === undefined && !training;
      wanted = { layer, factor };
      if (idle) {
        working = working.then(serveRescaling);
      }
      wake();
    },
    async dispose() {
      stopped = true;
      // A reading of a network that is not wanted any more would be waited for.
      wanted = undefined;
      disposal.abort();
      sharpness?.dispose();
      wake();
      let waitedFor: Promise<void>;
      do {
        waitedFor = working;
        await waitedFor;
      } while (waitedFor !== working);
      model.dispose();
      model.optimizer?.dispose();
      tf.dispose([x, y, testX, testY, shownX, part]);
    },
  };
}

/** Inputs [N, width], and labels [N, classes], one-hot. */
function tensorsOf({ inputs, labels, width, classes }: Samples): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const x = tf.tensor2d(inputs, [labels.length, width]);
  const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), classes), 'float32')) as tf.Tensor2D;
  return { x, y };
}
