import { createContext, Script } from 'node:vm';
import { expect, it } from 'vitest';
import { tableSorting } from '../../src/report/table-sorting.js';

// test/report/sharpness-report.test.ts sorts with it in Chromium.
it('is a script that a page without tables can run, and that cannot end its element', () => {
  new Script(tableSorting).runInContext(createContext({ document: { querySelectorAll: () => [] } }));
  expect(tableSorting).not.toContain('</');
});
