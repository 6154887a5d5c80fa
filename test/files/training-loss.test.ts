import { expect, test } from 'vitest';
import { trainingLoss } from '../../src/files/training-loss.js';

const lossOf = (loss: unknown) => trainingLoss({ loss })?.loss;

test.each<[loss: unknown, is: unknown]>([
  ['categorical_crossentropy', 'categoricalCrossentropy'],
  ['sparseCategoricalCrossentropy', 'sparseCategoricalCrossentropy'],
  ['mse', 'meanSquaredError'],
  ['MeanAbsoluteError', 'meanAbsoluteError'],
  [{ class_name: 'BinaryCrossentropy', config: { from_logits: false, reduction: 'auto' } }, 'binaryCrossentropy'],
  [{ class_name: 'BinaryCrossentropy', config: { from_logits: true } }, 'sigmoidCrossEntropy'],
  [
    { module: 'keras.losses', class_name: 'CategoricalCrossentropy', config: { from_logits: true } },
    'softmaxCrossEntropy',
  ],
  [{ module: 'builtins', class_name: 'function', config: 'mean_squared_error' }, 'meanSquaredError'],
  [['mse'], 'meanSquaredError'],
  [
    ['mse', 'mae'],
    ['meanSquaredError', 'meanAbsoluteError'],
  ],
  [{ a: 'mse', b: null }, { a: 'meanSquaredError' }],
])('%j', (loss, is) => {
  expect(lossOf(loss)).toEqual(is);
});

test('nothing is said', () => {
  for (const config of [undefined, null, 3, {}, { loss: null }]) {
    expect(trainingLoss(config)).toBeUndefined();
  }
});

test('weights of the outputs', () => {
  expect(trainingLoss({ loss: ['mse', 'mae'], loss_weights: [1, 2] })).toMatchObject({ lossWeights: [1, 2] });
  expect(trainingLoss({ loss: 'mse', loss_weights: 0.5 })).toMatchObject({ lossWeights: [0.5] });
  expect(trainingLoss({ loss: 'mse', loss_weights: null })).not.toHaveProperty('lossWeights');
  expect(trainingLoss({ loss: 'mse', loss_weights: {} })).not.toHaveProperty('lossWeights');
});

test.each([
  'my_loss',
  { class_name: 'Huber', config: { delta: 2 } },
  { class_name: 'MeanSquaredError', config: { reduction: 'sum' } },
  { class_name: 'CategoricalCrossentropy', config: { label_smoothing: 0.1 } },
  { class_name: 'SparseCategoricalCrossentropy', config: { from_logits: true, ignore_class: 0 } },
])('%j is not taken for another', (loss) => {
  expect(() => lossOf(loss)).toThrow(
    /^the model was trained by .*, which is not known here: say what to measure, --loss NAME\.$/,
  );
});

test('options that change nothing', () => {
  const config = { label_smoothing: 0, ignore_class: null };
  expect(lossOf({ class_name: 'SparseCategoricalCrossentropy', config })).toBe('sparseCategoricalCrossentropy');
});

test('outputs without a loss in a list', () => {
  expect(() => lossOf(['mse', null])).toThrow(
    /^the model was trained with no loss for some of its outputs: .*--output/,
  );
});
