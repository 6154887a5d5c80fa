import { expect, it } from 'vitest';
import { picture } from '../../src/report/picture.js';
import { runRecorder } from '../../src/report/report-run.js';
import { shownRuns } from '../../src/report/shown-runs.js';
import { reading } from './readings.js';

it('is a file of its own: names, colors in numbers, and as high as its legend needs', () => {
  const runs = shownRuns(
    Array.from({ length: 9 }, (_, i) => {
      const recorder = runRecorder();
      recorder.take(reading(1, 1));
      return recorder.run(`a run with a long name & ${i}`);
    }),
  );
  const wide = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="100"><path stroke="var(--run-0)"/></svg>';
  const svg = picture('<T>', { title: '', wide, key: [] }, runs);
  expect(svg).toContain('>&lt;T&gt;</text>');
  expect(svg.match(/long name &amp; \d/g)).toHaveLength(9);
  expect(svg).not.toContain('var(--');
  expect(Number(/height="(\d+)"/.exec(svg)![1])).toBeGreaterThan(100 + 9 * 22);
});
