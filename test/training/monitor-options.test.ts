import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkFunctionMonitorOptions, checkMonitorOptions } from '../../src/training/monitor-options.js';

let model: tfl.LayersModel;
let x: tf.Tensor;
let w: tf.Variable;
beforeAll(() => {
  model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [2] })] });
  x = tf.ones([4, 2]);
  w = tf.variable(tf.ones([2, 2]));
});
afterAll(() => {
  model.dispose();
  tf.dispose([x, w]);
});

const f = (given: tf.Tensor) => tf.matMul(given, w as tf.Tensor2D);
const loss = 'meanSquaredError';

it('has the defaults of the callback', () => {
  const defaults = { every: { epochs: 1 }, verbose: false, name: 'minimumSharpness', initialStep: 0 };
  expect(checkMonitorOptions(model, {})).toEqual({ ...defaults, data: undefined, measureOptions: {} });
  expect(checkFunctionMonitorOptions({ function: f, blocks: [w] }, { data: x, loss, seed: 3 })).toEqual({
    ...defaults,
    data: x,
    measureOptions: { method: { tolerance: 0.02 }, loss, seed: 3 },
  });
});

it.each<[string, () => unknown, RegExp]>([
  [
    'a slip',
    () => checkMonitorOptions(model, { evry: 1 } as never),
    /^sharpnessMonitor: there is no option 'evry', only data, every, /,
  ],
  ['a model', () => checkMonitorOptions(model, { model } as never), /^sharpnessMonitor: there is no option 'model'/],
  ['no model', () => checkMonitorOptions(undefined as never, {}), /^model must be a tf\.LayersModel/],
  ['a schedule', () => checkMonitorOptions(model, { every: {} as never }), /^every must be/],
  ['no building', () => checkMonitorOptions(tfl.sequential(), {}), /^The model is not built/],
  [
    'no data',
    () => checkFunctionMonitorOptions({ function: f, blocks: [w] }, { loss } as never),
    /Pass what to measure it on, \{ data \}\.$/,
  ],
  [
    'no loss',
    () => checkFunctionMonitorOptions({ function: f, blocks: [w] }, { data: x } as never),
    /^A function has no compiled loss/,
  ],
  [
    'no variables',
    () => checkFunctionMonitorOptions({ function: f, blocks: [] }, { data: x, loss }),
    /^No variables are given/,
  ],
  [
    'no function',
    () => checkFunctionMonitorOptions({ blocks: [w] } as never, { data: x, loss }),
    /^function must be a function/,
  ],
  [
    'options of a model',
    () => checkFunctionMonitorOptions({ function: f, blocks: [w] }, { data: x, loss, classWeight: { 0: 1 } } as never),
    /no option 'classWeight'/,
  ],
])('is refused in one line: %s', (_, check, line) => {
  expect(check).toThrow(line);
  expect(check).toThrow(/^[^\n]+$/);
});
