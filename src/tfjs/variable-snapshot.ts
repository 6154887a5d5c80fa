import * as tf from '@tensorflow/tfjs-core';

/**
 * Remembers the values of all variables that there are: weights, moving averages, what optimizers keep. Belongs inside of a
 * `tf.tidy`, which ends it.
 *
 * @returns a function that gives every variable that was assigned since its value back, bit for bit.
 */
export function snapshotVariables(): () => void {
  const all = Object.values(tf.engine().registeredVariables);
  const remembered = all.map((variable) => ({ variable, dataId: variable.dataId, value: tf.clone(variable) }));
  return () => {
    for (const { variable, dataId, value } of remembered) {
      if (!variable.isDisposed && variable.dataId !== dataId) variable.assign(value);
    }
  };
}
