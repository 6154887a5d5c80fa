import type * as tfl from '@tensorflow/tfjs-layers';
import { checkMeasurable } from '../measure/measurable.js';
import {
  type FunctionOfVariables,
  isFunctionOfVariables,
  type MeasureFunctionOptions,
  measureFunctionSharpness,
} from '../measure/measure-function.js';
import { estimateSharpness, measureSharpness } from '../measure/measure-sharpness.js';
import type { SharpnessReading } from '../measure/reading.js';
import { type Monitor, monitorOf, type TrainingMonitor } from './monitor.js';
import {
  checkFunctionMonitorOptions,
  checkMonitorOptions,
  type FunctionMonitorOptions,
  type MonitorOptions,
} from './monitor-options.js';
import { isDue } from './schedule.js';
import type { Measuring, Trained } from './sharpness-reader.js';

/**
 * Measures Minimum Sharpness in a training loop of your own, as {@link minimumSharpness} does in `fit`: `trainOnBatch`,
 * `optimizer.minimize`, `tf.variableGrads` with `applyGradients`, several models in turns.
 *
 * ```ts
 * const monitor = sharpnessMonitor(model, { data: xTrain });
 * for (let epoch = 0; epoch < 10; epoch++) {
 *   for (const [x, y] of batches) {
 *     const [loss] = (await model.trainOnBatch(x, y)) as number[];
 *     await monitor.batchEnd({ loss });
 *   }
 *   const reading = await monitor.epochEnd();
 *   console.log(reading?.minimumSharpness);
 * }
 * monitor.dispose();
 * ```
 *
 * Training is not touched: it ends with the same weights, bit for bit, as without the monitor. Nothing that goes wrong in a measurement
 * takes it down: see `problems$`.
 *
 * **When** it measures is what `every` says, as in the callback. The time that `{ overhead }` takes its share of begins with the
 * first call, and is all that passes from then on but readings.
 *
 * **What** it measures on is `data`, or else the minibatch that `model.trainOnBatch` was given, with its labels: after a batch that
 * batch, after an epoch its first one. Loops that train otherwise show no minibatches, and need `data`; where the model is not compiled, they
 * need `loss` too. A batch measured right after the step on it reads low.
 *
 * @param model that is trained. What of it is trained, `compile` has decided, or `trainable` where it is not compiled.
 * @throws Error with one line for a model that is not built, and for options that there are not, that contradict each other or are out of
 *   range. What can only be known in training goes to `problems$` and one console warning when it is found.
 */
export function sharpnessMonitor(model: tfl.LayersModel, options?: MonitorOptions): Monitor;

/**
 * The same for a function of `tf.Variable`s, as {@link measureFunctionSharpness} takes it.
 *
 * ```ts
 * const logits = (x: tf.Tensor) => tf.matMul(tf.relu(tf.matMul(x as tf.Tensor2D, w1)), w2);
 * const blocks = { w1: { variable: w1, to: 'hidden' }, w2: { variable: w2, from: 'hidden' } };
 * const monitor = sharpnessMonitor({ function: logits, blocks }, { data: xTrain, loss: 'softmaxCrossEntropy' });
 * ```
 *
 * @throws Error with one line where one of the two is missing or wrong, without `data` or `loss`, and for options that there are not, that
 *   contradict each other or are out of range.
 */
export function sharpnessMonitor(trained: FunctionOfVariables, options: FunctionMonitorOptions): Monitor;

export function sharpnessMonitor(
  trained: tfl.LayersModel | FunctionOfVariables,
  options: MonitorOptions | FunctionMonitorOptions = {},
): Monitor {
  const [settings, measuring] = isFunctionOfVariables(trained)
    ? [checkFunctionMonitorOptions(trained, options as FunctionMonitorOptions), ofFunctions]
    : [checkMonitorOptions(trained, options as MonitorOptions), ofModels];
  const readsFirstBatch = isDue(settings.every, 'batches', settings.initialStep + 1);
  return toldByHand(trained, monitorOf(settings, measuring, 'own loop'), !readsFirstBatch);
}

const ofModels = { whole: measureSharpness, minibatch: estimateSharpness, check: checkMeasurable } as Measuring;

const ofFunctions: Measuring = {
  whole: (trained, data, options) => {
    const { function: f, blocks } = trained as FunctionOfVariables;
    return measureFunctionSharpness(f, blocks, data as never, options as MeasureFunctionOptions);
  },
  minibatch: estimateSharpness,
};

/**
 * A monitor that is told of ends alone, and so takes each for the begin of what comes next.
 *
 * @param checks whether a slip in the data shall show after the first batch, where no reading would show it.
 */
function toldByHand(trained: Trained, monitor: TrainingMonitor, checks: boolean): Monitor {
  const { problems } = monitor;
  let epochs = 0;
  monitor.setModel(trained);
  monitor.begin();
  monitor.batchBegin();
  const guarded = async (read: () => Promise<SharpnessReading | undefined>) => {
    try {
      return await read();
    } catch (error) {
      problems.fail(undefined, error);
      return undefined;
    } finally {
      monitor.batchBegin();
    }
  };
  return {
    readings$: monitor.readings$,
    logs$: monitor.logs$,
    problems$: problems.problems$,
    get latest() {
      return monitor.latest;
    },
    batchEnd: (logs) =>
      guarded(async () => {
        const reading = await monitor.batchEnd(logs);
        if (checks) {
          await monitor.check(); // which it does once
        }
        return reading;
      }),
    epochEnd: (logs) =>
      guarded(async () => {
        const reading = await monitor.epochEnd(epochs++, logs ?? undefined);
        monitor.epochBegin(epochs);
        return reading;
      }),
    dispose: () => monitor.dispose(),
  };
}
