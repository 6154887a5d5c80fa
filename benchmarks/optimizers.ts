/**
 * What a step of the sharpness-aware optimizers costs, in steps of the optimizer that they wrap: all on the same images, taking
 * turns in one run. Prints a table for every network and writes them to `benchmarks/results/optimizers.md`.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { asam, sam, sharpnessPenalty } from 'tfjs-sharpness/optimizers';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { backendVersion, startBackend } from './backend.js';
import { named } from './named.js';
import { type NetworkName, network } from './networks.js';
import { load, machine, resultsFolder, writeReport } from './report.js';
import { median } from './statistics.js';

const backends = ['tensorflow', 'wasm', 'cpu'];
const batches = [32, 256];

const usage = `usage: npm run bench:optimizers -- [options]

Times a training step with SAM, ASAM and a penalty on Minimum Sharpness as a multiple of one with plain SGD, on ${batches.join(' and ')} MNIST images.

  --backend NAMES  which of ${backends.join(', ')}, with commas between (default tensorflow,wasm)
  --repeats N      how often the optimizers take turns, after three turns that do not count (default 15)
  --quick          3 turns
  --out FOLDER     where the report goes (default ${resultsFolder})
  --help           show this text`;

function options() {
  const { values } = parseArgs({
    options: {
      backend: { type: 'string', default: 'tensorflow,wasm' },
      repeats: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string', default: resultsFolder },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const repeats = Number(values.repeats ?? (values.quick ? 3 : 15));
  if (!Number.isInteger(repeats) || repeats < 1) {
    throw new Error(`--repeats must be a whole number of at least 1, but it is '${values.repeats}'.`);
  }
  const chosen = named('backend', values.backend, backends);
  return { chosen, repeats, out: values.out, help: values.help };
}

const sgd = () => tf.train.sgd(0.01);

/** Who takes part. The first is what the others are compared with. */
const contestants: readonly { name: string; optimizer: (model: tf.LayersModel) => tf.Optimizer }[] = [
  { name: 'SGD', optimizer: sgd },
  { name: 'SAM', optimizer: () => sam(sgd(), { rho: 0.05 }) },
  { name: 'ASAM', optimizer: () => asam(sgd(), { rho: 0.5 }) },
  { name: 'penalty on MS', optimizer: (model) => sharpnessPenalty(sgd(), { model, lambda: 0.001 }) },
];

const networks: readonly NetworkName[] = ['MLP', 'LeNet'];

/**
 * A table row for each contestant: the median step in milliseconds, and of each turn's step over the first contestant's the
 * median and the extremes, in time and in processor time, which depends less on what else the machine does.
 */
async function rows(name: NetworkName, batch: number, repeats: number): Promise<string[]> {
  const { images, labels } = mnistDigits('train', batch);
  const inputs = images.reshape([batch, 28, 28, 1]);
  const entering = contestants.map(async (contestant) => {
    const model = await network(name);
    model.compile({ optimizer: contestant.optimizer(model), loss: 'categoricalCrossentropy' });
    return { name: contestant.name, model, times: [] as number[], processor: [] as number[] };
  });
  const taking = await Promise.all(entering);
  try {
    for (let turn = -3; turn < repeats; turn++) {
      for (const { model, times, processor } of taking) {
        const before = processorTime();
        await model.trainOnBatch(inputs, labels);
        const after = processorTime();
        if (turn < 0) {
          continue;
        }
        times.push(after.at - before.at);
        processor.push(after.own - before.own);
      }
    }
  } catch (error) {
    const { message } = error as Error;
    if (!/Kernel '\w+' not registered/.test(message)) {
      throw error;
    }
    return [`| ${name}, batch ${batch} | - | - | this backend cannot train it | |`];
  } finally {
    for (const { model } of taking) {
      model.optimizer.dispose();
      model.dispose();
    }
    tf.dispose([images, labels, inputs]);
  }
  const [first] = taking;
  return taking.map((one) => {
    const ratios = (of: (one: (typeof taking)[number]) => number[]) => of(one).map((time, i) => time / of(first!)[i]!);
    const text = (values: number[]) =>
      `**${median(values).toFixed(2)}** (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
    const against =
      one === first ? '1 | 1' : `${text(ratios(({ times }) => times))} | ${text(ratios(({ processor }) => processor))}`;
    return `| ${name}, batch ${batch} | ${one.name} | ${median(one.times).toFixed(1)} ms | ${against} |`;
  });
}

/** Milliseconds of processor time: of the whole machine since it started, and of this process. */
function processorTime() {
  const all = os.cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  const { user, system } = process.cpuUsage();
  return { all, own: (user + system) / 1000, at: performance.now() };
}

async function run(chosen: string[], repeats: number, out: string): Promise<void> {
  const lines: string[] = [];
  const say = (line: string) => {
    console.log(line);
    lines.push(line);
  };
  say('# A step of the sharpness-aware optimizers, in steps of SGD');
  say('');
  say(
    'One step is `trainOnBatch` (categoricalCrossentropy) on MNIST images; MLP is 784-512-128-512-10. All wrap SGD. ' +
      'The penalty is computed on 32 images of the batch.',
  );
  say(`They took turns; the numbers are medians of ${repeats} turns, in brackets the extremes.`);
  say('');
  say(machine({ 'tf.js': tf.version_core }));
  say(`Load average (1 minute) at the start: ${load()}.`);
  const before = processorTime();
  for (const backend of chosen) {
    say('');
    if (!(await startBackend(backend))) {
      say(`${backend}: not there${backend === 'tensorflow' ? ' (npm run native builds it)' : ''}.`);
      continue;
    }
    say(`| ${backendVersion()} | | step | step / SGD step | in processor time |`);
    say('| --- | --- | --- | --- | --- |');
    for (const name of networks) {
      for (const batch of batches) {
        for (const line of await rows(name, batch, repeats)) {
          say(line);
        }
      }
    }
  }
  const after = processorTime();
  const others = (after.all - before.all - (after.own - before.own)) / (after.at - before.at);
  say('');
  say(`Meanwhile other processes kept ${Math.max(0, others).toFixed(1)} of the ${os.cpus().length} cores busy.`);

  await writeReport(out, 'optimizers', lines);
}

try {
  const { chosen, repeats, out, help } = options();
  if (help) {
    console.log(usage);
  } else {
    await run(chosen, repeats, out);
  }
} catch (error) {
  console.error(`${(error as Error).message} (npm run bench:optimizers -- --help lists the options)`);
  process.exitCode = 1;
}
