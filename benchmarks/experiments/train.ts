/**
 * Trains the networks of the paper's experiment on shuffled labels. Each adds one line to `trainings.jsonl` when it is done, and leaves
 * its weights in `.cache/experiments`; a run that was cut off goes on with the network that it was at.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithOptions } from '../../examples/shared/command-line.js';
import { startBackend } from '../backend.js';
import { addLine, readLines } from '../json-lines.js';
import { named } from '../named.js';
import { duration } from '../report.js';
import { grid, nameOf } from './grid.js';
import { architectures } from './networks.js';
import { oneThread } from './one-thread.js';
import { resultsFolder, trainingsFile, weightsFile, weightsFolder } from './places.js';
import { type Training, train } from './training.js';

const usage = `usage: npm run experiments:train -- [options]

Trains the networks of the experiment that are not there yet, one after the other.

  --most N          at most N of them (default: all)
  --only NAMES      which of ${architectures.join(', ')}, with commas between (default: all); processes may share them out
  --weights FOLDER  where their weights go (default ${weightsFolder})
  --out FOLDER      where the lines go (default ${resultsFolder})
  --backend NAME    tensorflow, which is tfjs-node, or wasm, for networks without convolutions (default tensorflow)
  --help            show this text`;

const defaults = {
  most: 1_000_000,
  only: architectures.join(),
  weights: weightsFolder,
  out: resultsFolder,
  backend: 'tensorflow',
};

await runWithOptions(usage, defaults, ['tensorflow', 'wasm'], async ({ most, only, weights, out, backend }) => {
  oneThread();
  if (!(await startBackend(backend))) {
    throw new Error(`The backend ${backend} does not start.`);
  }
  const chosenArchitectures = named('only', only, architectures);
  const file = join(out, trainingsFile);
  const done = new Set(readLines<Training>(file).map(nameOf));
  const chosen = grid()
    .filter((setting) => chosenArchitectures.includes(setting.architecture) && !done.has(nameOf(setting)))
    .slice(0, most);
  const start = performance.now();
  for (const [i, setting] of chosen.entries()) {
    const name = nameOf(setting);
    const unfinished = join(weights, `${name}.unfinished`);
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const before = process.cpuUsage();
    const training = await train(setting, (epoch, values) => writeFileSync(weightsFile(unfinished, epoch), values));
    const { user, system } = process.cpuUsage(before);
    const folder = join(weights, name);
    if (existsSync(folder)) {
      rmSync(folder, { recursive: true });
    }
    renameSync(unfinished, folder);
    addLine(file, training);
    const last = training.snapshots.at(-1)!;
    const each = (performance.now() - start) / 1000 / (i + 1);
    console.log(
      `${name}: loss ${last.loss}, test accuracy ${last.testAccuracy}, MS ${last.minimumSharpness}; ` +
        `${((user + system) / 1e6).toFixed(0)} s of processor time, ${duration(each)} each, ${duration(each * (chosen.length - i - 1))} left`,
    );
  }
});
