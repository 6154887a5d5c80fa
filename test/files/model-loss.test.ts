import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, expect, test } from 'vitest';
import { modelLoss } from '../../src/files/model-loss.js';

const a = tfl.input({ shape: [2] });
const dense = (units: number, activation: 'softmax' | 'sigmoid' | 'linear', name: string) =>
  tfl.layers.dense({ units, activation, name }).apply(a) as tfl.SymbolicTensor;
const model = tfl.model({
  inputs: a,
  outputs: [dense(3, 'softmax', 'kind'), dense(1, 'sigmoid', 'odd'), dense(1, 'linear', 'size')],
});
const two = tfl.model({ inputs: a, outputs: model.outputs.slice(0, 2) });
afterAll(() => model.dispose());
const [kind, odd, size] = model.outputNames as [string, string, string];

test('what is given comes before what the file says', () => {
  const training = { loss: { [kind]: 'categorical_crossentropy', [size]: 'mse' }, loss_weights: { [kind]: 2 } };
  const none = () => expect.unreachable();
  expect(modelLoss(model, 'meanSquaredError', training, undefined, none)).toEqual({ loss: 'meanSquaredError' });
  const { loss, lossWeights } = modelLoss(model, undefined, training, undefined, none);
  expect([Object.keys(loss), lossWeights]).toEqual([[kind, size], { [kind]: 2 }]);
  expect(modelLoss(model, undefined, training, size, none).loss).toEqual({
    [size]: expect.stringMatching(/^(mse|meanSquaredError)$/),
  });
  expect(modelLoss(model, { loss: 'huberLoss', factor: 2 }, training, size, none).loss).toEqual({
    [size]: { loss: 'huberLoss', factor: 2 },
  });
  expect(() => modelLoss(model, undefined, training, odd, none)).toThrow(
    `the output '${odd}' has no loss: say it, --loss NAME.`,
  );
  expect(() => modelLoss(model, undefined, training, 'none', none)).toThrow(/no output 'none', only/);
});

test('the last activation says it where nothing else does, and that is told', () => {
  const notes: string[] = [];
  const note = (line: string) => notes.push(line);
  expect(modelLoss(two, undefined, undefined, undefined, note).loss).toEqual({
    [kind]: 'categoricalCrossentropy',
    [odd]: 'binaryCrossentropy',
  });
  expect(modelLoss(model, undefined, undefined, odd, note).loss).toEqual({ [odd]: 'binaryCrossentropy' });
  expect(notes).toEqual([
    'The file does not say what the model was trained by: categoricalCrossentropy and binaryCrossentropy is taken, by its last activation.',
    'The file does not say what the model was trained by: binaryCrossentropy is taken, by its last activation.',
  ]);
  expect(() => modelLoss(model, undefined, null, undefined, note)).toThrow(
    `'${size}' was trained by, and it ends in neither`,
  );
});
