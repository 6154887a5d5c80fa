import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { welcomePlainObjects } from '../../src/tfjs/callback-list.js';

let x: tf.Tensor;
let model: tfl.LayersModel;
let events: string[];
beforeEach(() => {
  x = tf.ones([4, 3]);
  model = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [3] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  events = [];
});
afterEach(() => {
  model.dispose();
  x.dispose();
});

class Welcoming extends tfl.Callback {
  constructor() {
    super();
    welcomePlainObjects(this);
  }
  override async onEpochEnd() {
    events.push('welcoming');
  }
}
const plain = (name: string) => ({ onEpochEnd: async () => void events.push(name) });
const fit = (...callbacks: object[]) =>
  model.fit(x, x, { epochs: 1, verbose: 0, callbacks: callbacks as tfl.Callback[] });

it('plain objects may stand behind it, with callback objects between them', async () => {
  await fit(new Welcoming(), plain('a'), new tfl.CustomCallback(plain('b')), plain('c'));
  expect(events).toEqual(['welcoming', 'a', 'b', 'c']);
});

it('lists without it end as ever', async () => {
  await fit(new Welcoming(), plain('a'));
  await expect(fit(new tfl.CustomCallback(plain('b')), plain('c'))).rejects.toThrow('setParams is not a function');
});
