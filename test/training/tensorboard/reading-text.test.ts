import { expect, it } from 'vitest';
import { readingText } from '../../../src/training/tensorboard/reading-text.js';
import { readingOf } from '../streams/readings.js';

it('says how a reading was measured, what it takes for granted and what its symmetries are', () => {
  const reading = readingOf(1, {
    method: 'sampled',
    exact: false,
    samples: 60_000,
    assumptions: ['One thing.', 'Another.'],
    scales: ['a', 'b', 'a'].map((layer) => ({ layer, alpha: 1 })),
  });
  expect(
    readingText(reading),
  ).toBe(`**Measured** on 60000 samples: pairs of sample and column were drawn. The traces are those of the Gauss-Newton matrix.

**Taken for granted:**

- One thing.
- Another.

**Symmetries:** scale moves between the layers, without a change of the function, by these: \`a\`, \`b\`.`);
  expect(
    readingText(readingOf(1)),
  ).toBe(`**Measured** on 10 samples: every column of every sample was run. The traces are those of the Hessian.

**Taken for granted:** nothing.

**Symmetries:** no layer has a free scale.`);
});

it('does not change with the values', () => {
  const scales = [{ layer: 'a', alpha: 1 }];
  const other = readingOf(2, { scales: [{ layer: 'a', alpha: 3 }], step: 5, trace: 9, durationMs: 7, pairs: 3 });
  expect(readingText(readingOf(1, { scales }))).toBe(readingText(other));
});
