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
import { howTurnsAreTaken, type Repetition, startChild, takeTurn } from './child.js';
import { writeNetwork } from './exported-network.js';
import { named } from './named.js';
import { type NetworkName, networkNames, network as untrained } from './networks.js';
import { onePercentChart } from './one-percent-chart.js';
import { digits, duration, load, machine, resultsFolder, table, writeReport } from './report.js';
import { mean, median, variance } from './statistics.js';
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
const python = `${root}.cache/peers/bin/python`;
/** Python imports, and the search for the fastest batch. */
const START_MS = 300_000;
const TURN_MS = 300_000;
const TOLERANCE = 0.01;

/** Epochs of training at which the networks are measured. */
const epochsOf: Partial<Record<NetworkName, readonly number[]>> = { LeNet: [0, 5, 20] };
const defaultEpochs = [0, 10, 60];

/** One turn: the trace of the mean loss over so many images. */
export interface Turn extends Repetition {
  readonly images: number;
  /** Minimum Sharpness, of ours over all images. */
  readonly sharpness?: number;
  /** Of one random draw over all images. */
  readonly variance?: number;
}

/** How many turns a contestant needs, and where that figure is from. */
interface Need {
  readonly turns: number;
  readonly how: string;
}

interface Exact {
  readonly trace: number;
  readonly sharpness: number;
}

interface Contestant {
  readonly id: string;
  readonly title: string;
  readonly isPeer: boolean;
  /** Turns that have to be taken, however long they last: spreads are made of them. */
  readonly least: number;
  /**
   * @param turns all that were taken, in their order.
   * @param exact the exact values, over all images.
   */
  readonly need: (turns: readonly Turn[], exact: Exact, samples: number) => Need;
}

const whole = (how: string) => () => ({ turns: 1, how });

/** Turns that it takes until the mean of independent ones has a standard error of 1%. */
const independent = (spread: number, trace: number) => spread / (TOLERANCE * trace) ** 2;

const contestants: readonly Contestant[] = [
  {
    id: 'predict',
    title: 'model.predict, for comparison',
    isPeer: false,
    least: 1,
    need: ([{ images }]: readonly Turn[]) => ({ turns: 1, how: `batches of ${images}` }),
  },
  {
    id: 'tolerance',
    title: 'tfjs-sharpness, { tolerance: 0.01 }',
    isPeer: false,
    least: 5,
    need: (turns, exact) => {
      const [sharpness, trace] = (['sharpness', 'trace'] as const).map((key) =>
        Math.sqrt(mean(turns.map((turn) => ((turn[key] as number) / exact[key] - 1) ** 2))),
      ) as [number, number];
      return {
        turns: 1,
        how: `error over ${turns.length} readings: MS ${percent(sharpness)}, trace ${percent(trace)}`,
      };
    },
  },
  {
    id: 'exact',
    title: 'tfjs-sharpness, exact',
    isPeer: false,
    least: 1,
    need: whole('no error'),
  },
  {
    id: 'minibatches',
    title: 'tfjs-sharpness, random minibatches',
    isPeer: false,
    least: 8,
    need: (turns, { trace }, samples) => {
      const size = turns[0]!.images;
      const replaced = independent(variance(turns.map((turn) => turn.trace)), trace);
      // Without replacement, a mean of all batches has no error.
      const count = Math.max(1, replaced / (1 + (replaced * size) / samples));
      return { turns: count, how: `${(count * size).toFixed(0)} of ${samples} images` };
    },
  },
  {
    id: 'backpack-exact',
    title: 'BackPACK, DiagGGNExact',
    isPeer: true,
    least: 1,
    need: ([{ images }]: readonly Turn[], _exact, samples) => ({
      turns: samples / images,
      how: `no error, batches of ${images}`,
    }),
  },
  {
    id: 'backpack-mc',
    title: 'BackPACK, DiagGGNMC',
    isPeer: true,
    least: 3,
    need: ([{ images, variance: ofOneDraw }]: readonly Turn[], { trace }, samples) => {
      const draws = Math.max(1, independent(ofOneDraw as number, trace));
      return { turns: (draws * samples) / images, how: `${digits(draws)} draws for each image, batches of ${images}` };
    },
  },
  {
    id: 'pyhessian',
    title: 'PyHessian, products with random vectors',
    isPeer: true,
    least: 3,
    need: (turns, { trace }) => {
      const count = Math.max(1, independent(variance(turns.map((turn) => turn.trace)), trace));
      return { turns: count, how: `${digits(count)} products` };
    },
  },
];

/** What one contestant takes for one network. */
export interface Result {
  readonly network: NetworkName;
  readonly epochs: number;
  readonly title: string;
  readonly isOurs: boolean;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** More turns than were taken: their median time many times over. */
  readonly extrapolated: boolean;
  readonly how: string;
}

const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

/** All contestants on one network take turns. */
async function compare(
  setting: { network: NetworkName; epochs: number; samples: number; folder: string; backend: string },
  chosen: readonly Contestant[],
  { repeats, seconds, threads }: { repeats: number; seconds: number; threads: number },
  versions: Record<string, string>,
): Promise<Result[]> {
  const { network, epochs, samples, folder, backend } = setting;
  const starting = chosen.map(async (contestant) => {
    const [command, args] = contestant.isPeer
      ? [python, [`${root}benchmarks/one-percent-peers.py`, contestant.id, folder]]
      : [
          process.execPath,
          ['--import', 'tsx', `${root}benchmarks/one-percent-reading.ts`, contestant.id, backend, network, folder],
        ];
    return { contestant, child: await startChild<Turn>(command, args, START_MS, threads), turns: [] as Turn[] };
  });
  const taking = await Promise.all(starting);
  try {
    for (const { contestant, child } of taking) {
      if ('infeasible' in child.ready) {
        throw new Error(`${contestant.title} does not start: ${child.ready.infeasible}`);
      }
      Object.assign(versions, child.ready.versions);
    }
    for (let turn = 0; turn <= repeats; turn++) {
      for (const { contestant, child, turns } of taking) {
        const spent = turns.reduce((sum, { ms }) => sum + ms, 0);
        if (turns.length > contestant.least && spent > 1000 * seconds) {
          continue;
        }
        // The first turn is one repetition, which warms up: its value counts, its time does not.
        const taken = await takeTurn(child, turns.at(-1)?.ms ?? Number.POSITIVE_INFINITY, TURN_MS);
        if (!taken) {
          throw new Error(`${contestant.title} took no turn on ${network}: ${child.complaint()}`);
        }
        turns.push(...taken);
      }
    }
  } finally {
    await Promise.all(taking.map(({ child }) => child.stop()));
  }
  const exact = taking.find(({ contestant }) => contestant.id === 'exact')!.turns[0] as Turn & Exact;
  return taking.map(({ contestant: { title, isPeer, need }, turns }) => {
    const needed = need(turns, exact, samples);
    const times = turns.slice(1);
    const result = {
      network,
      epochs,
      title,
      isOurs: !isPeer,
      seconds: (needed.turns * median(times.map(({ ms }) => ms))) / 1000,
      cpuSeconds: (needed.turns * median(times.map(({ cpuMs }) => cpuMs))) / 1000,
      extrapolated: needed.turns > turns.length,
      how: needed.how,
    };
    console.log(`  ${title}: ${time(result)} (${needed.how})`);
    return result;
  });
}

const time = ({ seconds, extrapolated }: Result) => `${extrapolated ? '≈ ' : ''}${duration(seconds)}`;

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
        results.push(...(await compare(setting, chosen, { repeats, seconds, threads }, versions)));
        // After every network, so that a run that is cut short leaves what it has.
        await writeReport(out, 'one-percent', lines(), onePercentChart(results));
      }
      model.dispose();
    }
    tf.dispose([images, labels]);
  },
);
