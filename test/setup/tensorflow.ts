import '@tensorflow/tfjs-node';
import * as tf from '@tensorflow/tfjs-core';

if (!(await tf.setBackend('tensorflow'))) throw new Error('the native backend did not start');
