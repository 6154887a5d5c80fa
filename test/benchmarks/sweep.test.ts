import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../benchmarks/backend.js';
import type { Lines, Look, SweepRun } from '../../benchmarks/experiments/lines.js';
import { page } from '../../benchmarks/experiments/report.js';
import {
  base,
  EPOCHS,
  factors,
  isCompared,
  type SweepSetting,
  sweep,
  sweepName,
  trainSweep,
  wayName,
  ways,
} from '../../benchmarks/experiments/sweep.js';
import { sweepInShort, sweepReport, sweepSections } from '../../benchmarks/experiments/sweep-tables.js';

const tiny: SweepSetting = { ...base, dataset: 'digits', batch: 125, width: 16, ratio: 0.2, seed: 99 };

test('the grid has every setting by five seeds, those that are compared by ten, each with a name of its own', () => {
  const all = sweep();
  expect(new Set(all.map(sweepName)).size).toBe(all.length);
  const count = (is: (setting: SweepSetting) => boolean) => all.filter(is).length;
  for (const way of ways) {
    for (const dataset of ['MNIST', 'digits']) {
      for (const ratio of [0, 0.2]) {
        expect(
          count((each) => each.dataset === dataset && each.ratio === ratio && wayName(each) === wayName(way)),
          wayName(way),
        ).toBe(isCompared({ ...way, ratio }) ? 10 : 5);
      }
    }
  }
  expect(all.length).toBe(580);
});

test('every factor varies what it names, around the base', () => {
  const varied: Record<string, string[]> = {
    'learning rate': ['rate'],
    'batch size': ['batch'],
    'rate and batch': ['rate', 'batch'],
    width: ['width'],
    optimizer: ['optimizer', 'rate', 'strength'],
    'weight decay': ['decay'],
  };
  expect(Object.keys(factors)).toEqual(Object.keys(varied));
  for (const [factor, of] of Object.entries(factors)) {
    expect(of.map(wayName)).toContain(wayName(base));
    const differing = (Object.keys(base) as (keyof typeof base)[]).filter((name) =>
      of.some((way) => way[name] !== base[name]),
    );
    expect(differing.sort()).toEqual(varied[factor]!.sort());
  }
});

describe('training', () => {
  beforeAll(async () => {
    await startBackend('wasm');
  });

  test('gives the same line twice, with the largest eigenvalues at the end, and leaves no tensor of its own', async () => {
    const first = await trainSweep(tiny, 4);
    const before = tf.memory().numTensors;
    expect(await trainSweep(tiny, 4)).toEqual(first);
    expect(tf.memory().numTensors - before).toBe(1); // tf.js' momentum optimizer does not dispose the scalar of its rate
    const look = first.snapshots.at(-1)! as Look;
    expect(look.epoch).toBe(4);
    expect(look.loss).toBeLessThan(first.snapshots[0]!.loss);
    expect(look.eigenvalue1).toBeGreaterThan(0);
    expect(look.eigenvalue1).toBeLessThan(look.trace);
    expect(look.balancedEigenvalue1).toBeLessThan(look.minimumSharpness);
  });

  test('differs in everything that is varied, from the same weights where the width is the same', async () => {
    const differing: readonly Partial<SweepSetting>[] = [
      {},
      { rate: 0.1 },
      { batch: 50 },
      { decay: 0.1 },
      { optimizer: 'SGD' },
      { optimizer: 'Adam' },
      { optimizer: 'SAM', strength: 0.05 },
      { optimizer: 'SAM', strength: 0.5 },
      { optimizer: 'ASAM', strength: 0.5 },
      { optimizer: 'penalty', strength: 0.1 },
    ];
    const lines = [];
    for (const each of differing) {
      lines.push(await trainSweep({ ...tiny, ...each }, 1));
    }
    expect(new Set(lines.map(({ snapshots }) => snapshots[0]!.minimumSharpness)).size).toBe(1);
    expect(new Set(lines.map(({ snapshots }) => snapshots[1]!.minimumSharpness)).size).toBe(differing.length);
  });

  test('that diverges ends with the snapshots before, of finite numbers', async () => {
    const { snapshots } = await trainSweep({ ...tiny, rate: 1e30 }, 4);
    expect(snapshots.map(({ epoch }) => epoch)).toEqual([0]);
    expect(JSON.stringify(snapshots)).not.toContain('null');
  });
});

describe('tables', () => {
  /** Of the base and every learning rate: the gap at the end is that of the rate, MS goes along with it at every loss. */
  const run = (way: (typeof ways)[number], seed: number, more: Partial<SweepRun> = {}): SweepRun => {
    const place = factors['learning rate']!.findIndex(({ rate }) => rate === way.rate);
    const measured = (place + 1) * 10 + seed;
    return {
      ...way,
      dataset: 'MNIST',
      ratio: 0,
      seed,
      snapshots: [0, 10, 20, EPOCHS].map((epoch) => {
        const loss = 2 * 4 ** -(epoch / 10);
        const accuracy = 0.3 + (0.7 * epoch) / EPOCHS;
        return {
          epoch,
          loss: loss * (1 + 0.01 * ((7 * place + 3 * seed) % 5)),
          accuracy,
          testLoss: 1 + measured / 100,
          testAccuracy: accuracy - (measured / 100) * (epoch / EPOCHS),
          minimumSharpness: measured * loss,
          trace: 100 - measured * loss,
        };
      }),
      ...more,
    };
  };
  const runs = factors['learning rate']!.flatMap((way) => [1, 2, 3, 4, 5].map((seed) => run(way, seed)));
  const lines: Lines = { runs: [], sweep: runs, costs: [] };
  const rowsOf = (text: readonly string[]) => text.map((line) => line.replace(/^\| | \|$/g, '').split(' | '));

  test('say of MS that it goes along with the gap at the end and at equal loss, and of the trace that it goes against it', () => {
    const rows = rowsOf(sweepReport(lines));
    const header = rows.find(([, shuffled]) => shuffled === 'shuffled')!;
    const row = rows.find(([, , varied]) => varied === 'learning rate')!;
    const cell = (title: string) => row[header.indexOf(title)]!;
    expect(cell('networks')).toBe('25');
    expect(cell('tau of MS, at the end')).toBe('1.00 (1.00 to 1.00)');
    expect(cell('tau of trace, at the end')).toBe('-1.00 (-1.00 to -1.00)');
    expect(cell('tau of MS, at loss 0.5')).toMatch(/^(1\.00|0\.9)/);
    const counts = rowsOf(sweepSections.counts!(lines));
    const counted = (title: string) => counts.find(([name]) => name === title)![1];
    // Three of the rates are in "rate and batch", too: too few settings for an answer.
    expect(counted('tau of MS, at the end')).toBe('1 / 0 / 0, ± 0.00');
    expect(counted('tau of trace, at the end')).toBe('0 / 1 / 0, ± 0.00');
    expect(counted('tau of trace less that of MS, at the end')).toBe('0 / 1 / 0, ± 0.00');
    const pooled = rowsOf(sweepSections.pooled!(lines));
    expect(pooled.find((each) => each[2] === 'gap')![4]).toBe('1.00 (1.00 to 1.00)');
    expect(sweepInShort(lines)[0]).toContain('with the gap: at the end tau of MS 1.00 to 1.00');
  });

  test('say how many intervals of MS at equal loss there are before those that lie beside 0', () => {
    const report = sweepReport(lines);
    const counted = report.find((line) => /intervals of MS at equal loss/.test(line))!;
    const listed = report.filter((line) => line.startsWith('- '));
    expect(listed.length).toBeGreaterThan(0);
    expect(counted).toMatch(new RegExp(`^${listed.length} of the 6 intervals .* about 0\\.1 would by chance`));
  });

  test('count networks that diverged or learned nothing, and say nothing of too few', () => {
    const diverged = run(base, 1, { snapshots: runs[0]!.snapshots.slice(0, 1) });
    const unlearned = run(base, 2, {
      snapshots: runs[0]!.snapshots.map((look) => ({ ...look, accuracy: 0.1 })),
    });
    expect(sweepSections.sweep!({ ...lines, sweep: [diverged, unlearned, run(base, 3)] })[0]).toMatch(
      /^3 of 580 networks .* 1 of them diverged .* 1 more ended/,
    );
    for (const name of ['counts', 'pooled']) {
      expect(sweepSections[name]!({ ...lines, sweep: runs.slice(0, 7) }).join()).toMatch(/too few/);
      const ofThreeSettings = runs.filter(({ rate }) => rate <= 0.03);
      expect(sweepSections[name]!({ ...lines, sweep: ofThreeSettings }).join()).toMatch(/too few/);
    }
    expect(sweepSections.optimizers!(lines)).toEqual(['None of them are there.']);
  });

  test('compare optimizers with the base of the same seed, in intervals from five seeds on', () => {
    const [, , , sam] = factors.optimizer!;
    const of = (seeds: readonly number[]) => {
      const shuffled = seeds.flatMap((seed) => {
        const better = run(base, seed).snapshots.map((look) => ({ ...look, testAccuracy: look.testAccuracy + 0.05 }));
        return [run(base, seed, { ratio: 0.2 }), run(sam!, seed, { ratio: 0.2, snapshots: better })];
      });
      const rows = rowsOf(sweepSections.optimizers!({ ...lines, sweep: shuffled }));
      return rows.slice(2).map((row) => [row[1], row[2], row[4]]);
    };
    expect(of([1, 2, 3, 4, 5])).toEqual([
      ['momentum', '5', '-'],
      ['SAM, 0.05', '5', '5.0 (5.0 to 5.0)'],
    ]);
    expect(of([1, 2, 3, 4])[1]).toEqual(['SAM, 0.05', '4', '-']);
  });
});

describe('what the page says', () => {
  const text = readFileSync(page, 'utf8');
  const prose = text.replace(/\s+/g, ' ');
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
  /** A cell as "0.14 (0.08 to 0.21), 55". */
  const interval = (cell: string) => {
    const [, value, low, high] = cell.match(/^(-?[\d.]+) \((-?[\d.]+) to (-?[\d.]+)\)/)!.map(Number);
    return { value: value!, low: low!, high: high! };
  };
  const headerOf = (title: string) => rows.find((row) => row.includes(title))!;

  test('of settings holds of its counts', () => {
    const counts = (title: string) =>
      rows
        .find((row) => row[0] === title)!
        .slice(1)
        .map((cell) => cell.match(/\d+/g)!.slice(0, 3).map(Number) as [number, number, number]);
    expect(prose).toContain(
      'With the test loss and the test error MS in no case goes along more closely than the training loss',
    );
    for (const name of ['MS', 'trace']) {
      const [gap, ...tests] = counts(`tau of ${name} less that of training loss, at the end`);
      expect(gap![0]).toBeGreaterThan(1);
      expect(gap![1]).toBe(0);
      for (const [above, below, open] of tests) {
        expect(above).toBe(0);
        expect(below).toBeGreaterThan(1);
        expect(open).toBeGreaterThan((above + below + open) / 2); // "most are open"
      }
    }
    expect(prose).toContain('its tau differs from that of MS in none');
    expect(counts('tau of trace less that of MS, at the end').map(([above, below]) => above + below)).toEqual([
      0, 0, 0,
    ]);
  });

  test('of all settings holds of its rows', () => {
    const header = headerOf('with the');
    const told = (target: string, title: string) =>
      rows
        .filter((row) => ['MNIST', 'digits'].includes(row[0]!) && row[2] === target)
        .map((row) => ({ dataset: row[0]!, shuffled: row[1]!, ...interval(row[header.indexOf(title)]!) }));
    const isBeside = ({ low, high }: { low: number; high: number }) => low > 0 || high < 0;
    // "with right labels the flatter networks have the higher test loss on both data sets"
    const atLoss = told('test loss', 'tau of MS, at loss 0.5');
    expect(atLoss.filter(({ high }) => high < 0).map(({ dataset, shuffled }) => [dataset, shuffled])).toEqual([
      ['MNIST', '0'],
      ['digits', '0'],
    ]);
    expect(atLoss.filter(isBeside)).toHaveLength(2);
    // "Partial" of the straight line and of the parabola.
    const straight = 'partial r of log MS, at the end';
    const parabola = 'partial r of log MS, parabola, at the end';
    for (const target of ['test loss', 'test error']) {
      expect(told(target, straight).filter(({ low }) => low > 0)).toEqual([]);
    }
    const left = ['gap', 'test loss', 'test error'].flatMap((target) => told(target, parabola).filter(isBeside));
    expect(left.map(({ dataset, high }) => [dataset, high < 0])).toEqual([
      ['MNIST', true],
      ['MNIST', true],
    ]);
  });

  test('of optimizers for flat minima holds of its rows', () => {
    const header = headerOf('more than momentum, points');
    for (const dataset of ['MNIST', 'digits']) {
      const row = (optimizer: string) => rows.find((each) => each[0] === dataset && each[1] === optimizer)!;
      const sharpness = (optimizer: string) => Number(row(optimizer)[header.indexOf('MS')]);
      for (const optimizer of ['SAM, 0.05', 'ASAM, 0.5', 'penalty, 0.003']) {
        expect(interval(row(optimizer)[header.indexOf('more than momentum, points')]!).low).toBeGreaterThan(0);
        expect(sharpness(optimizer)).toBeLessThan(sharpness('momentum'));
      }
    }
  });

  test('of shuffled labels holds of both kinds of networks', () => {
    const header = rows.find((row) => row.includes('less that of training loss'))!;
    const of = (architecture: string, measure: string, title: string) => {
      const isIt = (each: readonly string[]) => each[0] === architecture && each[1] === measure;
      const row = rows.find((each) => isIt(each) && each.length === header.length)!;
      return interval(row[header.indexOf(title)]!);
    };
    const isOpen = ({ low, high }: { low: number; high: number }) => low < 0 && high > 0;
    for (const architecture of ['MLP', 'LeNet']) {
      const ms = (title: string) => of(architecture, 'Minimum Sharpness', title);
      expect(ms("Kendall's tau").low).toBeGreaterThan(0);
      expect(isOpen(ms('less that of training loss'))).toBe(true);
      expect(ms('the same, parabola').low).toBeGreaterThan(0);
      for (const measure of ['trace of the Hessian', 'normalized sharpness', 'Frobenius norm', 'path norm']) {
        expect(of(architecture, measure, "Kendall's tau").value).toBeGreaterThan(ms("Kendall's tau").value);
      }
      for (const measure of ['largest eigenvalue', 'largest eigenvalue, balanced', 'adaptive sharpness']) {
        expect(of(architecture, measure, "Kendall's tau").value).toBeLessThan(ms("Kendall's tau").value);
      }
      const line = text.match(new RegExp(`^- \\d+ ${architecture}s with .*$`, 'm'))![0];
      for (const what of ['trace less MS', 'normalized sharpness [^,]*, less MS']) {
        expect(Number(line.match(new RegExp(`${what} \\S+ \\((\\S+) to`))![1])).toBeGreaterThan(0);
      }
      const atLoss = rows.find((row) => row[0] === architecture && row[1] === 'Minimum Sharpness' && row.length === 7)!;
      for (const cell of atLoss.slice(2)) {
        expect(interval(cell).low).toBeGreaterThan(0);
      }
    }
    expect(isOpen(of('MLP', 'Minimum Sharpness', 'r of logs, partial'))).toBe(true);
  });
});
