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
import { sweepSections } from '../../benchmarks/experiments/sweep-tables.js';

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
    const rows = rowsOf(sweepSections.answers!(lines));
    const header = rows.find(([, shuffled]) => shuffled === 'shuffled')!;
    const row = rows.find(([, , varied]) => varied === 'learning rate')!;
    const cell = (title: string) => row[header.indexOf(title)]!;
    expect(cell('networks')).toBe('25');
    expect(cell('tau of MS, at the end')).toBe('1.00 (1.00 to 1.00)');
    expect(cell('tau of trace, at the end')).toBe('-1.00 (-1.00 to -1.00)');
    expect(cell('tau of MS, at loss 0.5')).toMatch(/^(1\.00|0\.9)/);
    const counts = rows.find(([title]) => title === 'tau of MS, at the end')!;
    expect(counts[1]).toBe('2 / 0 / 0'); // three of the rates are in "rate and batch", too
    expect(rows.find(([title]) => title === 'tau of trace, at the end')![1]).toBe('0 / 2 / 0');
  });

  test('count networks that diverged or learned nothing, and say nothing of too few', () => {
    const diverged = run(base, 1, { snapshots: runs[0]!.snapshots.slice(0, 1) });
    const unlearned = run(base, 2, {
      snapshots: runs[0]!.snapshots.map((look) => ({ ...look, accuracy: 0.1 })),
    });
    expect(sweepSections.sweep!({ ...lines, sweep: [diverged, unlearned, run(base, 3)] })[0]).toMatch(
      /^3 of 580 networks .* 1 of them diverged .* 1 more ended/,
    );
    expect(sweepSections.answers!({ ...lines, sweep: runs.slice(0, 7) }).join()).toMatch(/too few/);
    expect(sweepSections.optimizers!(lines)).toEqual(['Fewer than 3 seeds of each are there.']);
  });

  test('compare optimizers with the base of the same seed', () => {
    const [, , , sam] = factors.optimizer!;
    const shuffled = [1, 2, 3].flatMap((seed) => {
      const better = run(base, seed).snapshots.map((look) => ({ ...look, testAccuracy: look.testAccuracy + 0.05 }));
      return [run(base, seed, { ratio: 0.2 }), run(sam!, seed, { ratio: 0.2, snapshots: better })];
    });
    const rows = rowsOf(sweepSections.optimizers!({ ...lines, sweep: shuffled }));
    expect(rows.slice(2).map((row) => [row[1], row[2], row[4]])).toEqual([
      ['momentum', '3', '-'],
      ['SAM, 0.05', '3', '5.0 (5.0 to 5.0)'],
    ]);
  });
});

test('what the page says of learning rates, batches and optimizers holds of its counts', () => {
  const text = readFileSync(page, 'utf8');
  expect(text.replace(/\s+/g, ' ')).toContain(
    'no more closely than the training loss does, and at equal loss only in the few cases',
  );
  const counts = (title: string) =>
    [...text.matchAll(/^\| (.+?) \| (\d+ \/ \d+ \/ \d+) \| (\d+ \/ \d+ \/ \d+) \| (\d+ \/ \d+ \/ \d+) \|$/gm)]
      .find((row) => row[1] === title)!
      .slice(2)
      .map((cell) => cell.split(' / ').map(Number) as [number, number, number]);
  for (const [above, below, open] of counts('size of tau of MS less that of training loss, at the end')) {
    expect(above / (above + below + open)).toBeLessThanOrEqual(0.125);
  }
  // What it says of the cases that are listed.
  const listed = (what: string) =>
    [...text.matchAll(/^- (.*), with the (?:test loss|test error): tau of MS, at loss \S+: (\S+) /gm)]
      .filter(([, each]) => each === what)
      .map(([, , tau]) => Math.sign(Number(tau)));
  expect(new Set(listed('digits, 0.2 shuffled, optimizer'))).toEqual(new Set([1]));
  for (const dataset of ['MNIST', 'digits']) {
    expect(new Set(listed(`${dataset}, 0 shuffled, learning rate`))).toEqual(new Set([-1]));
  }
  for (const name of ['MS', 'trace']) {
    for (const level of [0.5, 0.1]) {
      for (const [above, below, open] of counts(`tau of ${name}, at loss ${level}`)) {
        expect(above / (above + below + open)).toBeLessThanOrEqual(0.25);
      }
    }
  }
});
