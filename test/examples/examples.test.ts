import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readLogdir } from '../training/tensorboard/event-reader.js';
import { epochLines, numbers, run, runScript } from './example-run.js';

const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

function example(name: string): string {
  const { status, stdout, stderr } = runScript([`examples/${name}.ts`]);
  expect(status, stderr).toBe(0);
  return stdout;
}

describe('npm run example', () => {
  test('trains, writes event files, stops when Minimum Sharpness stops falling', { timeout: 120_000 }, () => {
    const logdir = join(folder, 'mnist');
    const options = ['--samples', '500', '--epochs', '25', '--logdir', logdir];
    const { status, stdout, stderr } = run('npm', ['run', '-s', 'example', '--', ...options]);
    expect(status, stderr).toBe(0);

    const epochs = epochLines(stdout).map(
      ([epoch, loss, accuracy, testAccuracy, all, error, minibatch, minibatchError]) => {
        return { epoch, loss, accuracy, testAccuracy, all, error, minibatch, minibatchError };
      },
    );
    expect(epochs.length).toBeGreaterThan(5);
    for (const line of epochs) {
      expect(line.all).toBeGreaterThan(0);
      // So few images are measured exactly.
      expect(line.error).toBeGreaterThanOrEqual(0);
      expect(line.error).toBeLessThanOrEqual(0.02 * line.all! + 0.01);
      expect(line.minibatchError).toBeGreaterThan(0);
    }
    expect(epochs.at(-1)!.accuracy).toBeGreaterThan(0.8);
    expect(epochs.at(-1)!.testAccuracy).toBeGreaterThan(0.7);

    // The three epochs that ended it fell by less than 0.5 below the best of those before, from the sixth on.
    expect(numbers(stdout, /Stopped after epoch (\d+)/g)).toEqual([epochs.length]);
    const counted = epochs.slice(5).map(({ all }) => all!);
    expect(Math.min(...counted.slice(-3))).toBeGreaterThanOrEqual(Math.min(...counted.slice(0, -3)) - 0.5);
    expect(epochs.length).toBeLessThan(25);

    const [last, error] = numbers(stdout, /(?:MS of the last epoch|±) ([\d.]+\d{4})\b/g) as [number, number];
    const [exact] = numbers(stdout, /output column ([\d.]+\d)/g) as [number];
    expect(Math.abs(exact - last)).toBeLessThanOrEqual(4 * error + 1e-3);
    expect(last).toBeCloseTo(epochs.at(-1)!.all!, 1);
    expect(stdout).toContain(`tensorboard --logdir ${logdir}`);

    for (const [name, column] of [
      ['all-images', 'all'],
      ['minibatch', 'minibatch'],
    ] as const) {
      const charts = readLogdir(join(logdir, name)).filter(({ tag }) => tag === 'sharpness/minimum');
      expect(charts.map(({ step }) => step)).toEqual(epochs.map(({ epoch }) => epoch! * Math.ceil(500 / 64)));
      charts.forEach(({ value }, i) => {
        expect(value).toBeCloseTo(epochs[i]![column]!, 1);
      });
    }
  });

  test('--help lists every option, and a wrong one gets one line', { timeout: 120_000 }, () => {
    const { status, stdout } = run('npm', ['run', '-s', 'example', '--', '--help']);
    expect(status).toBe(0);
    for (const option of ['epochs', 'samples', 'learning-rate', 'weight-decay', 'patience', 'backend', 'logdir']) {
      expect(stdout).toContain(`--${option}`);
    }
    for (const [option, line] of [
      ['--epochs=none', "--epochs must be a whole number of at least 1, but it is 'none'."],
      ['--backend=gpu', "--backend must be wasm or cpu, but it is 'gpu'."],
      ['--samples=4001', 'There are 4000 images in the train set, not 4001.'],
      ['--logdir=package.json', 'package.json'],
    ]) {
      const wrong = runScript(['examples/mnist.ts', option!]);
      expect(wrong.status).toBe(1);
      expect(wrong.stderr).toContain(line);
      expect(wrong.stderr).toContain('--help lists the options');
    }
  });
});

test('minimal-callback.ts prints the history of loss and Minimum Sharpness', () => {
  const stdout = example('minimal-callback');
  const losses = numbers(stdout, /loss ([\d.]+)/g);
  expect(losses).toHaveLength(10);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
  const values = numbers(stdout, /Minimum Sharpness ([\d.]+)/g);
  expect(values).toHaveLength(10);
  expect(Math.min(...values)).toBeGreaterThan(0);
});

test.each(['fit-dataset', 'rxjs-pipeline', 'steer'])('%s.ts --help says what it does, and trains nothing', (name) => {
  const { status, stdout } = runScript([`examples/${name}.ts`, '--help']);
  expect(status).toBe(0);
  expect(stdout).toMatch(new RegExp(`^usage: npx tsx examples/${name}.ts.*\n\n[^\n]+\n$`));
  const wrong = runScript([`examples/${name}.ts`, '--epochs']);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain('There is no option --epochs; --help says what there is.');
});

test('fit-dataset.ts measures twice an epoch, all images each time', () => {
  const stdout = example('fit-dataset');
  expect(numbers(stdout, /batch (\d+):/g)).toEqual([10, 20, 30, 40, 50, 60]);
  expect(numbers(stdout, /epoch (\d+),/g)).toEqual([1, 1, 2, 2, 3, 3]);
  expect(numbers(stdout, /of (\d+) images/g)).toEqual(Array(6).fill(1000));
  expect(Math.min(...numbers(stdout, /Minimum Sharpness ([\d.]+)/g))).toBeGreaterThan(0);
  expect(numbers(stdout, /accuracy ([\d.]+)/g)[0]).toBeGreaterThan(0.7);
});

test('own-loop.ts prints the mean loss of every epoch, and Minimum Sharpness after it', () => {
  const stdout = example('own-loop');
  expect(numbers(stdout, /^epoch (\d+):/gm)).toEqual([1, 2, 3, 4]);
  const losses = numbers(stdout, /loss ([\d.]+)/g);
  expect(losses).toHaveLength(4);
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
  expect(Math.min(...numbers(stdout, /Minimum Sharpness ([\d.]+)/g))).toBeGreaterThan(0);
});

test('rxjs-pipeline.ts averages, alerts and stops training', () => {
  const stdout = example('rxjs-pipeline');
  const values = numbers(stdout, /epoch \d+: MS ([\d.]+)/g);
  const averages = numbers(stdout, /average of 3: ([\d.]+)/g);
  expect(averages).toHaveLength(values.length - 2);
  averages.forEach((average, i) => {
    expect(average).toBeCloseTo((values[i]! + values[i + 1]! + values[i + 2]!) / 3, 1);
  });
  const rises = values.slice(1).filter((value, i) => value > 1.05 * values[i]!);
  expect(rises.length).toBeGreaterThan(0);
  expect(numbers(stdout, /MS rose by (\d+)%/g)).toHaveLength(rises.length);
  expect(values.length).toBeLessThan(40);
  expect(values.at(-1)).toBeLessThan(Math.max(...values) / 2);
  expect(stdout.trimEnd()).toMatch(/less than half: training stops$/);
});

test('steer.ts warms up, raises weight decay when MS trends up, and draws both', { timeout: 120_000 }, () => {
  const logdir = join(folder, 'steer');
  const { status, stdout, stderr } = runScript(['examples/steer.ts', logdir]);
  expect(status, stderr).toBe(0);
  const values = numbers(stdout, /MS ([\d.]+)/g);
  const steps = numbers(stdout, /batch (\d+): MS/g);
  expect(steps).toEqual(values.map((_, i) => 10 * (i + 1)));

  const charts = (tag: string) => readLogdir(logdir).filter((point) => point.tag === tag);
  const rates = charts('sharpness_control/learning_rate');
  const decays = charts('sharpness_control/weight_decay');
  for (const points of [rates, decays, charts('sharpness/minimum')]) {
    expect(points.map(({ step }) => step)).toEqual(steps);
  }
  // It grows by 1.4 a reading, up to 0.2 or the first four that lie within 0.2 of their mean.
  const spread = (last: number[]) => ((Math.max(...last) - Math.min(...last)) / last.reduce((a, b) => a + b)) * 4;
  const stable = values.findIndex((_, i) => i >= 3 && spread(values.slice(i - 3, i + 1)) <= 0.2);
  rates.forEach(({ value }, i) => {
    expect(value).toBeCloseTo(Math.min(0.2, 0.01 * 1.4 ** Math.min(i + 1, stable)), 5);
  });
  const changed = rates.filter(({ value }, i) => value !== (rates[i - 1]?.value ?? 0.01));
  expect(changed.length).toBeGreaterThan(3);
  expect(numbers(stdout, /batch (\d+): learning_rate/g)).toEqual(changed.map(({ step }) => step));
  const raised = numbers(stdout, /batch (\d+): weight_decay/g);
  expect(raised.length).toBeGreaterThan(0);
  expect(decays.at(-1)!.value).toBeCloseTo(1e-4 * 2 ** raised.length, 8);
  expect(values[steps.indexOf(raised[0]!)]).toBeGreaterThan(values[0]!);
});

describe('label-noise.ts', () => {
  const noise = (...options: string[]) => runScript(['examples/label-noise.ts', ...options]);

  test('compares the ways of stopping, in a table and a chart', { timeout: 240_000 }, () => {
    const out = join(folder, 'label-noise');
    const { status, stdout, stderr } = noise('--quick', '--out', out);
    expect(status, stderr).toBe(0);

    const report = readFileSync(join(out, 'label-noise.md'), 'utf8');
    expect(report).toContain(`\`npx tsx examples/label-noise.ts --quick --out ${out}\``);
    expect(report).toContain('400 training images and 100 more for the validation loss, 40% of the labels');
    const rows = [...report.matchAll(/^\| (\d) \| (.*) \| ([\d.]+) \| (\d+) \| ([\d.]+) \|$/gm)].map((row) => {
      const [accuracy, epochs, sharpness] = row.slice(3).map(Number) as [number, number, number];
      return { seed: Number(row[1]), way: row[2]!, accuracy, epochs, sharpness };
    });
    expect(rows.map(({ seed }) => seed)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    const ways = rows.slice(0, 4).map(({ way }) => way);
    expect(new Set(ways).size).toBe(4);
    for (const { accuracy, epochs, sharpness } of rows) {
      expect(accuracy).toBeGreaterThan(0.1);
      expect(epochs).toBeLessThanOrEqual(4);
      expect(sharpness).toBeGreaterThan(0);
    }
    // Two values a and b have the mean (a + b) / 2 and the standard error |a - b| / 2.
    for (const way of ways) {
      const [a, b] = rows.filter((each) => each.way === way);
      const line = report.split('\n').find((each) => each.startsWith(`| ${way} |`))!;
      expect(stdout).toContain(line);
      const [accuracy, error, epochs, , sharpness] = numbers(line, /([\d.]+)(?= [±|])/g);
      expect(accuracy).toBeCloseTo((a!.accuracy + b!.accuracy) / 2, 3);
      expect(error).toBeCloseTo(Math.abs(a!.accuracy - b!.accuracy) / 2, 3);
      expect(epochs).toBe((a!.epochs + b!.epochs) / 2);
      expect(sharpness).toBeCloseTo((a!.sharpness + b!.sharpness) / 2, 0);
    }

    const chart = readFileSync(join(out, 'label-noise.svg'), 'utf8');
    expect(chart).toMatch(/^<svg .*<\/svg>\s*$/s);
    expect(chart).not.toMatch(/NaN|undefined/);
    for (const text of ['test accuracy', 'validation loss', 'Minimum Sharpness', ...ways.slice(1)]) {
      expect(chart).toContain(`>${text}</text>`);
    }
  });

  test('--help lists every option, and a wrong one gets one line', { timeout: 120_000 }, () => {
    const { stdout } = noise('--help');
    for (const option of ['seeds', 'epochs', 'samples', 'noise', 'patience', 'quick', 'backend', 'out']) {
      expect(stdout).toContain(`--${option} `);
    }
    const wrong = noise('--noise', '1.5');
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('--noise must be at most 1, but it is 1.5.');
  });

  test('the report that docs/early-stopping.md speaks of was made by the defaults', () => {
    const report = readFileSync(join(import.meta.dirname, '../../examples/results/label-noise.md'), 'utf8');
    expect(report).toContain('Made by `npx tsx examples/label-noise.ts`:');
    expect(report).toContain('Means over 5 seeds (1 to 5');
    const page = readFileSync(join(import.meta.dirname, '../../docs/early-stopping.md'), 'utf8');
    const quoted = page.match(/0\.\d{4} ± 0\.\d{4}/g)!;
    expect(quoted.length).toBe(4);
    for (const accuracy of quoted) {
      expect(report).toContain(`| ${accuracy} |`);
    }
  });
});

test('sharpness-penalty.ts compares at the same training loss', { timeout: 120_000 }, () => {
  const out = join(folder, 'sharpness-penalty');
  const options = ['--seeds', '2', '--epochs', '4', '--samples', '256', '--out', out];
  const { status, stdout, stderr } = runScript(['examples/sharpness-penalty.ts', ...options]);
  expect(status, stderr).toBe(0);
  const written = readFileSync(join(out, 'sharpness-penalty.md'), 'utf8');
  const rows = [...written.matchAll(/^\| (\d+ \|.*) \|$/gm)].map(([, cells]) => cells!.split(' | ').map(Number));
  expect(rows.map(([seed]) => seed)).toEqual([1, 2]);
  for (const [, loss, plain, penalized, ratio, accuracy, penalizedAccuracy, cost] of rows) {
    expect(ratio! / (plain! / penalized!)).toBeCloseTo(1, 1);
    for (const value of [loss, penalized, accuracy, penalizedAccuracy, cost]) {
      expect(value).toBeGreaterThan(0);
    }
    expect(ratio).toBeGreaterThan(1);
  }
  expect(numbers(stdout, /lower by a factor of ([\d.]+)/g)).toEqual(rows.map((row) => row[4]));
});

test('sharpness-aware.ts compares all contestants over the seeds, in a table and a chart', { timeout: 120_000 }, () => {
  const out = join(folder, 'sharpness-aware');
  const options = ['--quick', '--samples', '200', '--out', out];
  const { status, stdout, stderr } = runScript(['examples/sharpness-aware.ts', ...options]);
  expect(status, stderr).toBe(0);
  const names = ['SGD', 'SAM', 'ASAM', 'penalty'];
  const bySeed = names.map((name) => numbers(stdout, new RegExp(`[:;] ${name}\\b[^:;]*: ([\\d.]+)%`, 'g')));
  for (const accuracies of bySeed) {
    expect(accuracies).toHaveLength(2);
  }

  const written = readFileSync(join(out, 'sharpness-aware.md'), 'utf8');
  expect(written).toContain('200 MNIST images');
  const rows = [...written.matchAll(/^\| (\w+).*?\| (.*) \|$/gm)]
    .filter(([, name]) => names.includes(name!))
    .map(([, , cells]) => cells!.split(' | ').map((cell) => cell.split(' ± ').map(Number)));
  expect(rows).toHaveLength(names.length);
  rows.forEach((row, i) => {
    expect(row).toHaveLength(5);
    for (const cell of row) {
      expect(cell.every(Number.isFinite) && cell.length === 2).toBe(true);
    }
    const [accuracy, more, loss, sharpness, cost] = row as [number, number][];
    // The lines of the seeds have one digit less.
    const [one, two] = bySeed[i] as [number, number];
    expect(Math.abs(accuracy![0] - (one + two) / 2)).toBeLessThan(0.06);
    expect(Math.abs(accuracy![1] - Math.abs(one - two) / 2)).toBeLessThan(0.06);
    expect(Math.abs(more![0] - (accuracy![0] - rows[0]![0]![0]!))).toBeLessThan(0.011);
    for (const [mean] of [loss!, sharpness!, cost!]) {
      expect(mean).toBeGreaterThan(0);
    }
  });
  const svg = readFileSync(join(out, 'sharpness-aware.svg'), 'utf8');
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  for (const text of [...names, 'test accuracy', 'Minimum Sharpness']) {
    expect(svg).toContain(text);
  }

  const { stdout: help } = runScript(['examples/sharpness-aware.ts', '--help']);
  for (const option of ['seeds', 'epochs', 'samples', 'quick', 'backend', 'out']) {
    expect(help).toContain(`--${option}`);
  }
});
