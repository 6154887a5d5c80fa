import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;
const through = (x: Symbolic | Symbolic[], ...stack: tfl.layers.Layer[]) =>
  stack.reduce<Symbolic | Symbolic[]>((y, layer) => layer.apply(y) as Symbolic, x) as Symbolic;
const loss = 'softmaxCrossEntropy';
let counter = 0;
const name = (kind: string) => `${kind}_${++counter}`;

/** Tokens with a padded end: 0 is the padding. */
const tokens = () =>
  tf.tensor2d(
    [
      [3, 1, 2, 0],
      [1, 4, 0, 0],
      [2, 2, 3, 1],
    ],
    [3, 4],
    'float32',
  );
const words = (maskZero = true) => layers.embedding({ inputDim: 5, outputDim: 3, maskZero, name: name('words') });
const head = (units = 3) => layers.dense({ units, name: name('head') });

function built(inputs: Symbolic | Symbolic[], outputs: Symbolic | Symbolic[]): tfl.LayersModel {
  const model = tfl.model({ inputs, outputs });
  setGoldenWeights(model, 5);
  return model;
}

it('is refused in one line where tf.js hands a mask to a layer that has none', async () => {
  const x = tfl.input({ shape: [4] });
  const sentence = through(
    x,
    words(),
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 3, name: name('encoder') }),
  );
  const decoded = through(
    sentence,
    layers.repeatVector({ n: 4 }),
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('decoder') }),
    head(),
  );
  const data = tokens();
  const before = tf.memory().numTensors;
  await expect(measureSharpness(built(x, decoded), data, { loss })).rejects.toThrow(/a mask where none belongs/);
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
});
