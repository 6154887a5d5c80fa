import * as tf from '@tensorflow/tfjs-core';
import { replacing } from './replaced-method.js';

/** What a function has returned, and what it did for that. */
export interface Read<T> {
  readonly value: T;
  readonly variables: readonly tf.Variable[];
  /** Names of the kernels that worked, as tf.js has them. */
  readonly kernels: ReadonlySet<string>;
}

/**
 * Runs a function, and says which variables it read: those that a kernel got to work on. (Every operation of tf.js ends in
 * `runKernel` of the engine, which has it in its class.)
 */
export function variablesReadBy<T>(run: () => T): Read<T> {
  const engine = tf.engine();
  const { runKernel } = engine;
  const found = new Set<tf.Variable>();
  const kernels = new Set<string>();
  const noting: typeof runKernel = (name, inputs, attributes) => {
    kernels.add(name);
    for (const input of Object.values(inputs).flat()) {
      if (input instanceof tf.Variable) {
        found.add(input);
      }
    }
    return runKernel.call(engine, name, inputs, attributes) as never;
  };
  const value = replacing(engine, 'runKernel', noting, run);
  return { value, variables: [...found], kernels };
}
