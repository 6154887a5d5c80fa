import * as tf from '@tensorflow/tfjs';
import type { EarlyStopping, SharpnessCallback } from 'tfjs-sharpness';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const row = (...texts: string[]) => texts.map((text, i) => text.padStart([5, 9, 10, 10, 17, 17][i]!)).join('');

/** A callback that prints a line after every epoch, with the readings of callbacks that stand before it, by title. */
export function progressTable(readings: Readonly<Record<string, SharpnessCallback>>): tf.CustomCallback {
  let start = 0;
  return new tf.CustomCallback({
    onTrainBegin: async () => {
      console.log(row('epoch', 'loss', 'accuracy', 'test acc', ...Object.keys(readings)) + 'time'.padStart(9));
    },
    onEpochBegin: async () => {
      start = performance.now();
    },
    onEpochEnd: async (epoch, logs) => {
      const { loss, acc, val_acc: testAccuracy } = logs as { loss: number; acc: number; val_acc: number };
      const values = Object.values(readings).map(({ latest }) =>
        latest ? `${latest.minimumSharpness.toFixed(2)} ± ${latest.standardError.toFixed(2)}` : '-',
      );
      const line = row(`${epoch + 1}`, loss.toFixed(4), acc.toFixed(3), testAccuracy.toFixed(3), ...values);
      console.log(line + seconds(performance.now() - start).padStart(9));
    },
  });
}

/** Milliseconds that a callback spends measuring, from now on. */
export function measuringTime(sharpness: SharpnessCallback): () => number {
  let sum = 0;
  sharpness.readings$.subscribe(({ durationMs }) => {
    sum += durationMs;
  });
  return () => sum;
}

export function printWhyItEnded(stopping: EarlyStopping, epochs: number, minDelta: number, patience: number): void {
  console.log(
    stopping.stoppedEpoch === undefined
      ? `\nAll ${epochs} epochs done.`
      : `\nStopped after epoch ${stopping.stoppedEpoch + 1}: MS did not fall by ${minDelta} in ${patience} epochs.`,
  );
}

/** What the layers' scales do to the trace, how long it all took, and how to look at it. */
export function printLastReading({ latest }: SharpnessCallback, measuringMs: number, logdir: string): void {
  if (latest) {
    console.log(`The plain Hessian trace is ${latest.trace.toFixed(2)}; rescaling the layers gets it down to MS:`);
    console.log(`  ${latest.scales.map(({ layer, alpha }) => `${layer} x ${alpha.toFixed(3)}`).join(', ')}`);
  }
  console.log(`${seconds(performance.now())} in all, of which ${seconds(measuringMs)} measured all images.`);
  console.log(`Look at the curves (pip install tensorboard): tensorboard --logdir ${logdir}`);
}
