import { expect, test } from 'vitest';
import { endingInWords } from '../../../examples/playground/src/training/ending.js';

test('the end of a training in words: a loss that is not finite is no minimum', () => {
  const ended = { epoch: 4, epochs: 30, stopped: false, stoppedEarly: false, bestEpoch: undefined, loss: 0.1 };
  expect(endingInWords({ ...ended, epochs: 5 })).toBe('Trained for 5 epochs.');
  expect(endingInWords({ ...ended, epoch: 0, epochs: 1 })).toBe('Trained for 1 epoch.');
  expect(endingInWords({ ...ended, stopped: true })).toBe('Stopped in epoch 5.');
  expect(endingInWords({ ...ended, stopped: true, bestEpoch: 2 })).toBe(
    'Stopped in epoch 5. The weights of epoch 3 are back.',
  );
  const early = { ...ended, stoppedEarly: true, bestEpoch: 1 };
  expect(endingInWords(early)).toBe(
    'Early stopping: MS has levelled off after 5 epochs. The weights of epoch 2 are back.',
  );
  expect(endingInWords({ ...early, loss: Number.NaN })).toBe(
    'The loss is NaN after 5 epochs: a lower learning rate may help. The weights of epoch 2 are back.',
  );
  expect(endingInWords({ ...early, bestEpoch: undefined, loss: Number.POSITIVE_INFINITY })).toBe(
    'The loss is Infinity after 5 epochs: a lower learning rate may help.',
  );
  expect(endingInWords({ ...ended, epochs: 5, loss: Number.NaN })).toMatch(/^The loss is NaN/);
});
