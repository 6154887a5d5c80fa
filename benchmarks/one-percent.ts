/**
 * How long it takes until the trace of the loss Hessian over a whole set of images is known to 1%: ours, drawn by curvature,
 * against ours exact, minibatches, BackPACK and PyHessian, on networks before, during and after training. Writes
 * `one-percent.md` and `one-percent.svg`.
 */
import { existsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../examples/shared/command-line.js';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { startBackend } from './backend.js';
import { howTurnsAreTaken } from './child.js';
import { writeNetwork } from './exported-network.js';
import { python } from './kernel-turns.js';
import { named } from './named.js';
import { type NetworkName, networkNames, network as untrained } from './networks.js';
import { onePercentChart } from './one-percent-chart.js';
import { compare, contestants, type Result, time } from './one-percent-turns.js';
import { digits, load, machine, resultsFolder, table, writeReport } from './report.js';
import { setWeights, trainedWeights } from './trained-network.js';

const usage = `usage: npm run bench:one-percent -- [options]

Seconds until the trace over 4,000 MNIST images has a standard error of 1%. BackPACK and PyHessian, which
scripts/peers-venv.sh installs, take part where they are there.

  --networks NAMES  which of ${networkNames.join(', ')}, with commas between (default MLP,LeNet)
  --repeats N       how often the contestants take turns, at most (default 6)
  --seconds N       a contestant takes no further turn after so many seconds of its own (default 4)
  --threads N       threads of every contestant (default: as many as there are cores)
  --backend NAME    tensorflow (tfjs-node), wasm or cpu (default tensorflow)
  --no-peers        without BackPACK and PyHessian
  --quick           400 images, 2 turns, MLP only
  --out FOLDER      where the report goes (default ${resultsFolder})
  --help            show this text`;

const defaults = {
  networks: '',
  repeats: 0,
  seconds: 4,
  threads: os.cpus().length,
  backend: 'tensorflow',
  'no-peers': false as const,
  quick: false as const,
  out: resultsFolder,
};

const root = fileURLToPath(new URL('../', import.meta.url));

/** Epochs of training at which the networks are measured. */
const epochsOf: Partial<Record<NetworkName, readonly number[]>> = { LeNet: [0, 5, 20] };
const defaultEpochs = [0, 10, 60];

function tables(results: readonly Result[]): string[] {
  const keys = [...new Set(results.map(({ network, epochs }) => `${network}, ${epochs} epochs`))];
  return keys.flatMap((key) => {
    const own = results.filter(({ network, epochs }) => `${network}, ${epochs} epochs` === key);
    const [predict, ours] = own as [Result, Result];
    const rows = own.map((result) => [
      result.title,
      time(result),
      `**${digits(result.seconds / ours.seconds)}** (${digits(result.cpuSeconds / ours.cpuSeconds)})`,
      digits(result.seconds / predict.seconds),
      result.how,
    ]);
    return ['', `## ${key}`, '', ...table(['', 'time', 'times ours', 'times predict', ''], rows)];
  });
}

await runWithOptions(
  usage,
  defaults,
  ['tensorflow', 'wasm', 'cpu'],
  async ({ quick, backend, out, seconds, threads, ...given }) => {
    if (!(await startBackend(backend))) {
      throw new Error(`The backend ${backend} is not there: npm run native builds it.`);
    }
    const names = named('networks', given.networks || (quick ? 'MLP' : 'MLP,LeNet'), networkNames);
    const samples = quick ? 400 : 4000;
    const repeats = given.repeats || (quick ? 2 : 6);
    const withPeers = !given['no-peers'] && existsSync(python);
    const chosen = contestants.filter(({ isPeer }) => withPeers || !isPeer);
    const versions: Record<string, string> = {};
    const before = load();
    const results: Result[] = [];
    const lines = () => [
      '# To one percent',
      '',
      `Seconds until the trace of the loss Hessian over ${samples} MNIST images is known with a standard error of 1%, from the`,
      'images to the value. MLP is 784-512-128-512-10; training is with Adam, on the same images. Every contestant runs in a',
      `process of its own with ${threads} ${threads === 1 ? 'thread' : 'threads'}; they take turns, ${repeats} each (fewer where ${seconds} s of its own are over), and the`,
      'times are medians over their repetitions. "≈" marks what was not run to its end: how many repetitions it takes follows',
      'from the spread between those that were taken, for DiagGGNMC from the variance of its draws, and the time is so many times the',
      'median of one.',
      howTurnsAreTaken,
      '',
      '"times ours": time over that of `{ tolerance: 0.01 }`, in brackets the same in processor time of all threads. "times predict":',
      'time over that of one `model.predict` of all images, in the fastest of batches of 32, 128, 512 and all.',
      'For `{ tolerance: 0.01 }` the last column gives the root mean square deviation of its traces from the exact one, over readings',
      'with different seeds. Minibatches are drawn without replacement. BackPACK and PyHessian take the fastest of batches of 32,',
      '128 and 512.',
      ...(withPeers ? [] : ['', 'BackPACK and PyHessian did not take part.']),
      '',
      machine(versions),
      `Load average (1 minute): ${before} at the start, ${load()} at the end.`,
      '',
      '![Seconds to one percent](one-percent.svg)',
      ...tables(results),
    ];
    const { images, labels } = mnistDigits('train', samples);
    const classes = Uint8Array.from(tf.tidy(() => labels.argMax(1).dataSync()));
    for (const name of names) {
      const weights = await trainedWeights(name, samples, quick ? [0, 1] : (epochsOf[name] ?? defaultEpochs));
      const model = await untrained(name);
      for (const [epochs, values] of weights) {
        console.log(`${name}, ${epochs} epochs`);
        setWeights(model, values);
        const folder = `${root}.cache/bench-one-percent/${name}-${samples}-${epochs}/`;
        writeNetwork(model, images, folder);
        writeFileSync(`${folder}labels.u8`, classes);
        const setting = { network: name, epochs, samples, folder, backend };
        const found = await compare(setting, chosen, { repeats, seconds, threads }, versions);
        for (const each of found) {
          if ('absent' in each) {
            throw new Error(`${each.title} did not take part: ${each.absent}`);
          }
          results.push(each);
        }
        // After every network, so that a run that is cut short leaves what it has.
        await writeReport(out, 'one-percent', lines(), onePercentChart(results));
      }
      model.dispose();
    }
    tf.dispose([images, labels]);
  },
);
