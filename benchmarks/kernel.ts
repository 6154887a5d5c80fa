/**
 * What an exact reading takes, against what PyTorch's packages take for the same trace: same networks, weights and images,
 * each contestant in a process of its own, taking turns. Prints tables and writes them to `benchmarks/results/kernel.md`, with
 * a chart in `kernel.svg`.
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { howTurnsAreTaken } from './child.js';
import { kernelChart } from './kernel-chart.js';
import {
  type Contestant,
  compare,
  ours,
  peer,
  python,
  type Result,
  type Setting,
  WARM_UP_MS,
  WARM_UP_TURNS,
  write,
} from './kernel-turns.js';
import { named } from './named.js';
import { type NetworkName, networkNames } from './networks.js';
import { machine, resultsFolder, writeReport } from './report.js';
import { median, quantile } from './statistics.js';

const usage = `usage: npm run bench:kernel -- [options]

Times exact readings of Minimum Sharpness and the traces of BackPACK, curvlinops, PyHessian and the paper's algorithm, which
scripts/peers-venv.sh installs.

  --networks NAMES  which of ${networkNames.join(', ')}, with commas between (default: all)
  --only NAMES      which contestants, with commas between (default: all)
  --repeats N       how often the contestants take turns, after turns that do not count (default 5)
  --limit S         a contestant whose first turn takes longer does not go on, and turns take no longer together (default 20)
  --threads N       threads of every contestant (default: as many as there are cores)
  --no-peers        without PyTorch's packages
  --quick           2 turns, --limit 5, the largest number of images of each network
  --out FOLDER      where the report goes (default ${resultsFolder})
  --help            show this text`;

/** Numbers of images. */
const imageCounts: Record<NetworkName, readonly number[]> = {
  SmallMLP: [10, 100, 1000],
  SmallCNN: [10, 100, 1000],
  LeNet: [100, 256],
  MLP: [100, 256],
};

const contestants: readonly Contestant[] = [
  ours('tensorflow', 'tfjs-sharpness, native'),
  ours('wasm', 'tfjs-sharpness, wasm'),
  ours('cpu', 'tfjs-sharpness, cpu'),
  peer('backpack-exact', 'BackPACK, DiagGGNExact', true),
  peer('backpack-mc', 'BackPACK, DiagGGNMC (1 draw)', false),
  peer('paper', "the paper's algorithm", true),
  peer('curvlinops-hutchinson', 'curvlinops, 100 GGN products', false),
  peer('pyhessian', 'PyHessian, at most 100 products', false),
  peer('curvlinops-basis', 'curvlinops, all basis vectors', true),
  peer('double-backprop', 'diagonal by double backprop', true),
];

function options() {
  const { values } = parseArgs({
    options: {
      networks: { type: 'string', default: networkNames.join() },
      only: { type: 'string', default: contestants.map(({ id }) => id).join() },
      repeats: { type: 'string' },
      limit: { type: 'string' },
      threads: { type: 'string', default: `${os.cpus().length}` },
      'no-peers': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      out: { type: 'string', default: resultsFolder },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const whole = (name: string, text: string) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) {
      throw new Error(`--${name} must be a whole number of at least 1, but it is '${text}'.`);
    }
    return value;
  };
  const ids = named(
    'only',
    values.only,
    contestants.map(({ id }) => id),
  );
  const networks = named('networks', values.networks, networkNames);
  return {
    networks: networkNames.filter((name) => networks.includes(name)),
    chosen: contestants.filter(({ id, isPeer }) => ids.includes(id) && !(isPeer && values['no-peers'])),
    repeats: whole('repeats', values.repeats ?? (values.quick ? '2' : '5')),
    limitMs: 1000 * whole('limit', values.limit ?? (values.quick ? '5' : '20')),
    threads: whole('threads', values.threads),
    quick: values.quick,
    out: values.out,
    help: values.help,
  };
}

const versions: Record<string, string> = {};

const digits = (ms: number) => (ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0));

function tables(results: readonly Result[]): string[] {
  const settings = [...new Set(results.map(({ setting }) => setting))];
  const used = [...new Set(results.map(({ contestant }) => contestant))];
  const of = (setting: Setting, contestant: Contestant) =>
    results.find((each) => each.setting === setting && each.contestant === contestant) as Result;
  const base = used[0] as Contestant;
  const medianOf = ({ repetitions }: Result, key: 'ms' | 'cpuMs' = 'ms') => median(repetitions.map((r) => r[key]));
  const table = (header: readonly string[], cell: (result: Result, base: Result) => string) => [
    `| ${header.join(' | ')} |`,
    `| ${header.map(() => '---').join(' | ')} |`,
    ...used.map((contestant) => {
      const cells = settings.map((setting) => {
        const result = of(setting, contestant);
        return result.repetitions.length > 0 ? cell(result, of(setting, base)) : (result.absent ?? '-');
      });
      return `| ${contestant.title} | ${cells.join(' | ')} |`;
    }),
  ];
  const header = ['', ...settings.map(({ network, samples }) => `${network}, ${samples}`)];
  return [
    '## Milliseconds',
    '',
    'Medians, in brackets the quartiles.',
    '',
    ...table(header, (result) => {
      const [low, high] = [0.25, 0.75].map((q) =>
        quantile(
          result.repetitions.map(({ ms }) => ms),
          q,
        ),
      ) as [number, number];
      return `${digits(medianOf(result))} (${digits(low)} to ${digits(high)})`;
    }),
    '',
    `## Times of ${base.title}`,
    '',
    `Medians over that of ${base.title}: of the time, and in brackets of the processor time of all threads.`,
    '',
    ...table(header, (result, own) => {
      const [wall, cpu] = (['ms', 'cpuMs'] as const).map((key) => medianOf(result, key) / medianOf(own, key));
      return `**${times(wall as number)}** (${times(cpu as number)})`;
    }),
    '',
    '## Traces',
    '',
    `Relative deviation from the trace that ${base.title} finds.`,
    '',
    ...table(header, ({ deviation, contestant }) =>
      contestant.exact
        ? Math.abs(deviation as number).toExponential(0)
        : `${(100 * (deviation as number)).toFixed(1)}%`,
    ),
  ];
}

const times = (ratio: number) => (ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0));

async function run({
  networks,
  chosen,
  repeats,
  limitMs,
  threads,
  quick,
  out,
}: ReturnType<typeof options>): Promise<void> {
  if (chosen.some(({ isPeer }) => isPeer) && !existsSync(python)) {
    throw new Error('The packages to compare with are not there: run scripts/peers-venv.sh once.');
  }
  await tf.setBackend('cpu');
  const results: Result[] = [];
  const loads: number[] = [];
  for (const name of networks) {
    for (const samples of quick ? imageCounts[name].slice(-1) : imageCounts[name]) {
      console.log(`${name}, ${samples} images`);
      const setting = { network: name, samples, folder: await write(name, samples) };
      loads.push(os.loadavg()[0] as number);
      const found = await compare(setting, chosen, { repeats, limitMs, threads }, versions);
      for (const { contestant, repetitions, absent } of found) {
        const spent = repetitions.length > 0 ? `${digits(median(repetitions.map(({ ms }) => ms)))} ms` : absent;
        console.log(`  ${contestant.title}: ${spent}`);
      }
      results.push(...found);
    }
  }
  const lines = [
    '# The trace of the loss Hessian, against PyTorch',
    '',
    'One turn of ours is `measureSharpness`, exact, from the images to the reading; one turn of the others gives the trace',
    'alone. All get the same weights and MNIST images, and their traces agree (last table). Every contestant runs in a',
    `process of its own, with ${threads} ${threads === 1 ? 'thread' : 'threads'}; they take turns, ${repeats} each`,
    `(fewer where ${limitMs / 1000} s would not do), after ${WARM_UP_MS / 1000} s or ${WARM_UP_TURNS} repetitions that do not count.`,
    howTurnsAreTaken,
    '',
    machine(versions),
    `Load average (1 minute) at the start of each column: ${loads.map((load) => load.toFixed(1)).join(', ')}.`,
    '',
    '![Time of one reading](kernel.svg)',
    '',
    ...tables(results),
  ];
  console.log(lines.slice(-tables(results).length).join('\n'));
  await writeReport(out, 'kernel', lines, kernelChart(results));
}

try {
  const chosen = options();
  if (chosen.help) {
    console.log(usage);
  } else {
    await run(chosen);
  }
} catch (error) {
  console.error(`${(error as Error).message} (npm run bench:kernel -- --help lists the options)`);
  process.exitCode = 1;
}
