/**
 * How much longer a training takes with the callback, by schedule: the same epochs from the same weights, each schedule in a
 * process of its own, taking turns. Writes `overhead.md` and `overhead.svg`.
 */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { runWithOptions } from '../examples/shared/command-line.js';
import { type Child, type Repetition, startChild } from './child.js';
import { named } from './named.js';
import { type NetworkName, networkNames } from './networks.js';
import { overheadChart } from './overhead-chart.js';
import { type MeasuredTraining, type ScheduleName, schedules } from './overhead-schedules.js';
import { digits, load, machine, resultsFolder, table, writeReport } from './report.js';
import { median } from './statistics.js';

const usage = `usage: npm run bench:overhead -- [options]

Training time with the callback over training time without it, by schedule.

  --networks NAMES  which of ${networkNames.join(', ')}, with commas between (default MLP,LeNet)
  --epochs N        epochs of one training (default 30, of LeNet and SmallCNN 20)
  --schedules NAMES which of ${Object.keys(schedules).slice(1).join(', ')}, with commas between (default: all)
  --turns N         how often the schedules take turns, after one epoch that does not count (default 5)
  --seconds N       no further turn of a network when so many seconds are over (default 300)
  --threads N       threads of every contestant (default: as many as there are cores)
  --backend NAME    tensorflow (tfjs-node), wasm or cpu (default tensorflow)
  --quick           400 images, 2 turns, MLP only
  --out FOLDER      where the report goes (default ${resultsFolder})
  --help            show this text`;

const defaults = {
  networks: '',
  epochs: 0,
  schedules: '',
  turns: 0,
  seconds: 300,
  threads: os.cpus().length,
  backend: 'tensorflow',
  quick: false as const,
  out: resultsFolder,
};

const epochsOf: Partial<Record<NetworkName, number>> = { LeNet: 20, SmallCNN: 20 };
const DEFAULT_EPOCHS = 30;

const script = fileURLToPath(new URL('overhead-training.ts', import.meta.url));
const START_MS = 180_000;
const TURN_MS = 600_000;

interface Training extends Repetition {
  readonly readings: number;
  /** Epochs without a reading, and readings that were given up because they took too long. */
  readonly givenUp: number;
  readonly readingMs: number;
}

/** What one schedule does to the training of one network. Overheads are shares of the training time, one a turn. */
export interface Result {
  readonly network: NetworkName;
  readonly title: string;
  readonly epochs: number;
  readonly seconds: number;
  readonly overheads: readonly number[];
  readonly cpuOverheads: readonly number[];
  /** Readings of one training, and the share of the time of their own that they took of the rest, median over turns. */
  readonly readings: number;
  readonly givenUp: number;
  readonly share: number;
}

interface Options {
  readonly epochs: number;
  readonly schedules: readonly ScheduleName[];
  readonly turns: number;
  readonly seconds: number;
  readonly threads: number;
  readonly backend: string;
}

async function compare(
  network: NetworkName,
  samples: number,
  { epochs: given, schedules: chosen, turns, seconds, threads, backend }: Options,
  versions: Record<string, string>,
): Promise<Result[]> {
  const epochs = given || (epochsOf[network] ?? DEFAULT_EPOCHS);
  const taking: { schedule: MeasuredTraining; child: Child<Training>; trainings: Training[] }[] = [];
  for (const name of chosen) {
    const schedule: MeasuredTraining = schedules[name];
    const args = ['--import', 'tsx', script, name, backend, network, `${samples}`];
    const child = await startChild<Training>(process.execPath, args, START_MS, threads);
    if ('infeasible' in child.ready) {
      throw new Error(`The backend ${backend} does not start: ${child.ready.infeasible}.`);
    }
    Object.assign(versions, child.ready.versions);
    taking.push({ schedule, child, trainings: [] });
  }
  try {
    const start = performance.now();
    for (let turn = 0; turn <= turns; turn++) {
      if (turn > 1 && performance.now() - start > 1000 * seconds) {
        break;
      }
      for (const { schedule, child, trainings } of taking) {
        const training = await child.repeat(TURN_MS, `${turn > 0 ? epochs : 1}`);
        if (!training) {
          throw new Error(`${schedule.title} did not train ${network}: ${child.complaint()}`);
        }
        if (turn > 0) {
          trainings.push(training);
        }
      }
    }
  } finally {
    await Promise.all(taking.map(({ child }) => child.stop()));
  }
  const [{ trainings: plain }] = taking as [(typeof taking)[number]];
  return taking.map(({ schedule: { title }, trainings }) => {
    const result = {
      network,
      title,
      epochs,
      seconds: median(trainings.map(({ ms }) => ms)) / 1000,
      overheads: trainings.map(({ ms }, i) => ms / plain[i]!.ms - 1),
      cpuOverheads: trainings.map(({ cpuMs }, i) => cpuMs / plain[i]!.cpuMs - 1),
      readings: median(trainings.map(({ readings }) => readings)),
      givenUp: median(trainings.map(({ givenUp }) => givenUp)),
      share: median(trainings.map(({ ms, readingMs }) => readingMs / (ms - readingMs))),
    };
    console.log(`  ${title}: ${digits(result.seconds)} s, ${percent(median(result.overheads))}`);
    return result;
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
const spread = (values: readonly number[]) =>
  `**${percent(median(values))}** (${percent(Math.min(...values))} to ${percent(Math.max(...values))})`;

/** Whether a share of 5% was kept to within a point. */
function verdict(results: readonly Result[]): string[] {
  const shares = results.filter(({ title }) => title === schedules.share.title);
  const parts = shares.map(({ network, share, givenUp, cpuOverheads }) => {
    const where = Math.abs(share - 0.05) <= 0.01 ? 'within a point' : share < 0.05 ? 'less' : 'MORE';
    return `${percent(share)} for ${network} (${where}; with what was given up, ${givenUp} times, ${percent(median(cpuOverheads))} of the processor time)`;
  });
  if (parts.length === 0) {
    return [];
  }
  const words = `\`{ overhead: 0.05 }\` allows readings 5.0% of the training time; they took ${parts.join(' and ')}.`;
  return [words];
}

await runWithOptions(usage, defaults, ['tensorflow', 'wasm', 'cpu'], async ({ quick, out, ...given }) => {
  const names = named('networks', given.networks || (quick ? 'MLP' : 'MLP,LeNet'), networkNames);
  const samples = quick ? 400 : 4000;
  const known = Object.keys(schedules) as ScheduleName[];
  const wanted = given.schedules ? named('schedules', given.schedules, known) : known;
  const options = {
    ...given,
    epochs: given.epochs || (quick ? 5 : 0),
    schedules: known.filter((name, i) => i === 0 || wanted.includes(name)),
    turns: given.turns || (quick ? 2 : 5),
  };
  const versions: Record<string, string> = {};
  const before = load();
  const results: Result[] = [];
  const lines = () => [
    '# What the callback adds to a training',
    '',
    `\`model.fit\` on ${samples} MNIST images in batches of 64 (Adam, categoricalCrossentropy) with`,
    '`minimumSharpness(options)`, against the same training without a callback. MLP is 784-512-128-512-10. Each schedule trains in a',
    `process of its own with ${options.threads} ${options.threads === 1 ? 'thread' : 'threads'}, from the same weights every time. They take turns, ${options.turns} times (fewer where ${options.seconds} s`,
    'are over): medians, in brackets the extremes. With `{ data }` the value speaks for all images, by default to 2%. "Readings\' share" is',
    'the time that the readings say that they took, over the rest of the training.',
    '',
    machine(versions),
    `Load average (1 minute): ${before} at the start, ${load()} at the end.`,
    '',
    '![Overhead by schedule](overhead.svg)',
    '',
    ...[...new Set(results.map(({ network }) => network))].flatMap((name) => [
      ...table(
        [name, 'epochs', 'training', 'readings', "readings' share", 'overhead', 'in processor time'],
        results
          .filter(({ network }) => network === name)
          .map(({ title, epochs, seconds, readings, share, overheads, cpuOverheads }, i) => [
            i === 0 ? title : `\`${title}\``,
            `${epochs}`,
            `${digits(seconds)} s`,
            ...(i === 0
              ? ['-', '-', '-', '-']
              : [`${readings}`, percent(share), spread(overheads), spread(cpuOverheads)]),
          ]),
      ),
      '',
    ]),
    ...verdict(results),
  ];
  for (const name of names) {
    console.log(name);
    results.push(...(await compare(name, samples, options, versions)));
    // After every network, so that a run that is cut short leaves what it has.
    await writeReport(out, 'overhead', lines(), overheadChart(results));
  }
});
