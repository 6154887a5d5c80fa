import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { kendall } from '../../benchmarks/experiments/correlation.js';
import { gapOf } from '../../benchmarks/experiments/levels.js';
import { type Look, linesIn } from '../../benchmarks/experiments/lines.js';
import { resultsFolder } from '../../benchmarks/experiments/places.js';
import { page } from '../../benchmarks/experiments/report.js';
import { mean, median, variance } from '../../benchmarks/statistics.js';

/**
 * What docs/what-sharpness-tells.md says in sentences, held to its tables, to those of the pages of results, which another test holds to
 * the lines, and to the lines themselves.
 */
const text = readFileSync(page, 'utf8');
const prose = text.replace(/\s+/g, ' ');
const lines = linesIn(resultsFolder);

/** The tables under the titles of a page, as rows of cells; the first is the header. */
function tablesUnder(path: string): Map<string, string[][][]> {
  const parts = readFileSync(path, 'utf8').split(/^#+ /m);
  return new Map(
    parts.map((part) => [
      part.split('\n')[0]!,
      [...part.matchAll(/(?:^\|.*\|\n)+/gm)].map(([table]) =>
        table
          .trimEnd()
          .split('\n')
          .map((line) => line.slice(2, -2).split(' | ')),
      ),
    ]),
  );
}
const here = tablesUnder(page);
const ofLabels = tablesUnder('benchmarks/results/shuffled-labels.md');
const ofSweep = tablesUnder('benchmarks/results/sweep.md');

interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
/** A cell as "0.14 (0.08 to 0.21), 55". */
function interval(cell: string): Interval {
  const [, value, low, high] = cell.match(/^(-?[\d.]+) \((-?[\d.]+) to (-?[\d.]+)\)/)!.map(Number);
  return { value: value!, low: low!, high: high! };
}
const isAbove = (cell: string) => interval(cell).low > 0;
const isBelow = (cell: string) => interval(cell).high < 0;
const isOpen = (cell: string) => !isAbove(cell) && !isBelow(cell);

/** Cells of the row that begins so. */
const rowOf = (table: readonly string[][], ...beginning: string[]) =>
  table.find((row) => beginning.every((each, i) => row[i]!.startsWith(each)))!;

const ARCHITECTURES = ['MLP', 'LeNet'];
const [short, others] = here.get('In short')! as [string[][], string[][]];
const [gap] = here.get("The paper's experiment")! as [string[][]];
const [atLoss] = here.get('At equal training loss')! as [string[][]];
const [coefficients] = ofLabels.get('At the end of training, with the gap')! as [string[][]];
const coefficient = (architecture: string, measure: string, title: string) =>
  coefficients.find((row) => row[0] === architecture && row[1] === measure)![coefficients[0]!.indexOf(title)]!;

const targets = ['gap', 'test loss', 'test error'];
const LEARNED = ', without those that learned nothing';
const LESS = 'tau of MS less that of training loss, at the end';
/** All answers over settings. */
const answers = targets.flatMap((target) => {
  const [header, , ...rows] = ofSweep.get(`With the ${target}`)![0]!;
  return rows.map((row) => {
    const of = (title: string) => row[header!.indexOf(title)]!;
    return { target, dataset: row[0]!, shuffled: row[1]!, varied: row[2]!, of };
  });
});
const answered = (title: string) => answers.filter(({ of }) => of(title) !== '-');
const pooled = (target: string, title: string) =>
  answered(title)
    .filter((each) => each.target === target && each.varied === 'all of them')
    .map(({ of, ...rest }) => ({ ...rest, ...interval(of(title)) }));

describe('in short', () => {
  test('MS is nowhere shown to rank networks better than the training loss', () => {
    expect(prose).toContain('MS is nowhere shown to rank networks better than their training loss does.');
    expect(rowOf(short, 'MS less training loss').slice(1).every(isOpen)).toBe(true);
    for (const row of others.filter(([title]) => /is shown to do better|^the same, without/.test(title!))) {
      expect(row.slice(1).map((cell) => cell.split(' / ')[0])).toEqual(['0', '0', '0']);
    }
    for (const [readers, sentence] of [
      ['README.md', 'it is nowhere shown to rank better than the loss does'],
      ['docs/reading-the-number.md', 'nowhere shown to rank networks better than the training loss does'],
    ] as const) {
      expect(readFileSync(readers, 'utf8').replace(/\s+/g, ' ')).toContain(sentence);
    }
  });

  test('with shuffled labels MS goes along with the gap, trace and normalized sharpness more closely', () => {
    expect(rowOf(short, 'MS, when training has ended').slice(1).every(isAbove)).toBe(true);
    for (const architecture of ARCHITECTURES) {
      for (const measure of ['trace of the Hessian', 'normalized sharpness']) {
        expect(isAbove(coefficient(architecture, measure, 'less that of MS'))).toBe(true);
      }
    }
  });

  test('nothing does among networks with equally many', () => {
    const columns = gap[0]!.flatMap((title, i) => (title === 'tau among equally many shuffled' ? [i] : []));
    expect(columns).toHaveLength(2);
    const cells = gap.slice(2).flatMap((row) => columns.map((column) => row[column]!));
    expect(cells.length).toBe(20);
    expect(cells.filter((cell) => !isOpen(cell))).toEqual([]);
  });

  test('at equal loss MS and the epochs that it took do', () => {
    for (const architecture of ARCHITECTURES) {
      for (const measure of ['Minimum Sharpness', 'epochs it took']) {
        const cells = rowOf(atLoss, architecture, measure).slice(2);
        expect(cells).toHaveLength(5);
        expect(cells.every(isAbove)).toBe(true);
      }
    }
  });

  test('of other settings most is open, and at equal loss cases point both ways', () => {
    for (const title of ['tau of MS, at the end', 'tau of MS, at loss 0.5', 'tau of MS, at loss 0.1']) {
      for (const target of targets) {
        const cells = answered(title).flatMap((each) => (each.target === target ? [each.of(title)] : []));
        expect(cells.filter(isOpen).length / cells.length, `${title}, ${target}`).toBeGreaterThan(0.5);
      }
    }
    const atEqualLoss = answered('tau of MS, at loss 0.5').map(({ of }) => of('tau of MS, at loss 0.5'));
    expect(atEqualLoss.some(isAbove) && atEqualLoss.some(isBelow)).toBe(true);
  });
});

describe('what one may do', () => {
  const trainings = [...lines.runs, ...lines.sweep].map(({ snapshots }) => snapshots as readonly Look[]);

  test('in every training MS rises above where it began, and below a loss of 0.2 both mostly fall together', () => {
    const steps = trainings.flatMap((looks) => {
      const sharpness = looks.map(({ minimumSharpness }) => minimumSharpness);
      expect(Math.max(...sharpness)).toBeGreaterThan(sharpness[0]!);
      const low = looks.findIndex(({ loss }) => loss < 0.2);
      return low < 0 ? [] : looks.slice(low + 1).map((to, i) => [looks[low + i]!, to] as const);
    });
    const together = steps.filter(([from, to]) => to.loss < from.loss && to.minimumSharpness < from.minimumSharpness);
    expect(steps.length).toBeGreaterThan(1000);
    expect(together.length / steps.length).toBeGreaterThan(0.8);
  });

  test('norms of the weights go along with the gap of shuffled labels', () => {
    for (const norm of ['Frobenius norm', 'path norm']) {
      expect(ARCHITECTURES.every((each) => isAbove(coefficient(each, norm, "Kendall's tau")))).toBe(true);
    }
  });

  test('most of what MS lacks with the test error are networks that learned nothing', () => {
    const [all, learned] = [LESS, LESS + LEARNED].map((title) =>
      mean(pooled('test error', title).map(({ value }) => value)),
    );
    expect(all).toBeLessThan(-0.1);
    expect(learned! / all!).toBeLessThan(0.5);
  });
});

describe("the paper's experiment", () => {
  test('all have learned every label, and the share of those that are shuffled is the gap', () => {
    expect(lines.runs.map(({ snapshots }) => snapshots.at(-1)!.accuracy)).toEqual(lines.runs.map(() => 1));
    const tau = (architecture: string) => {
      const runs = lines.runs.filter((run) => run.architecture === architecture);
      return kendall(
        runs.map(({ ratio }) => ratio),
        runs.map(({ snapshots }) => gapOf(snapshots.at(-1)!)),
      ).toFixed(2);
    };
    expect(prose).toContain(`has a tau of ${tau('MLP')} (MLPs) and ${tau('LeNet')} (LeNets) with it`);
  });

  test('which measures do better than MS, and which worse', () => {
    const less = (architecture: string, measure: string) => coefficient(architecture, measure, 'less that of MS');
    for (const eigenvalue of ['largest eigenvalue', 'largest eigenvalue, balanced']) {
      expect(ARCHITECTURES.every((each) => isBelow(less(each, eigenvalue)))).toBe(true);
    }
    expect(isBelow(less('LeNet', 'adaptive sharpness'))).toBe(true);
    expect(isAbove(less('LeNet', 'Frobenius norm')) && isAbove(less('LeNet', 'path norm'))).toBe(true);
    for (const measure of ['Frobenius norm', 'path norm', 'adaptive sharpness']) {
      expect(isOpen(less('MLP', measure)), measure).toBe(true);
    }
  });

  test("what is left of Pearson's r without the loss, and why a straight line is bent", () => {
    const left = (architecture: string, title: string) =>
      interval(coefficient(architecture, 'Minimum Sharpness', title)).value;
    const line = 'r of logs, partial';
    expect(prose).toContain(`Pearson's r of log MS and gap is ${left('LeNet', line)} for LeNets`);
    expect(prose).toContain(`For MLPs it is ${left('MLP', line)}: the five with right labels`);
    expect(prose).toContain(`without them it is ${left('MLP', 'partial, shuffled only')}.`);
    expect(left('MLP', 'parabola, shuffled only')).toBeCloseTo(left('MLP', 'partial, shuffled only'), 1);
    const mlps = lines.runs.filter(({ architecture }) => architecture === 'MLP');
    const logs = (is: (ratio: number) => boolean) =>
      mlps.filter(({ ratio }) => is(ratio)).map(({ snapshots }) => Math.log(snapshots.at(-1)!.loss));
    const [right, wrong] = [logs((ratio) => ratio === 0), logs((ratio) => ratio > 0)];
    expect(right).toHaveLength(5);
    expect(Math.min(...wrong) - Math.max(...right)).toBeGreaterThan(Math.sqrt(variance(wrong)));
  });
});

test('at equal loss the epochs go along more closely in nine of ten cases, and leave of MS what is said', () => {
  const cells = (architecture: string, measure: string) => rowOf(atLoss, architecture, measure).slice(2);
  const more = ARCHITECTURES.flatMap((architecture) => {
    const ms = cells(architecture, 'Minimum Sharpness');
    return cells(architecture, 'epochs it took').map((cell, i) => interval(cell).value - interval(ms[i]!).value);
  });
  expect(prose).toContain('more closely in nine of the ten cases');
  expect([more.filter((each) => each > 0).length, more.length]).toEqual([9, 10]);
  const left = "Pearson's r of log MS, epochs taken out";
  const [atOne, ...below] = cells('MLP', left);
  expect(isAbove(atOne!)).toBe(true);
  expect(below.some(isAbove)).toBe(false);
  expect(cells('LeNet', left).every(isAbove)).toBe(true);
});

describe('other settings', () => {
  const lossTitle = 'tau of training loss, at the end';

  test('MS is above the loss where a higher loss goes along with a smaller gap, and below where rate and batch were varied', () => {
    for (const when of ['', LEARNED]) {
      const cases = answered(LESS + when);
      for (const { target, of } of cases.filter((each) => isAbove(each.of(LESS + when)))) {
        expect(target).toBe('gap');
        expect(interval(of(lossTitle + when)).value).toBeLessThan(0);
        expect(isOpen(of(`tau of MS, at the end${when}`))).toBe(true);
      }
      const below = cases.filter((each) => isBelow(each.of(LESS + when)));
      expect(below.map(({ varied }) => varied)).toEqual(below.map(() => 'rate and batch'));
      expect(below.map(({ target }) => target)).not.toContain('gap');
      expect(below.length > 0).toBe(when === '');
    }
    expect(text).toMatch(/\b0 of 130 \(digits, 0\.2 shuffled\)/); // those that are half-way
    expect(
      pooled('gap', lossTitle).find(({ dataset, shuffled }) => dataset === 'digits' && shuffled === '0.2')!.high,
    ).toBeLessThan(0);
  });

  test('the trace tells the same as MS', () => {
    const row = rowOf(ofSweep.get('How often beside 0')![0]!, 'tau of trace less that of MS, at the end');
    expect(row.slice(1).map((cell) => cell.match(/^\d+ \/ \d+/)![0])).toEqual(['0 / 0', '0 / 0', '0 / 0']);
  });

  test('between widths MS and the loss go along with all three targets on the digits with right labels', () => {
    const widths = answers.filter(
      ({ dataset, shuffled, varied }) => dataset === 'digits' && shuffled === '0' && varied === 'width',
    );
    expect(widths).toHaveLength(3);
    for (const { of } of widths) {
      expect(isAbove(of('tau of MS, at the end')) && isAbove(of(lossTitle)) && isOpen(of(LESS))).toBe(true);
    }
    const counted = (factor: string) =>
      answers.filter(({ varied, of }) => varied === factor && isAbove(of('tau of MS, at the end'))).length;
    for (const factor of ['learning rate', 'batch size', 'rate and batch', 'optimizer', 'weight decay']) {
      expect(counted('width')).toBeGreaterThan(counted(factor));
    }
  });

  test('at equal loss the flatter networks have the higher test loss with right labels, and the lower one among optimizers', () => {
    const half = pooled('test loss', 'tau of MS, at loss 0.5');
    const right = half.filter(({ shuffled }) => shuffled === '0');
    expect(right.map(({ dataset }) => dataset)).toEqual(['MNIST', 'digits']);
    expect(prose).toContain(`(tau ${right[0]!.value} and ${right[1]!.value}, scarcely beside 0, and at 0.1 open)`);
    for (const { high } of right) {
      expect(high).toBeLessThan(0);
      expect(high).toBeGreaterThan(-0.05);
    }
    const tenth = pooled('test loss', 'tau of MS, at loss 0.1').filter(({ shuffled }) => shuffled === '0');
    expect(tenth.map(({ low, high }) => low < 0 && high > 0)).toEqual([true, true]);
    const optimizers = answers.find(
      ({ target, dataset, shuffled, varied }) =>
        target === 'test loss' && dataset === 'digits' && shuffled === '0.2' && varied === 'optimizer',
    )!;
    const cell = optimizers.of('tau of MS, at loss 0.5');
    expect(isAbove(cell)).toBe(true);
    expect(prose).toContain(
      `Among optimizers on digits with shuffled labels they have the lower one (${interval(cell).value}).`,
    );
  });
});

test('optimizers for flat minima end flatter and better, ASAM on MNIST scarcely', () => {
  const [header, , ...rows] = here.get('Optimizers for flat minima')![0]!;
  const [plain] = rows;
  for (const dataset of ['MNIST', 'digits']) {
    const first = header!.findIndex((title) => title.startsWith(dataset));
    const column = (title: string) => header!.indexOf(title, first);
    for (const optimizer of ['SAM, 0.05', 'ASAM, 0.5', 'penalty, 0.003']) {
      const row = rowOf(rows, optimizer);
      expect(isAbove(row[column('more than momentum, points')]!)).toBe(true);
      expect(Number(row[column('MS')])).toBeLessThan(Number(plain![column('MS')]));
    }
  }
  const accuracies = (optimizer: string) =>
    lines.sweep
      .filter((run) => run.dataset === 'MNIST' && run.ratio === 0.2 && run.optimizer === optimizer)
      .filter(({ rate, batch, width, decay }) => rate === 0.03 && batch === 25 && width === 64 && decay === 0)
      .sort((a, b) => a.seed - b.seed)
      .map(({ snapshots }) => snapshots.at(-1)!.testAccuracy);
  const base = accuracies('momentum');
  const more = accuracies('ASAM').map((accuracy, i) => accuracy - base[i]!);
  expect(more).toHaveLength(10);
  const T_OF_NINE = 2.262; // 97.5%
  expect(mean(more) - T_OF_NINE * Math.sqrt(variance(more) / 10)).toBeLessThan(0);
});

test('noise makes the loss rise 2 to 8 times as much, smaller noise more so', () => {
  const rows = ofLabels.get('Noise in the weights')![0]!.filter(([, when]) => when === 'at the end');
  expect(rows).toHaveLength(2);
  const cells = rows.map((row) => row.slice(3).map(interval));
  const ends = cells.flat().flatMap(({ low, high }) => [low, high]);
  expect(prose).toContain(
    `the rise is ${Math.min(...ends).toFixed(0)} to ${Math.max(...ends).toFixed(0)} times as large`,
  );
  for (const [near, far] of cells) {
    expect(near!.value).toBeGreaterThan(far!.value);
  }
});

test('costs are as far apart as is said', () => {
  const cpu = (network: string, images: number, way: RegExp) => {
    const found = lines.costs.find((each) => each.network === network && each.images === images && way.test(each.way));
    return found && (median(found.cpuMs) * found.weights) / found.done;
  };
  const settings = lines.costs.filter(({ way }) => way === 'tfjs-sharpness');
  const ratios = (slow: RegExp, fast: RegExp) =>
    settings.flatMap(({ network, images }) => {
      const [a, b] = [cpu(network, images, slow), cpu(network, images, fast)];
      return a && b ? [a / b] : [];
    });
  const double = ratios(/double backprop/, /fast trace/);
  const own = ratios(/fast trace/, /^tfjs-sharpness$/);
  expect([double.length, own.length]).toEqual([6, 6]);
  const hundreds = Math.round(Math.max(...double) / 100) * 100;
  expect(prose).toContain(`${Math.round(Math.min(...double))} to ${hundreds.toLocaleString('en')} times.`);
  expect(prose).toContain(`${Math.round(Math.min(...own))} to ${Math.round(Math.max(...own))} times as cheap again`);
});
