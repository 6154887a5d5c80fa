import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { amplify, putToSleep, setRandomWeights } from '../../benchmarks/coverage-networks/rare-units.js';
import { measureSharpness } from '../../src/index.js';
import { modelAssignment } from '../../src/measure/measure-sharpness.js';
import { withTask } from '../../src/measure/task.js';
import { trainedParameters } from '../../src/network/graph.js';
import { curvedHeads } from '../../src/network/heads.js';
import { forwardPasses } from '../../src/traces/pairs/pair-sampler.js';
import { tensorPairs } from '../../src/traces/pairs/tensor-pairs.js';
import { uniform } from '../../src/traces/sampling/uniform.js';
import { type DrawnPairs, eigenvaluesOfPairs } from '../../src/traces/spectrum/eigenvalues-of-pairs.js';
import { type PairGrams, pairGrams } from '../../src/traces/spectrum/pair-grams.js';
import { paretoSample } from '../traces/sampling/pareto-sample.js';

/*
 * Whether the errors that eigenvalues state are true, over 200 draws. The scalar products of all pairs are found once; the draws and
 * everything after them are then made from these as readings make them.
 */

const DRAWS = 200;
const SAMPLES = 120;
const CLASSES = 4;
const COUNT = 3;

const he = (seed: number) => ({ kernelInitializer: tfl.initializers.heNormal({ seed }) });

async function network(loss: string, activation: 'softmax' | 'sigmoid' | 'linear', epochs: number) {
  const { layers } = tfl;
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 32, activation: 'relu', inputShape: [16], ...he(1) }),
      layers.dense({ units: 32, activation: 'relu', ...he(2) }),
      layers.dense({ units: CLASSES, activation, ...he(3) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.01), loss });
  const { x, y } = tf.tidy(() => {
    const classes = tf.tensor1d(
      Array.from({ length: SAMPLES }, (_, n) => n % CLASSES),
      'int32',
    );
    const ideal = tf.gather(tf.randomNormal([CLASSES, 16], 0, 1, 'float32', 7), classes);
    return {
      x: tf.add(ideal, tf.randomNormal([SAMPLES, 16], 0, 1, 'float32', 9)),
      y: tf.cast(tf.oneHot(classes, CLASSES), 'float32'),
    };
  });
  if (epochs > 0) {
    await model.fit(x, y, { epochs, batchSize: 50, shuffle: false, verbose: 0 });
  }
  y.dispose();
  return { model, x };
}

/** All pairs, with the sizes that they are drawn by. */
function allPairs(model: tfl.LayersModel, x: tf.Tensor): Promise<{ grams: PairGrams; sizes: Float32Array }> {
  return withTask(modelAssignment(model, x, {}), async ({ subject: { graph, heads }, budgetBytes }) => {
    const { sizesOf, dispose } = forwardPasses(graph, heads, budgetBytes, trainedParameters(graph), false)();
    const batch = await sizesOf([x], async () => {});
    dispose();
    const source = tensorPairs([x], batch, 0, false, undefined);
    const { length } = batch.sizes;
    const whole = await pairGrams(graph, curvedHeads(heads), budgetBytes, length, source.rows, async () => {});
    // All blocks as one: only their sum counts here.
    const sum = new Float32Array(length * length);
    for (const ofBlock of whole.products) {
      ofBlock.forEach((product, i) => {
        sum[i]! += product;
      });
    }
    return { grams: { ...whole, products: [sum] }, sizes: batch.sizes };
  });
}

/** What a reading knows of the pairs that it has drawn. */
function drawn({ pairs, products: [all], units, parameters }: PairGrams, indices: readonly number[]): PairGrams {
  const size = indices.length;
  const products = new Float32Array(size * size);
  indices.forEach((i, row) => {
    indices.forEach((j, column) => {
      products[row * size + column] = all![i * pairs + j]!;
    });
  });
  return { pairs: size, parameters, products: [products], units: Float64Array.from(indices, (i) => units[i]!) };
}

interface Cell {
  readonly what: string;
  readonly make: () => Promise<{ model: tfl.LayersModel; x: tf.Tensor }>;
  readonly pairs: number;
  /** How many of the largest are called reliable in most draws. */
  readonly reliable: number;
}

/** Two units of the first hidden layer are awake for a fiftieth of the samples, and count a hundred times as much then. */
async function rareUnits() {
  const { layers } = tfl;
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 16, activation: 'relu', inputShape: [8], name: 'hidden0' }),
      layers.dense({ units: 16, activation: 'relu', name: 'hidden1' }),
      layers.dense({ units: 3, activation: 'sigmoid', name: 'hidden2' }),
    ],
  });
  setRandomWeights(model, 1);
  const x = tf.randomNormal([300, 8], 0, 1, 'float32', 11);
  putToSleep(model, x, { layer: 'hidden1', units: [0, 1], share: 0.02 });
  amplify(model, 'hidden2', [0, 1], 100);
  model.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy' });
  return { model, x };
}

const cells: readonly Cell[] = [
  { what: 'softmax, untrained', make: () => network('categoricalCrossentropy', 'softmax', 0), pairs: 128, reliable: 3 },
  { what: 'softmax, 2 epochs', make: () => network('categoricalCrossentropy', 'softmax', 2), pairs: 270, reliable: 0 },
  { what: 'sigmoid, 8 epochs', make: () => network('binaryCrossentropy', 'sigmoid', 8), pairs: 128, reliable: 1 },
  { what: 'linear, 40 epochs', make: () => network('meanSquaredError', 'linear', 40), pairs: 128, reliable: 3 },
  { what: 'sigmoid, units that are rarely awake', make: rareUnits, pairs: 300, reliable: 1 },
];

/** As the page of eigenvalues tells it. */
const table = readFileSync('docs/top-eigenvalues.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '));

it.each(cells)('$what', { timeout: 240_000 }, async ({ what, make, pairs, reliable: most }) => {
  const { model, x } = await make();
  const samples = x.shape[0] as number;
  const { grams, sizes } = await allPairs(model, x);
  const sampleOf: number[] = [];
  const known: DrawnPairs = { samples, sampleOf, inclusion: Array.from(sizes, () => 1) };
  const truths = eigenvaluesOfPairs(grams, known, [1], COUNT);
  truths.forEach(({ value, error }) => {
    expect(error.standardError).toBeLessThan(1e-5 * value);
  });
  const reliable = truths.map(() => 0);
  const covered = truths.map(() => 0);
  for (let seed = 1; seed <= DRAWS; seed++) {
    const { indices, inclusion } = paretoSample(sizes, pairs, (i) => uniform(seed, i));
    const found = eigenvaluesOfPairs(drawn(grams, indices), { samples, sampleOf, inclusion }, [1], COUNT);
    found.forEach(({ value, error }, j) => {
      if (error.reliable) {
        reliable[j]!++;
        covered[j]! += Math.abs(value - truths[j]!.value) <= error.margin ? 1 : 0;
      }
    });
  }
  const words = `${what}: ${covered} of ${reliable}`;
  // Other machines round otherwise, which moves some draws.
  const row = table.find(([name]) => name === what)!;
  expect(row.slice(1, 3), words).toEqual([`${pairs}`, `${sizes.length}`]);
  [reliable, covered].forEach((counts, column) => {
    const stated = row[3 + column]!.split(', ').map(Number);
    counts.forEach((count, j) => {
      expect(Math.abs(count - stated[j]!), words).toBeLessThanOrEqual(3);
    });
  });
  reliable.forEach((of, j) => {
    // Of few, a share says little.
    if (of >= DRAWS / 8) {
      expect(covered[j]! / of, words).toBeGreaterThanOrEqual(0.91);
    }
  });
  expect(Math.max(...reliable), words).toBeGreaterThan(DRAWS / 4);
  expect(
    reliable.slice(0, most).every((of) => of > DRAWS / 2),
    words,
  ).toBe(true);
  tf.dispose(x);
  model.dispose();
});

it('at the balanced scale, whose traces are drawn too', { timeout: 240_000 }, async () => {
  const { model, x } = await network('categoricalCrossentropy', 'softmax', 0);
  const more = tf.tidy(() => tf.add(tf.tile(x, [10, 1]), tf.randomNormal([10 * SAMPLES, 16], 0, 0.5, 'float32', 5)));
  const balanced = async (pairs: number, seed: number) => {
    const reading = await measureSharpness(model, more, { method: { pairs }, eigenvalues: COUNT, seed });
    return reading.topEigenvalues!.balanced;
  };
  // Of 3,600 pairs: what many large draws come to on average.
  const truths = new Array<number>(COUNT).fill(0);
  for (let seed = 1; seed <= 10; seed++) {
    (await balanced(1024, 1000 + seed)).forEach(({ value }, j) => {
      truths[j]! += value / 10;
    });
  }
  const trusted = truths.map(() => 0);
  const covered = truths.map(() => 0);
  for (let seed = 1; seed <= 60; seed++) {
    (await balanced(256, seed)).forEach(({ value, standardError, reliable }, j) => {
      expect(standardError / truths[j]!).toBeLessThan(0.25);
      trusted[j]! += reliable ? 1 : 0;
      covered[j]! += reliable && Math.abs(value - truths[j]!) <= 2 * standardError ? 1 : 0;
    });
  }
  trusted.forEach((of, j) => {
    expect(of).toBeGreaterThan(30);
    expect(covered[j]! / of, `${covered} of ${trusted}`).toBeGreaterThanOrEqual(0.91);
  });
  tf.dispose([x, more]);
  model.dispose();
});
