import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Weight } from './weights.js';

const REMEDY =
  '`npm ls @tensorflow/tfjs-core @tensorflow/tfjs-layers` shows the copies; one version of tf.js in package.json and ' +
  '`npm dedupe` (a bundler: its alias or dedupe setting for @tensorflow/*) leaves one';

/**
 * Throws one line where the model's weights or the given tensors belong to a copy of tf.js that this package cannot reach.
 *
 * Two copies of tfjs-core in one realm share their engine through a global object, and with it tensors, kernels and
 * gradients; two copies of tfjs-layers differ in their classes only. Such duplicates measure correctly and are let through.
 * What breaks is a copy with an engine of its own (loaded in another realm, or before a script defined `window`): every
 * operation would fail inside tf.js with "Cannot read properties of undefined (reading 'backend')".
 */
export function checkSameEngine(weights: readonly Weight[], tensors: readonly tf.Tensor[] = []): void {
  checkTensorsOfThisEngine('the model', [...weights.map((weight) => weight.read()), ...tensors]);
}

/** Whether this is a tensor that this package's copy of tf.js can work on. */
export function isOfThisEngine(tensor: tf.Tensor): boolean {
  return tf.engine().state.tensorInfo.has(tensor?.dataId);
}

/** Throws the same line where tensors of `owner` belong to a copy of tf.js that this package cannot reach. */
export function checkTensorsOfThisEngine(owner: string, tensors: readonly tf.Tensor[]): void {
  if (tensors.every((tensor) => tensor.isDisposed || isOfThisEngine(tensor))) {
    return;
  }
  throw new Error(`${owner} and tfjs-sharpness load different copies of tf.js, whose tensors do not mix: ${REMEDY}`);
}

/**
 * What to tell a user whose `fit` called a callback's method on `receiver`: a line where `receiver` is the wrapper that a
 * second copy of tfjs-layers puts around callbacks whose class it does not know, undefined otherwise. (That copy takes a
 * callback object of this package for a plain object and never tells it the model. Our own copy's wrapper means that the
 * first entry of `callbacks` is a plain object.)
 */
export function secondCopyOfLayers(receiver: unknown): string | undefined {
  const wrapped = typeof receiver === 'object' && receiver !== null && 'trainBegin' in receiver;
  if (!wrapped || receiver instanceof tfl.CustomCallback) {
    return undefined;
  }
  return `the model and tfjs-sharpness load different copies of tfjs-layers, so fit does not know the callback: ${REMEDY}`;
}
