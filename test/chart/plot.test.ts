import { expect, it } from 'vitest';
import { tickText } from '../../src/chart/plot.js';

// What is drawn is tested in sharpness-chart.test.ts, in a page; that this file is imported here shows that no page is needed for it.
it('ticks are short', () => {
  expect([0, 12000, 0.05, 3e6, 1e-7, 0.1 + 0.2, -2.5e9].map(tickText)).toEqual([
    '0',
    '12000',
    '0.05',
    '3e6',
    '1e-7',
    '0.3',
    '-2.5e9',
  ]);
});
