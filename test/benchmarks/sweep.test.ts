import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../benchmarks/backend.js';
import type { Lines, Look, SweepRun } from '../../benchmarks/experiments/lines.js';
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
import { sweepReport, sweepSections } from '../../benchmarks/experiments/sweep-tables.js';

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
    const counted = (title: string) => rows.find(([name]) => name === title)![1];
    // Three of the rates are in "rate and batch", too: too few settings for an answer.
    expect(counted('tau of MS, at the end')).toBe('1 / 0 / 0, ± 0.00');
    expect(counted('tau of trace, at the end')).toBe('0 / 1 / 0, ± 0.00');
    expect(counted('tau of trace less that of MS, at the end')).toBe('0 / 1 / 0, ± 0.00');
    const others = rowsOf(sweepSections.others!(lines));
    const told = (title: string) => others.find(([name]) => name!.startsWith(title))![1];
    expect(told('tau of MS, at the end')).toBe('1.00 to 1.00');
    expect(told('cases in which it is above 0')).toBe('2 / 0 / 0');
  });

  test('count as better what goes along more closely and not the other way round', () => {
    const better = (of: readonly SweepRun[]) => {
      const rows = rowsOf(sweepSections.others!({ ...lines, sweep: of }));
      return rows.find(([title]) => title!.startsWith('cases in which MS / the loss'))!.slice(1);
    };
    /** MS and the loss at the end, of the place of a network among all; the gap and the test error go up with that, the test loss too. */
    const networksWith = (sharpness: (place: number) => number, loss: (place: number) => number) =>
      runs.map((each, place) => {
        const last = each.snapshots.at(-1)!;
        const looks = { loss: loss(place), minimumSharpness: sharpness(place), testAccuracy: 0.9 - place / 100 };
        return { ...each, snapshots: [...each.snapshots.slice(0, -1), { ...last, ...looks, testLoss: 1 + place }] };
      });
    const [up, down, either] = [
      (place: number) => 1 + place,
      (place: number) => 100 - place,
      (place: number) => 1 + ((place * 7) % 25),
    ];
    // Of all settings and of the learning rate. Three of the rates are in "rate and batch", too: too few settings for an answer.
    expect(better(networksWith(up, either))).toEqual(['2 / 0 / 0', '2 / 0 / 0', '2 / 0 / 0']);
    expect(better(networksWith(either, up))).toEqual(['0 / 2 / 0', '0 / 2 / 0', '0 / 2 / 0']);
    expect(better(networksWith(either, down))).toEqual(['0 / 0 / 2', '0 / 0 / 2', '0 / 0 / 2']);
    expect(better(networksWith(up, up))).toEqual(['0 / 0 / 2', '0 / 0 / 2', '0 / 0 / 2']);
  });

  test('leave out those that learned nothing where they say so', () => {
    const dead = { ...factors['batch size']![0]! };
    const flat = [1, 2, 3, 4, 5].map((seed) => {
      const { snapshots, ...rest } = run(dead, seed);
      const last = { ...snapshots.at(-1)!, accuracy: 0.3, minimumSharpness: 0.1 * seed, loss: 2, testAccuracy: 0.1 };
      return { ...rest, snapshots: [...snapshots.slice(0, -1), last] };
    });
    const answer = (of: readonly SweepRun[], title: string) => {
      const rows = rowsOf(sweepReport({ ...lines, sweep: of }));
      const header = rows.find(([, shuffled]) => shuffled === 'shuffled')!;
      return rows.find(([, , varied]) => varied === 'all of them')![header.indexOf(title)]!.replace(/, \d+$/, '');
    };
    const title = 'tau of MS, at the end';
    const all = [...runs, ...flat];
    expect(answer(all, title)).not.toBe(answer(runs, title));
    expect(answer(all, `${title}, without those that learned nothing`)).toBe(answer(runs, title));
  });

  test('say how many intervals of MS at equal loss there are before those that lie beside 0', () => {
    const report = sweepReport(lines);
    const counted = report.find((line) => /intervals of MS at equal loss/.test(line))!;
    const listed = report.filter((line) => line.startsWith('- '));
    expect(listed.length).toBeGreaterThan(0);
    expect(counted).toMatch(new RegExp(` ${listed.length} of the 6 intervals .* about 0\\.1 would by chance`));
  });

  test('count networks that diverged or learned nothing, and say nothing of too few', () => {
    const diverged = run(base, 1, { snapshots: runs[0]!.snapshots.slice(0, 1) });
    const unlearned = run(base, 2, {
      snapshots: runs[0]!.snapshots.map((look) => ({ ...look, accuracy: 0.1 })),
    });
    expect(sweepSections.sweep!({ ...lines, sweep: [diverged, unlearned, run(base, 3)] })[0]).toMatch(
      /^3 of 580 networks .* 0 of them by more seeds .* 1 diverged .* 1 learned next to nothing .* or more: 1 of 3 \(MNIST, 0 shuffled\), 0 of 0/,
    );
    const ofThreeSettings = runs.filter(({ rate }) => rate <= 0.03);
    for (const few of [runs.slice(0, 7), ofThreeSettings]) {
      expect(sweepSections.others!({ ...lines, sweep: few }).join()).toMatch(/too few/);
      expect(sweepReport({ ...lines, sweep: few }).join()).toMatch(/too few/);
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
      return rows.slice(2).map((row) => [row[0], row[1], row[3]]);
    };
    expect(of([1, 2, 3, 4, 5])).toEqual([
      ['momentum', '5', '-'],
      ['SAM, 0.05', '5', '5.0 (5.0 to 5.0)'],
    ]);
    expect(of([1, 2, 3, 4])[1]).toEqual(['SAM, 0.05', '4', '-']);
  });
});
