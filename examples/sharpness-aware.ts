/**
 * Sharpness-aware optimizers against plain stochastic gradient descent, where overfitting hurts: 1,000 handwritten digits, of
 * which a third have a wrong label, and a network that can learn them by heart. Every contestant trains from the same
 * initial weights, on the same wrong labels, in the same order; the seed changes all three.
 *
 * Nothing is tuned: all have the same learning rate and number of epochs, and rho is what the papers recommend or the
 * authors' code has, lambda what the example of the penalty has. The numbers are those after the last epoch.
 *
 * Prints a table and writes it, with a chart, to `results/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { measureSharpness } from 'tfjs-sharpness';
import { asam, sam, sharpnessPenalty } from 'tfjs-sharpness/optimizers';
import type { TopLevelSpec } from 'vega-lite';
import { writeChart } from './shared/chart.js';
import { runWithOptions } from './shared/command-line.js';
import { digitNetwork } from './shared/digit-network.js';
import { type Digits, mnistDigits } from './shared/mnist-images.js';

const usage = `usage: npx tsx examples/sharpness-aware.ts [options]

  --seeds N        repeat everything with N seeds (default 5)
  --epochs N       train for N epochs (default 40)
  --samples N      train on N of the 4000 images (default 1000)
  --quick          2 seeds, 2 epochs
  --backend NAME   wasm or cpu (default wasm)
  --out FOLDER     where the table and the chart go (default examples/results)
  --help           show this text`;

const defaults = {
  seeds: 5,
  epochs: 40,
  samples: 1000,
  quick: false as const,
  backend: 'wasm',
  out: fileURLToPath(new URL('results', import.meta.url)),
};

const BATCH = 50;
const loss = 'categoricalCrossentropy';
const sgd = () => tf.train.sgd(0.1);

/** Who takes part: a name and the optimizer for a model. The first is what the others are compared with. */
const contestants: readonly { name: string; optimizer: (model: tf.LayersModel) => tf.Optimizer }[] = [
  { name: 'SGD', optimizer: sgd },
  { name: 'SAM, rho 0.05', optimizer: () => sam(sgd(), { rho: 0.05 }) },
  { name: 'ASAM, rho 0.5', optimizer: () => asam(sgd(), { rho: 0.5 }) },
  { name: 'penalty, lambda 0.01', optimizer: (model) => sharpnessPenalty(sgd(), { model, lambda: 0.01, loss }) },
];

/** The labels, one-hot, with every third one moved to another digit. */
function withNoise(labels: tf.Tensor2D, seed: number): tf.Tensor2D {
  return tf.tidy(() => {
    const shifts = tf.randomUniform(labels.shape.slice(0, 1), 1, 10, 'float32', seed).floor().arraySync() as number[];
    const digits = labels.argMax(1).arraySync() as number[];
    const noisy = digits.map((digit, i) => (i % 3 === 0 ? (digit + shifts[i]!) % 10 : digit));
    return tf.oneHot(tf.tensor1d(noisy, 'int32'), 10).toFloat() as tf.Tensor2D;
  });
}

/** One epoch in an order of its own; milliseconds. */
async function trainEpoch(model: tf.LayersModel, { images, labels }: Digits, order: number): Promise<number> {
  const count = images.shape[0];
  const indices = tf.tidy(() => tf.topk(tf.randomUniform([count], 0, 1, 'float32', order), count).indices);
  const [x, y] = [tf.gather(images, indices), tf.gather(labels, indices)];
  let time = 0;
  for (let start = 0; start < count; start += BATCH) {
    const size = Math.min(BATCH, count - start);
    const [inputs, targets] = [x.slice([start, 0], [size, -1]), y.slice([start, 0], [size, -1])];
    const before = performance.now();
    await model.trainOnBatch(inputs, targets);
    time += performance.now() - before;
    tf.dispose([inputs, targets]);
  }
  tf.dispose([indices, x, y]);
  return time;
}

interface Outcome {
  readonly contestant: string;
  readonly accuracy: number;
  readonly loss: number;
  readonly sharpness: number;
  readonly time: number;
}

/** Trains all contestants, taking turns after every epoch, so that the times can be compared. */
async function compete(seed: number, epochs: number, clean: Digits, test: Digits): Promise<Outcome[]> {
  const train = { images: clean.images, labels: withNoise(clean.labels, seed) };
  const taking = contestants.map(({ name, optimizer }) => {
    const model = digitNetwork(seed);
    model.compile({ optimizer: optimizer(model), loss, metrics: ['accuracy'] });
    return { name, model, time: 0 };
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const one of taking) {
      one.time += await trainEpoch(one.model, train, 1000 * seed + epoch);
    }
  }
  const outcomes: Outcome[] = [];
  for (const { name, model, time } of taking) {
    const evaluate = async ({ images, labels }: Digits) => {
      const scalars = model.evaluate(images, labels) as tf.Scalar[];
      const [loss, accuracy] = await Promise.all(scalars.map(async (scalar) => (await scalar.data())[0]!));
      tf.dispose(scalars);
      return { loss: loss!, accuracy: accuracy! };
    };
    const { accuracy } = await evaluate(test);
    const { loss } = await evaluate(train);
    const { minimumSharpness: sharpness } = await measureSharpness(model, train.images);
    outcomes.push({ contestant: name, accuracy: 100 * accuracy, loss, sharpness, time });
    model.optimizer.dispose();
    model.dispose();
  }
  train.labels.dispose();
  return outcomes;
}

/** Mean and its standard error. */
function meanAndError(values: readonly number[], digits: number): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) {
    return mean.toFixed(digits);
  }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const error = Math.sqrt(squares / (values.length - 1) / values.length);
  return `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function table(outcomes: readonly Outcome[]): string[] {
  const of = (name: string) => outcomes.filter(({ contestant }) => contestant === name);
  const first = of(contestants[0]!.name);
  const rows = contestants.map(({ name }) => {
    const own = of(name);
    const against = (f: (one: Outcome, other: Outcome) => number) => own.map((one, i) => f(one, first[i]!));
    const cells = [
      name,
      meanAndError(
        own.map(({ accuracy }) => accuracy),
        2,
      ),
      meanAndError(
        against((one, other) => one.accuracy - other.accuracy),
        2,
      ),
      meanAndError(
        own.map(({ loss }) => loss),
        4,
      ),
      meanAndError(
        own.map(({ sharpness }) => sharpness),
        2,
      ),
      meanAndError(
        against((one, other) => one.time / other.time),
        2,
      ),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const title = `| | test accuracy, % | more than ${contestants[0]!.name}, points | training loss | MS | step / ${contestants[0]!.name} step |`;
  return [title, '| --- | --- | --- | --- | --- | --- |', ...rows];
}

/** A point a seed, and mean and standard error over them. */
function chart(outcomes: readonly Outcome[]): TopLevelSpec {
  const panel = (field: keyof Outcome, title: string) => ({
    width: 300,
    height: 40 * contestants.length,
    encoding: {
      y: { field: 'contestant', type: 'nominal' as const, sort: null, title: null },
      x: { field, type: 'quantitative' as const, title, scale: { zero: false, padding: 10 } },
    },
    layer: [
      { mark: { type: 'point' as const, opacity: 0.5, size: 25 } },
      { mark: { type: 'errorbar' as const, extent: 'stderr' as const, ticks: { size: 8 }, color: 'black' } },
      {
        mark: { type: 'point' as const, shape: 'diamond', filled: true, size: 60, color: 'black' },
        encoding: { x: { field, aggregate: 'mean' as const, type: 'quantitative' as const, title } },
      },
    ],
  });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values: [...outcomes] },
    hconcat: [panel('accuracy', 'test accuracy, %'), panel('sharpness', 'Minimum Sharpness on the training images')],
  };
}

await runWithOptions(usage, defaults, ['wasm', 'cpu'], async ({ quick, samples, backend, out, ...given }) => {
  const seeds = quick ? 2 : given.seeds;
  const epochs = quick ? 2 : given.epochs;
  if (!(await tf.setBackend(backend))) {
    throw new Error(`The ${backend} backend did not start.`);
  }
  const train = mnistDigits('train', samples);
  const test = mnistDigits('test', 1000);
  const outcomes: Outcome[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const round = await compete(seed, epochs, train, test);
    const said = round.map(({ contestant, accuracy }) => `${contestant}: ${accuracy.toFixed(1)}%`);
    console.log(`seed ${seed} of ${seeds}, on test images: ${said.join('; ')}`);
    outcomes.push(...round);
  }
  const lines = [
    '# Sharpness-aware optimizers',
    '',
    `${samples} MNIST images, a third of them with a wrong label; 784-64-32-10 network; ${epochs} epochs of minibatches of ` +
      `${BATCH}, learning rate 0.1; nothing tuned, no early stopping.`,
    `Means and standard errors over ${seeds} seeds, after the last epoch; 1,000 test images with right labels; loss and MS on the ` +
      'training images.',
    '',
    ...table(outcomes),
  ];
  console.log(`\n${lines.join('\n')}`);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}/sharpness-aware.md`, `${lines.join('\n')}\n\n![chart](sharpness-aware.svg)\n`);
  await writeChart(chart(outcomes), `${out}/sharpness-aware.svg`);
  console.log(`\nWritten to ${out}: sharpness-aware.md and sharpness-aware.svg`);
});
