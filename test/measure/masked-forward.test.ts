import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { built, head, loss, through, tokens, words } from './padded-words.js';

const { layers } = tfl;
it('is refused in one line where tf.js runs another network', async () => {
  const x = tfl.input({ shape: [4] });
  const model = built(x, through(x, words(), layers.lstm({ units: 3, recurrentInitializer: 'glorotNormal' }), head()));
  const data = tokens();
  const before = tf.memory().numTensors;
  model.predict = () => tf.fill([1, 3], 7);
  await expect(measureSharpness(model, data, { loss })).rejects.toThrow(/tf\.js runs this model/);
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
});
