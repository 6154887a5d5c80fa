import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { built, head, loss, name, through, tokens, words } from './padded-words.js';

const { layers } = tfl;
it('is refused in one line where tf.js computes something else: it hands states that went into one layer to later ones', async () => {
  const x = tfl.input({ shape: [4] });
  const lstm = (more: object = {}) =>
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 3, name: name('lstm'), ...more });
  const [sequence, ...states] = lstm({ returnSequences: true, returnState: true }).apply(
    through(x, words()),
  ) as tfl.SymbolicTensor[];
  const decoded = lstm({ returnSequences: true }).apply([sequence!, ...states]) as tfl.SymbolicTensor;
  const data = tokens();
  const before = tf.memory().numTensors;
  await expect(measureSharpness(built(x, through(decoded, lstm(), head())), data, { loss })).rejects.toThrow(
    /tf\.js runs this model/,
  );
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
});
