import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readLines } from '../../benchmarks/json-lines.js';
import { checkpoints, chosen, ofSimilarLoss, overSeeds, ranking } from '../../benchmarks/stopping-ranking.js';
import { replay } from '../../benchmarks/stopping-replay.js';
import { stoppingReport } from '../../benchmarks/stopping-report.js';
import type { Training } from '../../benchmarks/stopping-trainings.js';

/*
 * What the documentation shows and advises against what the committed comparison of ways of stopping has found.
 */

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const report = read('benchmarks/results/stopping.md');

/** The tables of a part of the report, as cells of rows without the header. */
const tablesOf = (part: string) =>
  [...part.matchAll(/(?:^\|.*\|\n)+/gm)].map(([table]) =>
    table
      .trimEnd()
      .split('\n')
      .slice(2)
      .map((line) => line.slice(2, -2).split(' | ')),
  );
type Tables = ReturnType<typeof tablesOf>;
const [, rightText, wrongText, checkpointText] = report.split(/^## (?=Labels|40|Which check)/m) as string[];
const [right, wrong] = [tablesOf(rightText!), tablesOf(wrongText!)];

/** What the report says of a way of stopping, and of it at each learning rate. */
function way(tables: Tables, name: string) {
  const named = (table: number) => tables[table]!.find(([title]) => title === name)!;
  const [, epochs, never, , lost, , , unbroken] = named(0) as string[];
  const at = (rate: number) => {
    const [epochsThere, lostThere] = named(2)[rate + 1]!.split(' / ');
    return { epochs: Number(epochsThere), lost: lostThere! };
  };
  return { epochs: epochs!, never: never!, lost: points(lost!), unbroken: points(unbroken!), at };
}
/** Places of learning rates in the tables. */
const [SGD_001, SGD_02, ADAM_00001, ADAM_001, ADAM_01] = [0, 2, 4, 6, 7] as const;

const points = (cell: string) => cell.split(' (')[0]!;
const interval = (cell: string) => /\((.*)\)/.exec(cell)![1]!;
const pair = (tables: Tables, name: string, other: string) =>
  tables[1]!.find(([first, second]) => first === name && second === other)![2]!;

const trainings = readLines<Training>(join(import.meta.dirname, '../../benchmarks/results/stopping.jsonl'));
const bestAccuracy = ({ testAccuracy }: Training) => Math.max(...testAccuracy.map((value) => value ?? 0));
const learned = trainings.filter((training) => bestAccuracy(training) >= 0.5);
const of = (noise: number, optimizer?: string, rate?: number) =>
  learned.filter(
    (training) =>
      training.noise === noise &&
      (optimizer === undefined || training.optimizer === optimizer) &&
      (rate === undefined || training.rate === rate),
  );
const endedBroken = learned.filter(({ testAccuracy }) => (testAccuracy.at(-1) ?? 0) < 0.3);

const NAMES = {
  all: 'all epochs',
  validation: 'validation loss, patience 5',
  training: 'training loss, patience 5',
  plain: 'MS, patience 5',
  fromHalf: 'MS, patience 5, from accuracy 0.5',
  anyLoss: 'MS at any loss, patience 5',
  anyLossFromHalf: 'MS at any loss, patience 5, from accuracy 0.5',
  rises: 'MS rises as loss falls, patience 3',
  risesFromHalf: 'MS rises as loss falls, patience 3, from accuracy 0.5',
} as const;
const named = (tables: Tables) =>
  Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, way(tables, name)])) as Record<
    keyof typeof NAMES,
    ReturnType<typeof way>
  >;
const [r, w] = [named(right), named(wrong)];

it('the settings of the snippets lose little with right labels, and end no slow training', () => {
  const shown = /monitor: 'minimumSharpness', startFromAccuracy: 0\.5, patience: 5 \}/;
  expect(read('README.md')).toMatch(shown);
  expect(read('docs/early-stopping.md')).toMatch(shown);
  expect(Number(r.fromHalf.lost)).toBeLessThanOrEqual(Number(r.all.lost));
  for (let rate = 0; rate < 8; rate++) {
    expect(Number(r.fromHalf.at(rate).lost)).toBeLessThan(6);
  }
  for (const slow of [SGD_001, ADAM_00001]) {
    expect(r.fromHalf.at(slow).epochs).toBeGreaterThan(29.9);
  }
});

it('the report is what the committed lines make of them, and says nothing of a run that made none', () => {
  expect(report).not.toContain('made 0 of');
  const lines = new Set(report.split('\n'));
  const made = stoppingReport(trainings, []);
  expect(made.length).toBeGreaterThan(100);
  expect(made.filter((line) => !lines.has(line))).toEqual([]);
}, 60_000);

it('the page says what the report and the lines say, and no figure besides', () => {
  const whole = read('docs/early-stopping.md');
  const known = whole.slice(whole.indexOf('## What is known'), whole.indexOf('### One case where it helped'));
  const prose = known.replace(/^\|.*\n/gm, '').replace(/\s+/g, ' ');
  let left = prose;
  const says = (sentence: string) => {
    expect(prose).toContain(sentence);
    left = left.replace(sentence, '');
  };

  const unbroken = right[0]!.map((cells) => Number(points(cells[7]!)));
  says(
    `no way of stopping wins more than ${(Number(r.all.unbroken) - Math.min(...unbroken)).toFixed(1)} points of test`,
  );
  says(`It loses ${w.validation.lost} points where all epochs lose ${w.all.lost}, though its own labels are as wrong;`);
  says(`with right ones ${r.validation.lost}.`);
  says(
    `from a training accuracy of 0.5 on: that loses ${w.risesFromHalf.lost} points, and with right labels ${r.risesFromHalf.lost}.`,
  );
  says(`with wrong ones it loses more than to train to the end, ${w.plain.lost} points.`);
  expect(pair(wrong, NAMES.plain, NAMES.all)).toMatch(/^\d.* \(\d.* to \d/); // above 0

  says(`on the same ${trainings.length} trainings`);
  expect(new Set(trainings.map(({ seed }) => seed)).size).toBe(10);
  says(`The ${of(0).length} and ${of(0.4).length} that came to a test accuracy of 0.5 count.`);

  const brokenRight = endedBroken.filter(({ noise }) => noise === 0);
  says(`"Unbroken" leaves out the ${brokenRight.length} trainings that had broken down when they ended.`);
  says(`is mostly the ${brokenRight.length} that ended broken, all by SGD at 1.`);
  expect(new Set(brokenRight.map(({ optimizer, rate }) => `${optimizer} ${rate}`))).toEqual(new Set(['sgd 1']));
  says(
    `Without them it is ${r.all.unbroken} points, by MS ${r.plain.unbroken}, and by the validation loss, which stops too early, ${r.validation.unbroken}.`,
  );
  expect(Number(r.all.lost) / 2).toBeGreaterThan(Number(r.all.unbroken)); // "mostly"
  const less = pair(right, NAMES.plain, NAMES.training);
  says(`MS loses ${points(less)} points more (${interval(less)}) than the training loss, which needs no reading.`);
  expect(interval(less)).toMatch(/^-\d.* to \d/); // open
  says(`By MS ${r.plain.never} of these trainings were never stopped (${r.plain.epochs} of 30 epochs).`);
  says(
    `At Adam's largest rate, 0.1, it loses ${r.plain.at(ADAM_01).lost} points, where all epochs lose ${r.all.at(ADAM_01).lost}, ` +
      `but only ${of(0, 'adam', 0.1).length} trainings count there.`,
  );

  const more = pair(wrong, NAMES.plain, NAMES.all);
  says(`MS by its defaults loses ${points(more)} points more (${interval(more)}) than training to the end`);
  for (const slow of [SGD_001, ADAM_00001]) {
    expect(w.plain.at(slow).epochs).toBeLessThan(22);
    expect(Number(w.plain.at(slow).lost)).toBeGreaterThan(10 + Number(w.all.at(slow).lost));
    expect(r.rises.at(slow).epochs).toBeLessThan(6);
    expect(w.rises.at(slow).epochs).toBeLessThan(6);
  }
  for (const fast of [SGD_02, ADAM_001]) {
    expect(w.plain.at(fast).epochs).toBeGreaterThan(25);
    expect(r.rises.at(fast).epochs).toBe(30);
  }
  for (const [optimizer, rate, most] of [
    ['sgd', 0.2, true],
    ['adam', 0.01, true],
    ['sgd', 0.01, false],
  ] as const) {
    const first = [...of(0, optimizer, rate), ...of(0.4, optimizer, rate)].map(({ testAccuracy }) => testAccuracy[0]!);
    expect(first.reduce((sum, value) => sum + value, 0) / first.length > 0.6).toBe(most);
  }
  says(
    `by SGD at 0.2 and Adam at 0.01 it loses ${w.rises.at(SGD_02).lost} and ${w.rises.at(ADAM_001).lost} points with wrong labels, ` +
      `where all epochs lose ${w.all.at(SGD_02).lost} and ${w.all.at(ADAM_001).lost}, and with right ones it never stopped.`,
  );
  says(
    `By SGD at 0.01 it loses ${w.rises.at(SGD_001).lost} and ${r.rises.at(SGD_001).lost}: it ends slow trainings after a few`,
  );
  says(
    `\`startFromAccuracy: 0.5\` mends most of that, not all: ${w.risesFromHalf.at(SGD_001).lost} and ` +
      `${r.risesFromHalf.at(SGD_001).lost}, where all epochs lose ${w.all.at(SGD_001).lost} and ${r.all.at(SGD_001).lost}.`,
  );
  for (const tables of [right, wrong]) {
    const { anyLoss, rises, all } = named(tables);
    expect(Number(anyLoss.lost)).toBeGreaterThan(30);
    expect(Number(rises.lost)).toBeGreaterThan(Number(all.lost) + 5); // "such rules hurt"
  }
  const [equal, dearer] = [wrong, right].map((tables) => pair(tables, NAMES.risesFromHalf, NAMES.anyLossFromHalf));
  says('From a training accuracy of 0.5 on it');
  says(`(${points(equal!)} points between them, ${interval(equal!)})`);
  expect(interval(equal!)).toMatch(/^-\d.* to \d/); // open
  const [low, high] = interval(dearer!).split(' to ');
  says(`loses ${points(dearer!).slice(1)} points more (${high!.slice(1)} to ${low!.slice(1)}) with right ones.`);
  for (const tables of [right, wrong]) {
    for (const more of ['minDelta 0.1', 'smoothing 0.5', 'standardErrors 2']) {
      const other = way(tables, `${NAMES.plain}, ${more}`).lost;
      expect(Math.abs(Number(other) - Number(way(tables, NAMES.plain).lost))).toBeLessThan(0.25);
    }
  }

  const [ranks, taken, ranksAnew, takenAnew] = tablesOf(checkpointText!);
  const cells = (table: string[][] | undefined, name: string) => table!.find(([title]) => title === name)!.slice(1);
  says(
    `(${cells(ranks, 'MS')[1]} of them, and ${cells(ranksAnew, 'MS')[1]} with labels drawn anew; with five epochs or more of similar loss ` +
      `${cells(ranks, 'MS')[3]} and ${cells(ranksAnew, 'MS')[3]})`,
  );
  const lost = (table: string[][] | undefined, name: string) => points(cells(table, name)[0]!);
  says(
    `The flattest of them loses ${lost(taken, 'lowest MS of similar loss')} points, the one with the lowest training loss ` +
      `${lost(taken, 'lowest training loss')}, any of them ${lost(taken, 'any of similar loss, on average')} on average, and the ` +
      `one with the lowest validation loss ${lost(taken, 'lowest validation loss')}.`,
  );
  says(
    `The flattest loses ${lost(takenAnew, 'lowest MS of similar loss')} points, which is as much as any of them, the one with the ` +
      `lowest validation loss ${lost(takenAnew, 'lowest validation loss')}.`,
  );
  expect(cells(takenAnew, 'lowest MS of similar loss')[2]).toMatch(/ \(-\d.* to \d/); // open
  const tau = (table: string[][] | undefined, name: string) => Number(points(cells(table, name)[2]!));
  expect(tau(ranks, 'training loss')).toBeGreaterThan(tau(ranks, 'MS'));
  expect(cells(ranksAnew, 'MS')[2]).toMatch(/ \(-\d.* to \d/); // open

  expect(left.replace(/`[^`]*`/g, '')).not.toMatch(/\d\.\d|\d{2}(?!%)/);
});

it('what is advised to choose is what lost least of its kind', () => {
  const page = read('docs/choosing.md').replace(/\s+/g, ' ');
  const options = (rest: string) => `\`earlyStopping({ ${rest}, restoreBestWeights: true })\``;
  const [better, worse] = [right, wrong].map((tables) => tables[0]!.find(([title]) => title === NAMES.plain)![5]!);
  expect(page).toContain(
    `${options("monitor: 'val_loss', patience: 5")}. (By MS: ${points(better!).slice(1)} points better with right labels, since it hardly ` +
      `stops; ${points(worse!)} worse with wrong ones.)`,
  );
  expect(page).toContain(
    `${options("monitor: 'loss', patience: 5")} for trainings that break down: ` +
      `${endedBroken.filter(({ noise }) => noise === 0).length} of ${of(0).length} did`,
  );
  expect(page).toContain(
    `${options("monitor: 'minimumSharpness', when: 'worsensAsLossFalls', startFromAccuracy: 0.5, patience: 3")}: ` +
      `${w.risesFromHalf.lost} points lost, where all epochs lose ${w.all.lost}; with right labels ${r.risesFromHalf.lost}`,
  );
  const withoutValidation = wrong[0]!.filter(([title]) => !title!.startsWith('validation'));
  const least = Math.min(...withoutValidation.map((cells) => Number(points(cells[4]!))));
  expect(Number(w.risesFromHalf.lost) - least).toBeLessThan(0.5);
  for (const tables of [right, wrong]) {
    const [plain, everyFifth] = [NAMES.plain, 'MS of every 5th epoch, patience 1'].map((name) => way(tables, name));
    expect(Math.abs(Number(plain!.epochs) - Number(everyFifth!.epochs))).toBeLessThan(1);
  }
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

it('what ended broken is named, and counted without', () => {
  const one = training(1);
  const broken = { ...training(2), testAccuracy: [0.2, 0.5, 0.6, 0.7, 0.6, 0.4, 0.2] };
  const lines = stoppingReport([one, broken], ['A machine.']);
  expect(lines).toContain('1 of these 2 had broken down when they ended: n o 1, seed 2. "Unbroken" are the others.');
  const all = lines.find((line) => line.startsWith('| all epochs | 7.0 |'));
  // Lost at the end: 0.9 - 0.85, and 0.7 - 0.2. The validation loss takes the first epoch: 0.9 - 0.2, and 0.7 - 0.2.
  expect(all!.slice(2, -2).split(' | ')).toEqual([
    'all epochs',
    '7.0',
    '100%',
    '27.5',
    '27.5 (5.0 to 50.0)',
    '-32.5 (-65.0 to 0.0)',
    '50.0',
    '5.0 (5.0 to 5.0)',
    '-65.0 (-65.0 to -65.0)',
  ]);
});

it('the training loss is a field to stop by like the validation loss', () => {
  const ending = (monitor: 'loss' | 'val_loss') => replay(training(1), { options: { monitor, patience: 1 } });
  expect(ending('loss')).toEqual({ last: 2, stopped: true, best: 1 });
  expect(ending('val_loss')).toEqual({ last: 1, stopped: true, best: 0 });
});

it('an interval over seeds draws whole seeds, and passes over what is no number', () => {
  const values = [1, 1, 2, 2].map((seed, i) => ({ seed, value: [1, 3, 4, Number.NaN][i]! }));
  const found = overSeeds(values, ({ value }) => value);
  expect(found.count).toBe(3);
  expect(found.value).toBeCloseTo(8 / 3, 12);
  expect(found.interval).toEqual([2, 4]);
});
