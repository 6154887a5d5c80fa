import util from 'node:util';
import '@tensorflow/tfjs-node';
import * as tf from '@tensorflow/tfjs-core';

// tfjs-node 4.22 calls both; Node 23 removed them.
Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
if (!(await tf.setBackend('tensorflow'))) {
  throw new Error('the native backend did not start');
}
