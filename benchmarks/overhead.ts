/**
 * What one exact reading costs, in training steps: both on the same 256 images, taking turns in one run.
 * Prints tables and writes them to `benchmarks/results/overhead.md`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import util, { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { measureSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/mnist-images.js';
import { addonPath } from '../src/native/addon.js';
import { goldenCases, goldenModel } from '../test/golden-network.js';

const SAMPLES = 256;
const backends = ['tensorflow', 'wasm', 'cpu'];

const usage = `usage: npm run bench:overhead -- [options]

Times one exact reading of Minimum Sharpness on ${SAMPLES} images as a multiple of one training step on the same images.

  --backend NAMES  which of ${backends.join(', ')}, with commas between (default tensorflow,wasm)
  --repeats N      how often step and reading take turns, after two turns that do not count (default 9)
  --quick          3 turns
  --help           show this text`;

function options() {
  const { values } = parseArgs({
    options: {
      backend: { type: 'string', default: 'tensorflow,wasm' },
      repeats: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const repeats = Number(values.repeats ?? (values.quick ? 3 : 9));
  if (!Number.isInteger(repeats) || repeats < 1) {
    throw new Error(`--repeats must be a whole number of at least 1, but it is '${values.repeats}'.`);
  }
  const chosen = values.backend.split(',');
  const unknown = chosen.find((name) => !backends.includes(name));
  if (unknown !== undefined) throw new Error(`--backend must name some of ${backends.join(', ')}, not '${unknown}'.`);
  return { chosen, repeats, help: values.help };
}

interface Network {
  readonly name: string;
  readonly model: tf.LayersModel;
}

/** The three networks of the paper, and a larger one without convolutions. */
async function networks(): Promise<Network[]> {
  const paper = goldenCases().filter(({ name }) => name.startsWith('paper-'));
  const built = paper.map(async (golden) => ({ name: golden.name.slice(6), model: await goldenModel(golden) }));
  const layer = (units: number, activation: 'relu' | 'softmax', seed: number) =>
    tf.layers.dense({ units, activation, kernelInitializer: tf.initializers.heNormal({ seed }) });
  const mlp = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [28, 28, 1] }),
      layer(512, 'relu', 1),
      layer(128, 'relu', 2),
      layer(512, 'relu', 3),
      layer(10, 'softmax', 4),
    ],
  });
  const all = [...(await Promise.all(built)), { name: 'MLP 784-512-128-512-10', model: mlp }];
  for (const { model } of all) model.compile({ optimizer: tf.train.sgd(0.01), loss: 'categoricalCrossentropy' });
  return all;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A table row: medians in milliseconds, and of each turn's reading over its step the median and the extremes. */
async function row({ name, model }: Network, repeats: number): Promise<string> {
  const { images, labels } = mnistDigits('train', SAMPLES);
  const inputs = images.reshape([SAMPLES, 28, 28, 1]);
  const steps: number[] = [];
  const readings: number[] = [];
  try {
    for (let turn = -2; turn < repeats; turn++) {
      const step = await timed(() => model.trainOnBatch(inputs, labels));
      const reading = await timed(() => measureSharpness(model, inputs));
      if (turn < 0) continue;
      steps.push(step);
      readings.push(reading);
    }
  } catch (error) {
    const { message } = error as Error;
    if (!/Kernel '\w+' not registered/.test(message)) throw error;
    return `| ${name} | - | - | this backend cannot train it |`;
  } finally {
    tf.dispose([images, labels, inputs]);
  }
  const ratios = readings.map((reading, i) => reading / steps[i]!);
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  const times = [steps, readings].map((all) => `${median(all).toFixed(median(all) < 100 ? 1 : 0)} ms`).join(' | ');
  return `| ${name} | ${times} | **${median(ratios).toFixed(1)}** (${least.toFixed(1)} to ${most.toFixed(1)}) |`;
}

/** Starts a backend; its version where it says one, or undefined where it is not there. */
async function start(backend: string): Promise<string | undefined> {
  if (backend === 'tensorflow') {
    if (!addonPath('@tensorflow/tfjs-node')) return undefined;
    // tfjs-node 4.22 calls both; Node 23 removed them.
    Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
    await import('@tensorflow/tfjs-node');
  }
  if (!(await tf.setBackend(backend))) return undefined;
  const { binding } = tf.backend() as unknown as { binding?: { TF_Version: string } };
  return binding ? `tensorflow (TensorFlow ${binding.TF_Version})` : backend;
}

/** Milliseconds of processor time: of the whole machine since it started, and of this process. */
function processorTime() {
  const all = os.cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  const { user, system } = process.cpuUsage();
  return { all, own: (user + system) / 1000, at: performance.now() };
}

async function run(chosen: string[], repeats: number): Promise<void> {
  const lines: string[] = [];
  const say = (line: string) => {
    console.log(line);
    lines.push(line);
  };
  const [{ model: processor }] = os.cpus() as [os.CpuInfo];
  say('# One exact reading, in training steps');
  say('');
  say(
    `One training step is \`trainOnBatch\` (sgd, categoricalCrossentropy) on ${SAMPLES} MNIST images; one reading is ` +
      '`measureSharpness` of the same images.',
  );
  say(`They took turns; the numbers are medians of ${repeats} turns, in brackets the extremes.`);
  say('');
  const versions = `Node ${process.versions.node}, tf.js ${tf.version_core}`;
  say(`Machine: ${os.cpus().length} cores of ${processor}, ${os.type()} ${os.arch()}, ${versions}.`);
  const before = processorTime();
  for (const backend of chosen) {
    const version = await start(backend);
    say('');
    if (version === undefined) {
      say(`${backend}: not there${backend === 'tensorflow' ? ' (npm run native builds it)' : ''}.`);
      continue;
    }
    say(`| ${version} | step | reading | reading / step |`);
    say('| --- | --- | --- | --- |');
    for (const network of await networks()) say(await row(network, repeats));
  }
  const after = processorTime();
  const others = (after.all - before.all - (after.own - before.own)) / (after.at - before.at);
  say('');
  say(`Meanwhile other processes kept ${Math.max(0, others).toFixed(1)} of the ${os.cpus().length} cores busy.`);

  const results = new URL('results/', import.meta.url);
  mkdirSync(results, { recursive: true });
  writeFileSync(new URL('overhead.md', results), `${lines.join('\n')}\n`);
}

try {
  const { chosen, repeats, help } = options();
  if (help) console.log(usage);
  else await run(chosen, repeats);
} catch (error) {
  console.error(`${(error as Error).message} (npm run bench:overhead -- --help lists the options)`);
  process.exitCode = 1;
}
