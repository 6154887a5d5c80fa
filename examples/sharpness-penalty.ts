/**
 * Training with a penalty on Minimum Sharpness against plain stochastic gradient descent, compared at the same training loss:
 * MS falls with the loss anyway (see docs/reading-the-number.md), so that comparing after the same number of epochs would say
 * little. Both start from the same weights and see the same minibatches; the seed changes all of it.
 *
 * The loss compared at is the one with which the penalized training ends. Plain training passes it earlier: what it has there is
 * interpolated between two epochs, along the logarithm of the loss.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { measureSharpness } from 'tfjs-sharpness';
import { sharpnessPenalty } from 'tfjs-sharpness/optimizers';
import { runWithOptions } from './shared/command-line.js';
import { digitNetwork } from './shared/digit-network.js';
import { type Digits, mnistDigits } from './shared/mnist-images.js';

const usage = `usage: npx tsx examples/sharpness-penalty.ts [options]

  --seeds N        repeat everything with N seeds (default 5)
  --epochs N       train for N epochs (default 12)
  --samples N      train on N of the 4000 images (default 2000)
  --lambda X       weight of the penalty (default 0.01)
  --backend NAME   wasm or cpu (default wasm)
  --out FOLDER     where the table goes (default examples/results)
  --help           show this text`;

const defaults = {
  seeds: 5,
  epochs: 12,
  samples: 2000,
  lambda: 0.01,
  backend: 'wasm',
  out: fileURLToPath(new URL('results', import.meta.url)),
};

const BATCH = 128;

/** What a network is like after an epoch. */
interface State {
  readonly loss: number;
  readonly sharpness: number;
  readonly accuracy: number;
}

async function stateOf(model: tf.LayersModel, train: Digits, test: Digits): Promise<State> {
  const evaluate = async ({ images, labels }: Digits) => {
    const scalars = model.evaluate(images, labels) as tf.Scalar[];
    const [loss, accuracy] = await Promise.all(scalars.map(async (scalar) => (await scalar.data())[0]!));
    tf.dispose(scalars);
    return { loss: loss!, accuracy: accuracy! };
  };
  const { loss } = await evaluate(train);
  const { accuracy } = await evaluate(test);
  const { minimumSharpness: sharpness } = await measureSharpness(model, train.images, { method: { tolerance: 0.02 } });
  return { loss, sharpness, accuracy: 100 * accuracy };
}

/** One epoch in an order of its own; the milliseconds of each step. */
async function trainEpoch(model: tf.LayersModel, { images, labels }: Digits, order: number): Promise<number[]> {
  const count = images.shape[0];
  const indices = tf.tidy(() => tf.topk(tf.randomUniform([count], 0, 1, 'float32', order), count).indices);
  const [x, y] = [tf.gather(images, indices), tf.gather(labels, indices)];
  const times: number[] = [];
  for (let start = 0; start + BATCH <= count; start += BATCH) {
    const [inputs, targets] = [x.slice([start, 0], [BATCH, -1]), y.slice([start, 0], [BATCH, -1])];
    const before = performance.now();
    await model.trainOnBatch(inputs, targets);
    times.push(performance.now() - before);
    tf.dispose([inputs, targets]);
  }
  tf.dispose([indices, x, y]);
  return times;
}

/** The state in which training passed this loss for the first time. */
function whereLossWas(loss: number, states: readonly State[]): State {
  const after = states.findIndex((state) => state.loss <= loss);
  if (after <= 0) {
    throw new Error('Plain training never had the loss compared at: give it more --epochs.');
  }
  const [high, low] = [states[after - 1]!, states[after]!];
  const share = Math.log(high.loss / loss) / Math.log(high.loss / low.loss);
  const between = (key: keyof State) => high[key] + share * (low[key] - high[key]);
  return { loss, sharpness: between('sharpness'), accuracy: between('accuracy') };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Trains both, taking turns after every epoch, so that the times can be compared. */
async function compare(seed: number, epochs: number, lambda: number, train: Digits, test: Digits) {
  const contestant = (wrapped: (model: tf.LayersModel, base: tf.Optimizer) => tf.Optimizer) => {
    const model = digitNetwork(seed);
    const optimizer = wrapped(model, tf.train.sgd(0.1));
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    return { model, states: [] as State[], times: [] as number[] };
  };
  const plain = contestant((_, base) => base);
  const penalized = contestant((model, base) => sharpnessPenalty(base, { model, lambda }));
  plain.states.push(await stateOf(plain.model, train, test));
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const { model, states, times } of [plain, penalized]) {
      times.push(...(await trainEpoch(model, train, 1000 * seed + epoch)));
      states.push(await stateOf(model, train, test));
    }
  }
  for (const { model } of [plain, penalized]) {
    model.optimizer.dispose();
    model.dispose();
  }
  const end = penalized.states.at(-1)!;
  return {
    plain: whereLossWas(end.loss, plain.states),
    penalized: end,
    cost: median(penalized.times) / median(plain.times),
  };
}

await runWithOptions(usage, defaults, ['wasm', 'cpu'], async ({ seeds, epochs, samples, lambda, backend, out }) => {
  if (!(await tf.setBackend(backend))) {
    throw new Error(`The ${backend} backend did not start.`);
  }
  const train = mnistDigits('train', samples);
  const test = mnistDigits('test', 1000);
  const rows: string[] = [];
  const ratios: number[] = [];
  const costs: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const { plain, penalized, cost } = await compare(seed, epochs, lambda, train, test);
    const ratio = plain.sharpness / penalized.sharpness;
    const numbers = [
      penalized.loss,
      plain.sharpness,
      penalized.sharpness,
      ratio,
      plain.accuracy,
      penalized.accuracy,
      cost,
    ];
    const digits = [4, 1, 1, 2, 1, 1, 2];
    rows.push(`| ${[seed, ...numbers.map((value, i) => value.toFixed(digits[i]!))].join(' | ')} |`);
    console.log(
      `seed ${seed}: at a training loss of ${penalized.loss.toFixed(4)}, MS lower by a factor of ${ratio.toFixed(2)}`,
    );
    ratios.push(ratio);
    costs.push(cost);
  }
  const lines = [
    '# A penalty on Minimum Sharpness',
    '',
    `${samples} MNIST images; 784-64-32-10 network; SGD with learning rate 0.1 on minibatches of ${BATCH}, and the same with ` +
      `\`sharpnessPenalty\`, lambda ${lambda}, on 32 samples of each. Compared at the training loss that the penalized training ` +
      `has after ${epochs} epochs. Backend: ${backend}.`,
    '',
    '| seed | training loss | MS, SGD | MS, penalty | ratio | test accuracy, SGD, % | penalty, % | step / SGD step |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `Smallest ratio of MS: ${Math.min(...ratios).toFixed(2)}. Median cost of a step: ${median(costs).toFixed(2)} plain steps.`,
  ];
  console.log(`\n${lines.join('\n')}`);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}/sharpness-penalty.md`, `${lines.join('\n')}\n`);
  console.log(`\nWritten to ${out}/sharpness-penalty.md`);
});
