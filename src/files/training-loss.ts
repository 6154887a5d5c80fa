import type { Losses, LossWeights, NamedLoss } from '../measure/loss.js';
import { lossNameOf } from '../measure/loss.js';
import { isObject } from './json-text.js';

/** What a file says of the loss that its model was trained by. */
export interface TrainingLoss {
  readonly loss: Losses;
  readonly lossWeights?: LossWeights;
}

/**
 * The loss of a `training_config` (Keras 2, tf.js) or `compile_config` (Keras 3): a name in camel or snake case, an object of a class
 * with its configuration, or several of these in the order of the outputs or by their names.
 *
 * @returns undefined where the file says nothing.
 * @throws Error with one line for a loss that is not known by its name alone.
 */
export function trainingLoss(config: unknown): TrainingLoss | undefined {
  if (!isObject(config) || config.loss === undefined || config.loss === null) {
    return undefined;
  }
  const weights = typeof config.loss_weights === 'number' ? [config.loss_weights] : config.loss_weights;
  const hasWeights =
    (Array.isArray(weights) && weights.length > 0 && weights.every((each) => typeof each === 'number')) ||
    (isObject(weights) && Object.keys(weights).length > 0);
  return {
    loss: lossesOf(config.loss),
    ...(hasWeights && { lossWeights: weights as LossWeights }),
  };
}

function lossesOf(loss: unknown): Losses {
  if (Array.isArray(loss)) {
    if (loss.includes(null)) {
      throw new Error(
        'the model was trained with no loss for some of its outputs: say which output to measure and its loss, --output NAME --loss NAME.',
      );
    }
    return loss.length === 1 ? lossOf(loss[0]) : loss.map(lossOf);
  }
  if (isObject(loss) && !('class_name' in loss)) {
    return Object.fromEntries(
      Object.entries(loss).flatMap(([output, each]) => (each === null ? [] : [[output, lossOf(each)]])),
    );
  }
  return lossOf(loss);
}

function lossOf(loss: unknown): NamedLoss {
  const { class_name: className, config } = isObject(loss) ? loss : { class_name: loss, config: {} };
  // A function is written as an object too.
  const written = className === 'function' && typeof config === 'string' ? config : className;
  const options = isObject(config) ? config : {};
  const said = String(written);
  if (isObject(loss) && String(options.reduction ?? '').toLowerCase() === 'sum') {
    throw stranger(`${said} with reduction 'sum', which depends on the size of batches`);
  }
  if (isSet(options.label_smoothing)) {
    throw stranger(`${said} with label_smoothing ${options.label_smoothing}`);
  }
  if (options.ignore_class !== undefined && options.ignore_class !== null) {
    throw stranger(`${said} with ignore_class ${options.ignore_class}`);
  }
  if (options.delta !== undefined && options.delta !== 1) {
    throw stranger(`${said} with delta ${options.delta}`);
  }
  const camel = `${said[0]?.toLowerCase()}${said.slice(1)}`;
  const snake = said.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
  const known = [said, camel, snake].map(lossNameOf).find((name) => name !== undefined);
  if (known === undefined) {
    throw stranger(said);
  }
  if (options.from_logits === true) {
    if (known === 'binaryCrossentropy') {
      return 'sigmoidCrossEntropy';
    }
    if (known === 'categoricalCrossentropy' || known === 'sparseCategoricalCrossentropy') {
      return 'softmaxCrossEntropy';
    }
  }
  return known;
}

const isSet = (value: unknown) => value !== undefined && value !== null && value !== 0;

function stranger(what: string): Error {
  return new Error(`the model was trained by ${what}, which is not known here: say what to measure, --loss NAME.`);
}
