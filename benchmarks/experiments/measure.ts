/**
 * Measures what the lines of the trainings do not have, from the weights that were kept: a line for each snapshot and measure, added to
 * `measures.jsonl`. What is there already is not measured again, so a measure that is new in `measures.ts` needs this only.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../../examples/shared/command-line.js';
import { startBackend } from '../backend.js';
import { addLine, readLines } from '../json-lines.js';
import { named } from '../named.js';
import { floats, setWeights } from '../trained-network.js';
import { nameOf, type Setting } from './grid.js';
import { measures } from './measures.js';
import { oneThread } from './one-thread.js';
import { measuresFile, resultsFolder, trainingsFile, weightsFile, weightsFolder } from './places.js';
import { compiledNetwork, type Training, trainingSamples } from './training.js';

const usage = `usage: npm run experiments:measure -- [options]

Measures the snapshots of trained networks for which it has not been done.

  --only NAMES      which of ${Object.keys(measures).join(', ')}, with commas between (default: all)
  --last            the last snapshot of every network only
  --most N          at most N lines (default: all)
  --weights FOLDER  where the weights are (default ${weightsFolder})
  --out FOLDER      where the lines are (default ${resultsFolder})
  --backend NAME    tensorflow, which is tfjs-node, or wasm (default tensorflow)
  --help            show this text`;

const defaults = {
  only: Object.keys(measures).join(),
  last: false as const,
  most: 1_000_000,
  weights: weightsFolder,
  out: resultsFolder,
  backend: 'tensorflow',
};

/** One line: a measure of a network after an epoch. */
export interface Measured extends Setting {
  readonly epoch: number;
  readonly measure: string;
  readonly values: Readonly<Record<string, number>>;
}

const keyOf = (line: Setting & { readonly epoch: number; readonly measure: string }) =>
  `${nameOf(line)} ${line.epoch} ${line.measure}`;

await runWithOptions(usage, defaults, ['tensorflow', 'wasm'], async (options) => {
  const { only, last, most, weights, out, backend } = options;
  oneThread();
  if (!(await startBackend(backend))) {
    throw new Error(`The backend ${backend} does not start.`);
  }
  const names = named('only', only, Object.keys(measures));
  const file = join(out, measuresFile);
  const done = new Set(readLines<Measured>(file).map(keyOf));
  let left = most;
  for (const { snapshots, ...setting } of readLines<Training>(join(out, trainingsFile))) {
    const folder = join(weights, nameOf(setting));
    const missing = (last ? snapshots.slice(-1) : snapshots)
      .flatMap(({ epoch }) => names.map((measure) => ({ ...setting, epoch, measure })))
      .filter((line) => !done.has(keyOf(line)))
      .slice(0, left);
    if (missing.length === 0) {
      continue;
    }
    if (!existsSync(folder)) {
      console.log(`${nameOf(setting)}: no weights in ${weights}`);
      continue;
    }
    const samples = trainingSamples(setting);
    const model = compiledNetwork(setting, tf.train.sgd(setting.rate));
    for (const line of missing) {
      setWeights(model, floats(weightsFile(folder, line.epoch)));
      const values = Object.entries(await measures[line.measure]!(model, samples));
      const rounded = Object.fromEntries(values.map(([name, value]) => [name, Number(value.toPrecision(6))]));
      addLine(file, { ...line, values: rounded });
    }
    console.log(`${nameOf(setting)}: ${missing.length} lines`);
    left -= missing.length;
    model.optimizer.dispose();
    model.dispose();
    tf.dispose([samples.images, samples.labels]);
  }
});
