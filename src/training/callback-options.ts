import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkText, checkWhole } from '../checks.js';
import { checkForm, isDataset, type LabelledInputs } from '../measure/inputs.js';
import type { SharpnessInputs } from '../measure/measure-sharpness.js';
import { checkMinibatchOptions } from '../measure/methods.js';
import {
  checkMeasureOptions,
  DEFAULT_METHOD,
  isHutchinson,
  type MeasureOptions,
  measureOptionNames,
} from '../measure/options.js';
import { checkIsModel } from '../measure/subject.js';
import { checkSchedule, type Schedule } from './schedule.js';

export interface MinimumSharpnessOptions extends MeasureOptions {
  /**
   * What to measure on: tensors, named tensors, { xs, ys } or a dataset, as for `measureSharpness`. They stay yours to dispose. The
   * value speaks for all of it, to a relative standard error of 2% unless `method` says otherwise.
   * By default the minibatches that the model is trained on, which is free of a second copy of the data but noisy.
   */
  readonly data?: SharpnessInputs;
  /**
   * When to measure: `{ epochs: k }`, `{ batches: k }`, or `{ overhead: 0.05 }` as often as that takes no more than this share
   * of the training time. Default `{ epochs: 1 }`.
   */
  readonly every?: Schedule;
  /** Key in the epoch logs. Default `'minimumSharpness'`. Two callbacks in one fit need two names. */
  readonly name?: string;
  /**
   * Batches that the model was trained on before this callback saw any, for a resumed run. Default 0; or, where the first `fit` has an
   * `initialEpoch`, as many as the epochs before have if all are alike.
   */
  readonly initialStep?: number;
  /**
   * The model that is measured. `fit` says which one it trains, but not among plain objects such as `{ onEpochEnd }`: with this option the
   * callback works there too, wherever it stands in the list.
   */
  readonly model?: tfl.LayersModel;
  /** 1 prints a line an epoch: loss, accuracy and the latest value with its standard error. Default 0. */
  readonly verbose?: 0 | 1;
}

/** Every option but `model`, which a monitor is given by itself. */
export const monitorOptionNames = {
  data: true,
  every: true,
  name: true,
  initialStep: true,
  verbose: true,
  ...measureOptionNames,
} satisfies Record<Exclude<keyof MinimumSharpnessOptions, 'model'>, true>;

const knownOptions = { ...monitorOptionNames, model: true } satisfies Record<keyof MinimumSharpnessOptions, true>;

/** Options with their defaults in place. */
export interface CallbackSettings {
  /** Without it, minibatches are measured. */
  readonly data: SharpnessInputs | undefined;
  readonly every: Schedule;
  readonly name: string;
  readonly initialStep: number;
  readonly verbose: boolean;
  /** For every reading. */
  readonly measureOptions: MeasureOptions;
}

/** @throws Error with one line for options that there are not, that contradict each other or are out of range. */
export function checkCallbackOptions(options: MinimumSharpnessOptions): CallbackSettings {
  checkKnownOptions('minimumSharpness', options, knownOptions);
  const { model, ...rest } = options;
  if (model !== undefined) {
    checkIsModel(model);
  }
  return settingsOf(rest);
}

/** Puts the defaults in place. @throws Error with one line for options that contradict each other or are out of range. */
export function settingsOf(options: Omit<MinimumSharpnessOptions, 'model'>): CallbackSettings {
  const {
    data,
    every = { epochs: 1 },
    name = 'minimumSharpness',
    initialStep = 0,
    verbose: lines = 0,
    ...measureOptions
  } = options;
  const verbose = lines > 0;
  checkSchedule(every);
  checkMeasureOptions(measureOptions);
  if (data !== undefined) {
    checkForm('data', data);
  }
  checkText('name', name, 'be a non-empty string, the key of the readings in the epoch logs');
  checkWhole('initialStep', initialStep, { atLeast: 0 });
  for (const option of ['sampleWeight', 'classWeight'] as const) {
    if (data === undefined && measureOptions[option] !== undefined) {
      throw new Error(
        `${option} needs data: minibatches are weighed as fit weighs them, by its own classWeight. Pass { data, ${option} }.`,
      );
    }
  }
  if (data === undefined) {
    checkMinibatchOptions(measureOptions);
    return { data, every, name, initialStep, verbose, measureOptions };
  }
  const needsLabels = measureOptions.classWeight !== undefined || isHutchinson(measureOptions.method);
  const { ys } = data as Partial<LabelledInputs>;
  if (needsLabels && (measureOptions.labels ?? ys) === undefined && !isDataset(data)) {
    const what = isHutchinson(measureOptions.method) ? 'method: { hutchinson }' : 'classWeight';
    throw new Error(`${what} needs labels: pass { data, labels }, or a dataset of { xs, ys } as data.`);
  }
  // All of the data, to 2%, costs less than a batch late in training, where a random minibatch is noise.
  return { data, every, name, initialStep, verbose, measureOptions: { method: DEFAULT_METHOD, ...measureOptions } };
}
