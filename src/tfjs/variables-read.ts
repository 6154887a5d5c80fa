import * as tf from '@tensorflow/tfjs-core';
import { replacing } from './replaced-method.js';

/**
 * Runs a function, and says which variables it read: those that a kernel got to work on. (Every operation of tf.js ends in
 * `runKernel` of the engine, which has it in its class.)
 */
export function variablesReadBy<T>(run: () => T): { readonly value: T; readonly variables: readonly tf.Variable[] } {
  const engine = tf.engine();
  const { runKernel } = engine;
  const found = new Set<tf.Variable>();
  const noting: typeof runKernel = (name, inputs, attributes) => {
    for (const input of Object.values(inputs).flat()) {
      if (input instanceof tf.Variable) {
        found.add(input);
      }
    }
    return runKernel.call(engine, name, inputs, attributes) as never;
  };
  const value = replacing(engine, 'runKernel', noting, run);
  return { value, variables: [...found] };
}
