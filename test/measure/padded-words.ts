import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
export type Symbolic = tfl.SymbolicTensor;
export const through = (x: Symbolic | Symbolic[], ...stack: tfl.layers.Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;
export const loss = 'softmaxCrossEntropy';
let counter = 0;
export const name = (kind: string) => `${kind}_${++counter}`;

/** Tokens with a padded end: 0 is the padding. */
export const tokens = () =>
  tf.tensor2d(
    [
      [3, 1, 2, 0],
      [1, 4, 0, 0],
      [2, 2, 3, 1],
    ],
    [3, 4],
    'float32',
  );
export const words = (maskZero = true) =>
  layers.embedding({ inputDim: 5, outputDim: 3, maskZero, name: name('words') });
export const head = (units = 3) => layers.dense({ units, name: name('head') });

export function built(inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]): tfl.LayersModel {
  const model = tfl.model({ inputs, outputs });
  setGoldenWeights(model, 5);
  return model;
}
