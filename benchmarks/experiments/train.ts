/**
 * Trains the networks of an experiment. Each adds one line to the experiment's file when it is done; a run that was cut off goes on with
 * the network that it was at. Those of the paper's experiment leave their weights in `.cache/experiments`.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithOptions } from '../../examples/shared/command-line.js';
import { startBackend } from '../backend.js';
import { addLine, readLines } from '../json-lines.js';
import { named } from '../named.js';
import { duration } from '../report.js';
import type { Weights } from '../trained-network.js';
import { grid, nameOf } from './grid.js';
import { architectures } from './networks.js';
import { oneThread } from './one-thread.js';
import { resultsFolder, sweepFile, trainingsFile, weightsFile, weightsFolder } from './places.js';
import { datasets, sweep, sweepName, trainSweep } from './sweep.js';
import { type Snapshot, train } from './training.js';

/** A network that can be trained. */
interface Job {
  readonly name: string;
  readonly part: string;
  /** @param keep gets the weights of every snapshot. */
  readonly train: (
    keep: (epoch: number, weights: Weights) => void,
  ) => Promise<{ readonly snapshots: readonly Snapshot[] }>;
}

/** Experiments: their files, the parts that processes may share out, their networks, and the names of those in the lines. */
const experiments = {
  labels: {
    file: trainingsFile,
    parts: architectures as readonly string[],
    keepsWeights: true,
    jobs: () =>
      grid().map((each): Job => ({ name: nameOf(each), part: each.architecture, train: (keep) => train(each, keep) })),
    done: (file: string): string[] => readLines<Parameters<typeof nameOf>[0]>(file).map(nameOf),
  },
  sweep: {
    file: sweepFile,
    parts: datasets as readonly string[],
    keepsWeights: false,
    jobs: () =>
      sweep().map((each): Job => ({ name: sweepName(each), part: each.dataset, train: () => trainSweep(each) })),
    done: (file: string): string[] => readLines<Parameters<typeof sweepName>[0]>(file).map(sweepName),
  },
};

const usage = `usage: npm run experiments:train -- [options]

Trains the networks of an experiment that are not there yet, one after the other.

  --experiment NAME labels, the paper's experiment on shuffled labels, or sweep, of learning rates, optimizers and more (default labels)
  --most N          at most N of them (default: all)
  --only NAMES      which of ${architectures.join(', ')}, in the sweep of ${datasets.join(', ')}, with commas between (default: all);
                    processes may share them out
  --weights FOLDER  where the weights of the paper's experiment go (default ${weightsFolder})
  --out FOLDER      where the lines go (default ${resultsFolder})
  --backend NAME    tensorflow, which is tfjs-node, or wasm, for networks without convolutions (default tensorflow)
  --help            show this text`;

const defaults = {
  experiment: 'labels',
  most: 1_000_000,
  only: 'all',
  weights: weightsFolder,
  out: resultsFolder,
  backend: 'tensorflow',
};

await runWithOptions(
  usage,
  defaults,
  ['tensorflow', 'wasm'],
  async ({ experiment, most, only, weights, out, backend }) => {
    oneThread();
    if (!(await startBackend(backend))) {
      throw new Error(`The backend ${backend} does not start.`);
    }
    const [name] = named('experiment', experiment, Object.keys(experiments) as (keyof typeof experiments)[]);
    const { parts, keepsWeights, jobs, done, ...places } = experiments[name!];
    const chosenParts = only === 'all' ? parts : named('only', only, parts);
    const file = join(out, places.file);
    const isDone = new Set(done(file));
    const chosen = jobs()
      .filter((job) => chosenParts.includes(job.part) && !isDone.has(job.name))
      .slice(0, most);
    const start = performance.now();
    for (const [i, { name, train }] of chosen.entries()) {
      const folder = join(weights, name);
      const unfinished = `${folder}.unfinished`;
      const before = process.cpuUsage();
      const training = await (keepsWeights ? keeping(unfinished, train) : train(() => {}));
      const { user, system } = process.cpuUsage(before);
      if (keepsWeights) {
        rmSync(folder, { recursive: true, force: true });
        renameSync(unfinished, folder);
      }
      addLine(file, training);
      const last = training.snapshots.at(-1)!;
      const each = (performance.now() - start) / 1000 / (i + 1);
      console.log(
        `${name}: loss ${last.loss}, test accuracy ${last.testAccuracy}, MS ${last.minimumSharpness}; ` +
          `${((user + system) / 1e6).toFixed(1)} s of processor time, ${duration(each)} each, ${duration(each * (chosen.length - i - 1))} left`,
      );
    }
  },
);

/** Trains with the weights of every snapshot in a folder. */
function keeping(folder: string, train: Job['train']) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return train((epoch, values) => writeFileSync(weightsFile(folder, epoch), values));
}
