import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkNumber } from '../../checks.js';
import { assignLearningRate, learningRateIn } from '../../tfjs/optimizer-fields.js';
import type { Setting } from './setting.js';

function checkedRate(caller: string, optimizer: tf.Optimizer): number {
  const rate = learningRateIn(optimizer);
  if (typeof rate === 'number') {
    return rate;
  }
  throw new Error(`${caller}: the optimizer has no number learningRate, as those of tf.train have.`);
}

/**
 * Sets the learning rate of an optimizer of `tf.train`, from its next step on. What it has accumulated, such as momentum, stays.
 *
 * RMSProp accumulates steps that already hold the rate, so with its own momentum an old rate fades away only step by step.
 *
 * @throws Error with one line if the optimizer has no learning rate, or `value` is not a finite number of at least 0.
 */
export function setLearningRate(optimizer: tf.Optimizer, value: number): void {
  checkedRate('setLearningRate', optimizer);
  checkNumber('setLearningRate: the learning rate', value, { atLeast: 0 });
  assignLearningRate(optimizer, value);
}

/**
 * The learning rate of the optimizer that a model is compiled with, as a setting for `steer`. Its name is `learning_rate`.
 * The optimizer is looked up each time, so that it goes on with another after `model.compile`.
 *
 * `get` and `set` throw in one line as long as the model is not compiled, or if its optimizer has no learning rate.
 */
export function learningRateOf(model: tfl.LayersModel): Setting {
  const optimizer = (): tf.Optimizer => {
    if (model?.optimizer) {
      return model.optimizer;
    }
    throw new Error('learningRateOf: the model has no optimizer yet: call model.compile first.');
  };
  return {
    name: 'learning_rate',
    get: () => checkedRate('learningRateOf', optimizer()),
    set: (value) => setLearningRate(optimizer(), value),
  };
}
