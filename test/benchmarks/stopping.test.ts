import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readLines } from '../../benchmarks/json-lines.js';
import { checkpoints, chosen, ofSimilarLoss, overSeeds, ranking } from '../../benchmarks/stopping-ranking.js';
import { stoppingReport } from '../../benchmarks/stopping-report.js';
import type { Training } from '../../benchmarks/stopping-trainings.js';

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

it('the report is what the committed lines make of them', () => {
  const lines = new Set(read('benchmarks/results/stopping.md').split('\n'));
  const made = stoppingReport(readLines<Training>('benchmarks/results/stopping.jsonl'), []);
  expect(made.length).toBeGreaterThan(100);
  expect(made.filter((line) => !lines.has(line))).toEqual([]);
}, 60_000);

it('the differences and the ranks that the page names are those of the report', () => {
  const page = read('docs/early-stopping.md').replace(/\s+/g, ' ');
  const more = (part: string, name: string) => row(part, name)[6]!;
  expect(more(right, 'MS, patience 5')).toBe('-0.4 (-0.7 to -0.1)');
  expect(page).toContain('MS saves 0.4 points (0.1 to 0.7)');
  const [epochs, never] = row(right, 'MS, patience 5');
  expect(page).toContain(
    `it never stopped ${never} of these trainings (${epochs} of 30 epochs, and ${row(right, 'validation loss, patience 5')[0]} by`,
  );
  const smoothed = 'MS, patience 5, smoothing 0.5';
  expect(Number(row(right, smoothed)[0])).toBeGreaterThan(Number(epochs));
  expect(lost(right, smoothed)).toBeLessThanOrEqual(lost(right, 'MS, patience 5'));
  const ofAdam = (name: string) => row(right, name, 1).at(-1)!.split(' / ')[1];
  expect(page).toContain(
    `With Adam at 0.1 it loses more, ${ofAdam('MS, patience 5')} points against ${ofAdam('validation loss, patience 5')}.`,
  );
  const spoken = (cell: string) => cell.split(' (') as [string, string];
  const [far, farInterval] = spoken(more(wrong, 'MS, patience 5'));
  expect(page).toContain(`loses ${far} points more than the validation loss does (${farInterval}`);
  const [near, nearInterval] = spoken(more(wrong, 'MS at any loss, patience 5, from accuracy 0.5'));
  expect(page).toContain(`which is ${near} more than by the validation loss (${nearInterval}`);
  expect(page).toContain(`with right labels it loses ${lost(right, 'MS at any loss, patience 5, from accuracy 0.5')}.`);

  const [, asTheyAre, drawnAnew] = read('benchmarks/results/stopping.md').split(
    /^## Which checkpoint|^40\.0% of the labels drawn anew:|^## Which losses/m,
  ) as [string, string, string];
  for (const name of ['MS', 'training loss', 'validation loss']) {
    const [all, , similar] = row(asTheyAre, name);
    const [allAnew, , similarAnew] = row(drawnAnew, name);
    expect(page).toContain(`| ${name} | ${all} | ${similar} | ${allAnew} | ${similarAnew} |`);
  }
  const counted = (part: string, i: number) => row(part, 'MS')[i];
  expect(page).toContain(
    `(${counted(asTheyAre, 1)} of them, and ${counted(drawnAnew, 1)} with labels drawn anew; with five epochs or more of similar loss ` +
      `${counted(asTheyAre, 3)} and ${counted(drawnAnew, 3)})`,
  );
  const taken = (part: string, name: string) => row(part, name)[0]!.split(' ')[0]!;
  expect(page).toContain(
    `The flattest of them loses ${taken(asTheyAre, 'lowest MS of similar loss')} points, the one with the lowest training loss ` +
      `${taken(asTheyAre, 'lowest training loss')}, any of them ${taken(asTheyAre, 'any of similar loss, on average')} on average, and the ` +
      `one with the lowest validation loss ${taken(asTheyAre, 'lowest validation loss')}.`,
  );
  expect(page).toContain(
    `The flattest loses ${taken(drawnAnew, 'lowest MS of similar loss')} points, which is as much as any of them, the one with the ` +
      `lowest validation loss ${taken(drawnAnew, 'lowest validation loss')}.`,
  );
  expect(row(drawnAnew, 'lowest MS of similar loss')[2]).toMatch(/ \(-\d.* to \d/); // open
});

/** MS falls as the test accuracy rises, the validation loss the other way; the fourth epoch has no reading, the first another loss. */
const training = (seed: number): Training => ({
  network: 'n',
  optimizer: 'o',
  rate: 1,
  noise: 0,
  seed,
  sharpness: [9, 7, 6, null, 5, 4, 3],
  error: [0, 0, 0, null, 0, 0, 0],
  trace: [1, 1, 1, null, 1, 1, 1],
  loss: [2, 0.1, 0.1, 0.1, 0.1, 0.09, 0.1],
  accuracy: [0.6, 1, 1, 1, 1, 1, 1],
  firstLoss: [2.3, 1, 1, 1, 1, 1, 1],
  validationLoss: [1, 2, 3, 4, 5, 6, 7],
  validationAccuracy: [1, 1, 1, 1, 1, 1, 1],
  testAccuracy: [0.2, 0.5, 0.6, 0.9, 0.7, 0.8, seed === 1 ? 0.85 : 0.95],
});

it('checkpoints are ranked as they are, without those that were not noted', () => {
  expect(checkpoints(training(1)).map(({ epoch }) => epoch)).toEqual([0, 1, 2, 4, 5, 6]);
  expect(ofSimilarLoss(training(1)).map(({ epoch }) => epoch)).toEqual([1, 2, 4, 5, 6]);
  const both = [training(1), training(2)];
  expect(ranking(both).slice(2)).toEqual([
    '| MS | 1.00 (1.00 to 1.00) | 2 | 1.00 (1.00 to 1.00) | 2 |',
    expect.stringMatching(/^\| training loss /),
    '| validation loss | -1.00 (-1.00 to -1.00) | 2 | -1.00 (-1.00 to -1.00) | 2 |',
  ]);
  const rows = chosen(both).map((line) => line.slice(2, -2).split(' | '));
  const of = (name: string) => rows.find(([title]) => title === name)!;
  expect(of('lowest MS of similar loss')[1]).toBe('0.0 (0.0 to 0.0)');
  expect(of('the last')[2]).toBe('-70.0 (-75.0 to -65.0)');
  expect(of('lowest validation loss').slice(1, 3)).toEqual(['70.0 (65.0 to 75.0)', '-']);
});

it('an interval over seeds draws whole seeds, and passes over what is no number', () => {
  const values = [1, 1, 2, 2].map((seed, i) => ({ seed, value: [1, 3, 4, Number.NaN][i]! }));
  const found = overSeeds(values, ({ value }) => value);
  expect(found.count).toBe(3);
  expect(found.value).toBeCloseTo(8 / 3, 12);
  expect(found.interval).toEqual([2, 4]);
});
