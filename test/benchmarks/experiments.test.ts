import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../../benchmarks/backend.js';
import { figures } from '../../benchmarks/experiments/figures.js';
import { grid, nameOf, type Setting, snapshotEpochs } from '../../benchmarks/experiments/grid.js';
import { labelsReport } from '../../benchmarks/experiments/label-tables.js';
import { atAccuracy, atLoss, epochsToLoss } from '../../benchmarks/experiments/levels.js';
import { type Lines, linesIn, type Run } from '../../benchmarks/experiments/lines.js';
import { measures } from '../../benchmarks/experiments/measures.js';
import { resultsFolder } from '../../benchmarks/experiments/places.js';
import { pages, reports, withSections } from '../../benchmarks/experiments/report.js';
import { sections } from '../../benchmarks/experiments/tables.js';
import { compiledNetwork, type Training, train, trainingSamples } from '../../benchmarks/experiments/training.js';
import { addLine, readLines } from '../../benchmarks/json-lines.js';
import { setWeights, type Weights } from '../../benchmarks/trained-network.js';

const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-experiments-'));
afterAll(() => rmSync(folder, { recursive: true }));

const tiny: Setting = {
  architecture: 'MLP',
  images: 30,
  batch: 15,
  epochs: 2,
  rate: 0.1,
  fall: 5,
  ratio: 0.5,
  seed: 3,
};

const squaredNorm = (weights: tf.Tensor) => tf.tidy(() => weights.square().sum().dataSync()[0]!);

describe('a network that is trained twice', () => {
  const weights = new Map<number, Weights>();
  let first: Training;
  let second: Training;
  let left: number;
  beforeAll(async () => {
    await startBackend('wasm'); // fast enough for the dense network
    first = await train(tiny, (epoch, values) => weights.set(epoch, values));
    const before = tf.memory().numTensors;
    second = await train(tiny);
    left = tf.memory().numTensors - before;
  });

  test('gives the same line, and leaves no tensor of its own', () => {
    expect(second).toEqual(first);
    expect(first.snapshots.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    expect(first.snapshots[2]!.loss).toBeLessThan(first.snapshots[0]!.loss);
    expect(left).toBe(1); // tf.js' momentum optimizer does not dispose the scalar of its rate
  });

  test('with another seed or ratio gives another', async () => {
    const { snapshots } = await train({ ...tiny, epochs: 1, seed: 4 });
    expect(snapshots[0]!.loss).not.toBe(first.snapshots[0]!.loss);
  });

  test('is measured from its weights as it was: MS by the noise, the trace by no less than the eigenvalues', async () => {
    const samples = trainingSamples(tiny);
    const model = compiledNetwork(tiny, tf.train.sgd(0.1));
    setWeights(model, weights.get(2)!);
    const before = tf.memory().numTensors;
    const noise = await measures.noise!(model, samples);
    const eigenvalues = await measures.eigenvalues!(model, samples);
    const others = { ...(await measures.adaptive!(model, samples)), ...(await measures.normalized!(model, samples)) };
    const norms = await measures.norms!(model, samples);
    expect(tf.memory().numTensors).toBe(before);
    const { minimumSharpness, trace } = first.snapshots[2]!;
    expect(noise.farNoise! / noise.farLossRise! / (0.01 ** 2 / 2)).toBeCloseTo(minimumSharpness, 3);
    const five = (name: string) => [1, 2, 3, 4, 5].map((i) => eigenvalues[`${name}${i}`]!);
    expect(five('eigenvalue')).toEqual(five('eigenvalue').sort((a, b) => b - a));
    expect(five('eigenvalue').reduce((a, b) => a + b)).toBeLessThan(trace);
    expect(five('balancedEigenvalue').reduce((a, b) => a + b)).toBeLessThan(minimumSharpness);
    // What factors of 1 make of the kernels; the best ones make it less.
    const kernels = model.trainableWeights.filter(({ shape }) => shape.length > 1);
    const bound = Math.sqrt(trace) * kernels.reduce((sum, each) => sum + Math.sqrt(squaredNorm(each.read())), 0);
    expect(others.normalized!).toBeGreaterThan(0.05 * bound);
    expect(others.normalized!).toBeLessThan(bound);
    expect(others.adaptive!).toBeGreaterThan(0);
    expect(norms.frobenius! ** 2).toBeCloseTo(
      model.trainableWeights.reduce((sum, each) => sum + squaredNorm(each.read()), 0),
      1,
    );
    expect(norms.path!).toBeGreaterThan(0);
    tf.dispose([samples.images, samples.labels]);
    model.dispose();
  });
});

test('noise makes the loss of a network without kinks rise as MS says, whatever the scales of its layers', async () => {
  await startBackend('wasm');
  const samples = trainingSamples(tiny);
  const dense = (units: number, seed: number, more: object = {}) =>
    tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotNormal({ seed }), ...more });
  const model = tf.sequential({
    layers: [tf.layers.flatten({ inputShape: [28, 28, 1] }), dense(6, 1), dense(10, 2, { activation: 'softmax' })],
  });
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  const given = await measures.noise!(model, samples);
  expect(given.nearLossRise).toBeGreaterThan(0.7);
  expect(given.nearLossRise).toBeLessThan(1.4);
  const [kernel, bias, ...head] = model.getWeights();
  model.setWeights([kernel!.mul(8), bias!.mul(8), head[0]!.div(8), head[1]!]);
  const rescaled = await measures.noise!(model, samples);
  expect(rescaled.farNoise! / given.farNoise!).toBeCloseTo(1, 2);
  tf.dispose([samples.images, samples.labels]);
  model.dispose();
});

test('the grid has 55 MLPs and 33 LeNets, each with a name of its own, one of every ratio before the second of any', () => {
  const all = grid();
  const of = (architecture: string) => all.filter((setting) => setting.architecture === architecture);
  expect([of('MLP').length, of('LeNet').length]).toEqual([55, 33]);
  expect(new Set(all.map(nameOf)).size).toBe(88);
  expect(
    new Set(
      of('MLP')
        .slice(0, 11)
        .map(({ ratio }) => ratio),
    ).size,
  ).toBe(11);
  expect(
    new Set(
      of('MLP')
        .slice(0, 11)
        .map(({ seed }) => seed),
    ).size,
  ).toBe(1);
});

test('snapshots are taken before the first epoch and after the last, with no epoch twice', () => {
  expect(snapshotEpochs(400)).toEqual([0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 400]);
  expect(snapshotEpochs(1)).toEqual([0, 1]);
});

test('a line that was cut off does not count, the next one stands whole, and reading changes no file', () => {
  const path = join(folder, 'lines.jsonl');
  expect(readLines(path)).toEqual([]);
  addLine(path, { a: 1 });
  for (const [rest, lines] of [
    ['{"a":', [{ a: 1 }]],
    ['{"a":"ä"}', [{ a: 1 }, { a: 'ä' }]],
  ] as const) {
    writeFileSync(path, `{"a":1}\n${rest}`);
    expect(readLines(path)).toEqual(lines);
    expect(readFileSync(path, 'utf8')).toBe(`{"a":1}\n${rest}`);
    addLine(path, { a: 2 });
    expect(readLines(path)).toEqual([...lines, { a: 2 }]);
  }
});

describe('tables', () => {
  /** Losses fall as 1 / 4^epoch; MS is 10 (1 + ratio) loss, and the gap at the end 0.8 ratio: all known. */
  const run = (ratio: number): Run => ({
    ...tiny,
    ratio,
    snapshots: [0, 1, 2, 3].map((epoch) => {
      const loss = 2 * 4 ** -epoch;
      const accuracy = 0.1 + 0.3 * epoch;
      const testAccuracy = accuracy - (0.8 * ratio * epoch) / 3;
      return { epoch, loss, accuracy, testLoss: 1, testAccuracy, minimumSharpness: 10 * (1 + ratio) * loss, trace: 9 };
    }),
  });
  const lines: Lines = { runs: Array.from({ length: 11 }, (_, i) => run(i / 10)), sweep: [], costs: [] };

  test('MS and gap at a loss and at an accuracy lie on the lines between the snapshots', () => {
    const column = { title: 'MS', of: ({ minimumSharpness }: { minimumSharpness: number }) => minimumSharpness };
    const [found] = atLoss([run(0.5)], 0.25, column);
    // Loss 0.25 is half way between 0.5 and 0.125 in its logarithm: epoch 1.5.
    expect(found!.measure).toBeCloseTo(10 * 1.5 * 0.25, 10);
    expect(found!.target).toBeCloseTo((0.4 * 1.5) / 3, 10);
    const [other] = atAccuracy([run(0.5)], 0.55, column);
    expect(other!.measure).toBeCloseTo(10 * 1.5 * 0.25, 10);
    expect(other!.target).toBeCloseTo((0.4 * 1.5) / 3, 10);
    expect(atLoss([run(0.5)], 1e-9, column)).toEqual([]);
    expect(atAccuracy([run(0.5)], 0.05, column)).toEqual([]);
    expect(epochsToLoss(run(0.5), 0.25)).toBeCloseTo(1.5, 10);
    expect(epochsToLoss(run(0.5), 1e-9)).toBeNaN();
    expect(epochsToLoss(run(0.5), 3)).toBeNaN(); // it began below that
    // Snapshots without the measure are not bridged.
    const atEnds = {
      title: 'at the ends',
      of: (look: { epoch: number; loss: number }) => (look.epoch % 3 === 0 ? look.loss : undefined),
    };
    expect(atLoss([run(0.5)], 0.25, atEnds)).toEqual([]);
    expect(atAccuracy([run(0.5)], 0.55, atEnds)).toEqual([]);
  });

  const rowsOf = (text: readonly string[]) => text.map((row) => row.slice(2, -2).split(' | '));

  test('say of MS that it goes along with the gap, of what does not vary nothing', () => {
    const rows = rowsOf(sections.gap!(lines));
    // The loss at the end does not vary, and each network has a ratio of its own.
    expect(rows.find(([title]) => title === 'Minimum Sharpness')!.slice(0, 4)).toEqual([
      'Minimum Sharpness',
      '1.00 (1.00 to 1.00)',
      '- (- to -)',
      '- (- to -)',
    ]);
    expect(rows.find(([title]) => title === 'trace of the Hessian')![1]).toMatch(/^- /);
    expect(sections.loss!(lines)[2]).toBe(`| MLP | Minimum Sharpness |${' 1.00 (1.00 to 1.00) |'.repeat(3)} - | - |`);
    const [, , ms] = rowsOf(sections.short!(lines));
    expect(ms).toEqual(['MS, when training has ended', '1.00 (1.00 to 1.00)']);
    expect(rowsOf(sections.short!(lines)).find(([title]) => title!.startsWith('MS at equal loss'))![1]).toBe(
      '1.00 to 1.00',
    );
  });

  test('tell what goes along with the share of shuffled labels from what does with the gap of those of one share', () => {
    // Twice each ratio. MS goes along with the ratios, but against the gap within them.
    const both = [0, 1].flatMap((second) =>
      lines.runs.map((each) => ({
        ...each,
        seed: second,
        snapshots: each.snapshots.map((look) => ({
          ...look,
          minimumSharpness: look.minimumSharpness * (second ? 0.99 : 1),
          testAccuracy: look.testAccuracy - (second ? 0.001 : 0),
        })),
      })),
    );
    const [, , ms] = rowsOf(sections.gap!({ ...lines, runs: both }));
    expect(ms![1]).toMatch(/^0\.9/);
    expect(ms![3]).toBe('-1.00 (-1.00 to -1.00)');
  });

  test('say how many networks a measure was taken of where that is not all', () => {
    const some = lines.runs.map((each, i) => ({
      ...each,
      snapshots: each.snapshots.map((look) => (i < 9 ? { ...look, path: look.minimumSharpness } : look) as typeof look),
    }));
    const report = labelsReport({ ...lines, runs: some }).join('\n');
    expect(report).toContain('| MLP | path norm | 1.00 (1.00 to 1.00), 9 |');
    expect(report).toContain('Behind an interval stands the number of networks');
    expect(labelsReport({ ...lines, runs: lines.runs }).join('\n')).toContain('| MLP | epochs it took | - (- to -) |');
  });

  test('say how many networks are there, and nothing of too few', () => {
    expect(sections.count!(lines)[0]).toMatch(/^11 of 55 MLPs are in/);
    const few = { ...lines, runs: lines.runs.slice(0, 3) };
    expect(sections.gap!(few).join()).toMatch(/too few/);
    expect(sections.loss!(few).join()).toMatch(/too few/);
    expect(sections.short!(few).join()).toMatch(/too few/);
  });
});

test('pages, reports and figures are what the committed lines make of them', () => {
  const lines = linesIn(resultsFolder);
  const read = (path: string) => readFileSync(path, 'utf8');
  for (const path of pages) {
    expect(withSections(read(path), lines)).toBe(read(path));
  }
  const parts = pages.flatMap((path) => [...read(path).matchAll(/<!-- experiments (\w+):/g)].map(([, name]) => name!));
  expect(parts.sort()).toEqual(Object.keys(sections).sort());
  const told = Object.entries(reports).map(([name, report]) => {
    const text = read(`benchmarks/results/${name}.md`);
    expect(text).toBe(`${report(lines).join('\n')}\n`);
    return text;
  });
  const all = [...pages.map(read), ...told].join('\n');
  for (const name of Object.keys(figures)) {
    const svg = read(join(resultsFolder, `${name}.svg`));
    expect(svg).toMatch(/^<svg .*<\/svg>\s*$/s);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(all).toMatch(new RegExp(`\\(\\.\\./(benchmarks/)?experiments/results/${name}\\.svg\\)`));
  }
  expect(all).not.toMatch(/NaN|undefined|Infinity|-0\.0*[^\d.]/);
}, 180_000); // a thousand draws of hundreds of networks for each interval
