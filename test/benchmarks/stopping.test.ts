import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/*
 * What the documentation shows and advises against what the committed comparison of ways of stopping has found.
 */

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const [, right, wrong] = read('benchmarks/results/stopping.md').split(/^## (?=Labels|40|Which)/m) as [
  string,
  string,
  string,
];

/** The cells of a row behind its name, in the first of the tables that have it, or in the one by learning rate. */
const row = (part: string, name: string, table = 0) =>
  [...part.matchAll(/^\| (.+?) \| (.*) \|$/gm)].filter(([, title]) => title === name)[table]![2]!.split(' | ');
/** Test accuracy lost with the best weights back, in points. */
const lost = (part: string, name: string) => Number(row(part, name)[3]);

it('the settings of the snippets lose little with right labels, at every learning rate, and end no slow training', () => {
  const shown = /monitor: 'minimumSharpness', startFromAccuracy: 0\.5, patience: 5 \}/;
  expect(read('README.md')).toMatch(shown);
  expect(read('docs/early-stopping.md')).toMatch(shown);
  const name = 'MS, patience 5, from accuracy 0.5';
  expect(lost(right, name)).toBeLessThanOrEqual(lost(right, 'all epochs'));
  const byRate = row(right, name, 1).map((cell) => cell.split(' / ').map(Number) as [number, number]);
  expect(byRate).toHaveLength(8);
  for (const [, points] of byRate) {
    expect(points).toBeLessThan(5);
  }
  // SGD at 0.01 and Adam at 0.0001.
  for (const slow of [0, 4]) {
    expect(byRate[slow]![0]).toBe(30);
  }
});

it('the ways that are advised against are those that lost most', () => {
  const page = read('docs/early-stopping.md');
  for (const name of ['MS at any loss, patience 5', 'MS rises as loss falls, patience 3']) {
    expect(lost(right, name)).toBeGreaterThan(15);
    expect(page).toContain(`${Math.round(lost(right, name))} `);
  }
  expect(page).toMatch(/`'worsensAsLossFalls'` ends slow trainings after a few epochs/);
});

it('the points that the page names are those of the tables', () => {
  const page = read('docs/early-stopping.md').replace(/\s+/g, ' ');
  const points = (part: string, name: string) => lost(part, name).toFixed(1);
  expect(page).toContain(
    `All epochs lose ${points(right, 'all epochs')} points, the validation loss with \`patience: 5\` ` +
      `${points(right, 'validation loss, patience 5')}, MS by the defaults with \`patience: 5\` ${points(right, 'MS, patience 5')}.`,
  );
  expect(page).toContain(
    `${points(wrong, 'validation loss, patience 5')} points, where all epochs lose ${points(wrong, 'all epochs')}.`,
  );
  expect(page).toContain(
    `(${points(wrong, 'MS, patience 5')}, from a training accuracy of 0.5 on ${points(wrong, 'MS, patience 5, from accuracy 0.5')})`,
  );
});
