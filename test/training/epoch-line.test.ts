import { expect, it } from 'vitest';
import { epochLine } from '../../src/training/epoch-line.js';
import { readingOf } from './streams/readings.js';

const logs = { loss: 0.123456, acc: 0.95, minimumSharpness: 27.4219, val_loss: 0.5 };

it('has every field, and the sharpness with its error last', () => {
  const reading = readingOf(27.4219, { standardError: 0.5468 });
  expect(epochLine(2, logs, 'minimumSharpness', reading)).toBe(
    'Epoch 3: loss 0.1235, acc 0.95, val_loss 0.5, minimumSharpness 27.42 ± 0.55',
  );
});

it('has no error where there is none', () => {
  expect(epochLine(0, { loss: 1, ms: 5 }, 'ms', readingOf(5))).toBe('Epoch 1: loss 1, ms 5');
});

it('says where a value is carried forward, or there is none', () => {
  expect(epochLine(4, { loss: 1, ms: 5 }, 'ms', undefined)).toBe('Epoch 5: loss 1, ms 5 (no reading in this epoch)');
  expect(epochLine(4, { loss: 1, ms: Number.NaN }, 'ms', undefined)).toBe(
    'Epoch 5: loss 1, ms NaN (no reading in this epoch)',
  );
});
