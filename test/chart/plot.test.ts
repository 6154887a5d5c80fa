import { expect, it } from 'vitest';
import { plotIn } from '../../src/chart/plot.js';

// What is drawn is tested in sharpness-chart.test.ts, in a page.
it('no page is needed for importing it', () => {
  expect(plotIn).toBeTypeOf('function');
});
