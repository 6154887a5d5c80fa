import { expect, it } from 'vitest';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { csvLine, readingRow } from '../../src/measure/reading-row.js';

const reading = {
  step: 3,
  minimumSharpness: Number.POSITIVE_INFINITY,
  reliable: false,
  method: 'exact',
  parameters: [
    { name: 'a/kernel', layer: 'a', trace: 1.5, standardError: 0 },
    { name: 'a/kernel', layer: 'b', trace: 2.5, standardError: 0 },
  ],
  scales: [{ layer: 'a', alpha: 0 }],
  assumptions: ['One.', 'Two, or three.'],
} as unknown as SharpnessReading;

it('a row has every number, flag and text, and names that occur again are numbered', () => {
  expect([...readingRow({ ...reading, logs: { loss: 0.5 } })]).toEqual([
    ['step', '3'],
    ['epoch', ''],
    ['minimumSharpness', 'Infinity'],
    ['reliable', 'false'],
    ['method', 'exact'],
    ['alpha/a', '0'],
    ['trace/a/kernel', '1.5'],
    ['trace/a/kernel_2', '2.5'],
    ['logs/loss', '0.5'],
    ['assumptions', 'One. Two, or three.'],
  ]);
});

it('what is no reading has none', () => {
  expect(() => readingRow({ loss: 1 } as never)).toThrow('what came is no reading');
});

it('cells are quoted where they need it', () => {
  expect(csvLine(['a', 'b, c', 'say "x"', 'two\r\nlines'])).toBe('a,"b, c","say ""x""",two lines');
});
