/**
 * Handwritten digits with a share of wrong labels, as in the Minimum Sharpness paper. A network first learns the digits, and
 * then the wrong labels by heart, which costs test accuracy. Four ways of ending the training are compared over several seeds: all
 * epochs, early stopping by the loss on held-out data, and two ways by Minimum Sharpness (MS), which need no such data.
 *
 * Prints a table, and writes it and a chart to files. What came out: examples/results/label-noise.md. Network, optimizer, noise and
 * patience were settled on seed 101, which is none of the seeds reported there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { type EarlyStopping, earlyStopping, measureSharpness, minimumSharpness } from 'tfjs-sharpness';
import type { TopLevelSpec } from 'vega-lite';
import { writeChart } from './shared/chart.js';
import { runWithOptions } from './shared/command-line.js';
import { mnistDigits } from './shared/mnist-images.js';
import { hasNativeBackend } from './shared/native-backend.js';

const usage = `usage: npx tsx examples/label-noise.ts [options]

  --seeds N        repeat with N different noises and initial weights (default 5)
  --first-seed N   the first of them (default 1)
  --epochs N       train for at most N epochs (default 25)
  --samples N      use N of the 4000 images, a fifth of them for the validation loss (default 4000)
  --noise R        share of labels that are drawn anew, among all ten, from 0 to 1 (default 0.4)
  --patience N     epochs that it takes to stop (default 3)
  --quick          2 seeds, 4 epochs, 500 images
  --backend NAME   tensorflow, which is tfjs-node, or wasm (default tensorflow)
  --out FOLDER     where table and chart go (default examples/results, with --quick logs/label-noise)
  --help           show this text`;

const defaults = {
  seeds: 5,
  'first-seed': 1,
  epochs: 25,
  samples: 4000,
  noise: 0.4,
  patience: 3,
  quick: false,
  backend: 'tensorflow',
  out: '',
} as const;

/** The ways of ending the training, by the name that they have in the table. */
const ways: Record<string, (patience: number) => EarlyStopping | undefined> = {
  'all epochs are done': () => undefined,
  'validation loss stops falling': (patience) =>
    earlyStopping({ monitor: 'val_loss', patience, restoreBestWeights: true }),
  'MS rises as loss falls': (patience) =>
    earlyStopping({ monitor: 'minimumSharpness', when: 'worsensAsLossFalls', patience, lossMargin: 0.1 }),
  // The loss goes on falling as wrong labels are learned by heart: an epoch before that is wanted, at any loss.
  'MS stops falling': (patience) =>
    earlyStopping({ monitor: 'minimumSharpness', patience, restoreBestWeights: true, lossMargin: false }),
};
const [unstopped] = Object.keys(ways) as [string];

/** Numbers from 0 to 1, always the same for a seed. */
function generator(seed: number): () => number {
  let state = Math.imul(seed, 2654435761);
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One-hot labels, of which a share is drawn anew. */
async function withNoise(labels: tf.Tensor2D, noise: number, seed: number): Promise<tf.Tensor2D> {
  const random = generator(seed);
  const digits = await tf.tidy(() => labels.argMax(1)).data();
  const noisy = Int32Array.from(digits, (digit) => (random() < noise ? Math.floor(10 * random()) : digit));
  return tf.tidy(() => tf.oneHot(tf.tensor1d(noisy, 'int32'), 10).toFloat() as tf.Tensor2D);
}

/** 784 - 128 - 64 - 10. */
function network(seed: number): tf.Sequential {
  const layer = (units: number, activation: 'relu' | 'softmax', i: number) => ({
    units,
    activation,
    kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + i }),
  });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ ...layer(128, 'relu', 1), inputShape: [784] }),
      tf.layers.dense(layer(64, 'relu', 2)),
      tf.layers.dense(layer(10, 'softmax', 3)),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

interface Data {
  readonly images: tf.Tensor2D;
  readonly labels: tf.Tensor2D;
}

/** How one training ended, and its course. */
interface Run {
  readonly way: string;
  readonly seed: number;
  readonly epochs: number;
  readonly testAccuracy: number;
  /** MS of the training images, with the weights that the network has in the end. */
  readonly sharpness: number;
  readonly course: readonly { epoch: number; testAccuracy: number; validationLoss: number; sharpness: number }[];
}

async function train(
  way: string,
  seed: number,
  data: { train: Data; validation: Data; test: Data },
  chosen: { epochs: number; patience: number },
): Promise<Run> {
  const model = network(seed);
  const { train, validation, test } = data;
  const accuracy = async () => {
    const [loss, accuracy] = model.evaluate(test.images, test.labels, { batchSize: 1000 }) as tf.Scalar[];
    const [value] = await accuracy!.data();
    tf.dispose([loss!, accuracy!]);
    return value!;
  };
  const course: Run['course'][number][] = [];
  const noting = new tf.CustomCallback({
    onEpochEnd: async (epoch, logs) => {
      const { val_loss: validationLoss, minimumSharpness: sharpness } = logs as Record<string, number>;
      const testAccuracy = await accuracy();
      course.push({ epoch: epoch + 1, testAccuracy, validationLoss: validationLoss!, sharpness: sharpness! });
    },
  });
  const sharpness = minimumSharpness({ data: train.images });
  const stopping = ways[way]!(chosen.patience);
  await model.fit(train.images, train.labels, {
    epochs: chosen.epochs,
    batchSize: 32,
    shuffle: false, // the images come in random order; so every run is the same
    validationData: [validation.images, validation.labels],
    verbose: 0,
    callbacks: [sharpness, ...(stopping ? [stopping] : []), noting],
  });
  sharpness.dispose();
  const { minimumSharpness: atTheEnd } = await measureSharpness(model, train.images);
  const run = { way, seed, epochs: course.length, testAccuracy: await accuracy(), sharpness: atTheEnd, course };
  model.dispose();
  return run;
}

/** Mean and its standard error over the seeds. */
function meanAndError(values: readonly number[], digits: number): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const error = Math.sqrt(squares / (values.length - 1) / values.length);
  return values.length < 2 ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

const row = ({ seed, way, testAccuracy, epochs, sharpness }: Run) =>
  `| ${seed} | ${way} | ${testAccuracy.toFixed(4)} | ${epochs} | ${sharpness.toFixed(1)} |`;

const head = ['| training ends when | test accuracy | epochs trained | MS at the end |', '| --- | --- | --- | --- |'];

function means(runs: readonly Run[]): string[] {
  const rows = Object.keys(ways).map((way) => {
    const of = runs.filter((run) => run.way === way);
    const columns = [
      meanAndError(
        of.map((run) => run.testAccuracy),
        4,
      ),
      meanAndError(
        of.map(({ epochs }) => epochs),
        1,
      ),
      meanAndError(
        of.map((run) => run.sharpness),
        1,
      ),
    ];
    return `| ${way} | ${columns.join(' | ')} |`;
  });
  return [...head, ...rows];
}

/** Test accuracy, validation loss and MS over the epochs of the unstopped trainings, and where the others were stopped. */
function chart(runs: readonly Run[]): TopLevelSpec {
  const courses = runs.filter(({ way }) => way === unstopped).flatMap(({ course }) => course);
  const stopped = Object.keys(ways).filter((way) => way !== unstopped);
  // A little apart, so that no line hides another.
  const ends = runs
    .filter(({ way }) => way !== unstopped)
    .map(({ way, epochs }) => ({ way, end: epochs + (stopped.indexOf(way) - 1) / 6 }));
  const epoch = {
    field: 'epoch',
    type: 'quantitative',
    title: 'epoch',
    axis: { tickMinStep: 1, format: 'd' },
  } as const;
  const panel = (field: string, title: string) => {
    const y = { field, title, type: 'quantitative', scale: { zero: false } } as const;
    return {
      width: 560,
      height: 150,
      layer: [
        { mark: { type: 'errorband' as const, extent: 'stderr' as const, color: '#333' }, encoding: { x: epoch, y } },
        {
          mark: { type: 'line' as const, color: '#333' },
          encoding: { x: epoch, y: { ...y, aggregate: 'mean' as const } },
        },
        {
          data: { values: ends },
          mark: { type: 'rule' as const, strokeWidth: 1.5 },
          encoding: {
            x: { field: 'end', type: 'quantitative' as const },
            color: { field: 'way', type: 'nominal' as const, sort: stopped, title: 'ended when' },
          },
        },
      ],
    };
  };
  return {
    background: 'white',
    config: { legend: { labelLimit: 300, orient: 'top' as const } },
    data: { values: courses },
    vconcat: [
      panel('testAccuracy', 'test accuracy'),
      panel('validationLoss', 'validation loss'),
      panel('sharpness', 'Minimum Sharpness'),
    ],
  };
}

await runWithOptions(usage, defaults, ['tensorflow', 'wasm'], async ({ quick, noise, patience, ...options }) => {
  const firstSeed = options['first-seed'];
  const { seeds, epochs, samples } = quick ? { seeds: 2, epochs: 4, samples: 500 } : options;
  const out = options.out || (quick ? 'logs/label-noise' : 'examples/results');
  if (noise > 1) {
    throw new Error(`--noise must be at most 1, but it is ${noise}.`);
  }
  const backend = options.backend === 'tensorflow' && (await hasNativeBackend('this runs')) ? 'tensorflow' : 'wasm';
  if (!(await tf.setBackend(backend))) {
    throw new Error(`The ${backend} backend did not start.`);
  }
  mkdirSync(out, { recursive: true });
  const { images, labels } = mnistDigits('train', samples);
  const test = mnistDigits('test', 1000);
  const forValidation = Math.floor(samples / 5);
  const split = (all: tf.Tensor2D) =>
    tf.split(all, [samples - forValidation, forValidation]) as [tf.Tensor2D, tf.Tensor2D];
  const [trainImages, validationImages] = split(images);

  const started = performance.now();
  const runs: Run[] = [];
  console.log(`| seed ${head[0]}`);
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const noisy = await withNoise(labels, noise, seed);
    const [trainLabels, validationLabels] = split(noisy);
    const data = {
      train: { images: trainImages, labels: trainLabels },
      validation: { images: validationImages, labels: validationLabels },
      test,
    };
    for (const way of Object.keys(ways)) {
      const run = await train(way, seed, data, { epochs, patience });
      runs.push(run);
      console.log(row(run));
    }
    tf.dispose([noisy, trainLabels, validationLabels]);
  }
  const minutes = (performance.now() - started) / 60_000;

  const table = means(runs);
  console.log(`\n${table.join('\n')}\n`);
  const command = ['npx tsx examples/label-noise.ts', ...process.argv.slice(2)].join(' ');
  const report = [
    '# Digits with wrong labels: when to stop',
    '',
    `Made by \`${command}\`: ${samples - forValidation} training images and ${forValidation} more for the validation loss, ` +
      `${noise * 100}% of the labels of both drawn anew among all ten; 1,000 test images with right labels. ` +
      'Network 784-128-64-10, sgd with learning rate 0.1, batches of 32. MS is that of all training images.',
    '',
    `Means over ${seeds} seeds (${firstSeed} to ${firstSeed + seeds - 1}: noise and initial weights), with one standard error:`,
    '',
    ...table,
    '',
    `Every way has patience ${patience}. The validation loss, and MS where it stops falling, put the best weights back; the other ` +
      'two end with the weights of the last epoch.',
    '',
    '![Test accuracy, validation loss and MS over the epochs](label-noise.svg)',
    '',
    `The curves are those of the trainings of all ${epochs} epochs, mean and standard error; each vertical line is the end of one training.`,
    '',
    'Each training:',
    '',
    `| seed ${head[0]}`,
    `| --- ${head[1]}`,
    ...runs.map(row),
    '',
    `${os.cpus().length} cores of ${os.cpus()[0]?.model}, ${backend} backend: ${minutes.toFixed(1)} minutes.`,
  ];
  writeFileSync(join(out, 'label-noise.md'), `${report.join('\n')}\n`);
  await writeChart(chart(runs), join(out, 'label-noise.svg'));
  console.log(`Written to ${join(out, 'label-noise.md')} and .svg, after ${minutes.toFixed(1)} minutes.`);
});
