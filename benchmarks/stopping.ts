/**
 * When to stop: trainings over networks, learning rates, optimizers, seeds and label noise, each run once, and many criteria of early
 * stopping replayed on what they noted. Writes `stopping.jsonl`, a line as soon as a training ends, so that a run that was cut off goes
 * on where it was, and `stopping.md`.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../examples/shared/command-line.js';
import { backendVersion, startBackend } from './backend.js';
import { addLine, readLines } from './json-lines.js';
import { digits, duration, load, machine, resultsFolder, writeReport } from './report.js';
import { stoppingReport } from './stopping-report.js';
import { keyOf, settings, type Training, train } from './stopping-trainings.js';

const usage = `usage: npm run bench:stopping -- [options]

Which criterion of early stopping ends a training well, over 48 trainings a seed.

  --seeds N       initial weights and label noises (default 10)
  --most N        run at most N trainings more (default: all that are missing)
  --report        run none, and write the report of those that are there
  --backend NAME  tensorflow (tfjs-node) or wasm (default tensorflow)
  --quick         2 trainings, of one network
  --out FOLDER    where results go, and where those that are there already are looked for (default ${resultsFolder})
  --help          show this text`;

const defaults = {
  seeds: 10,
  most: 1_000_000,
  backend: 'tensorflow',
  report: false as const,
  quick: false as const,
  out: resultsFolder,
};

await runWithOptions(usage, defaults, ['tensorflow', 'wasm'], async (options) => {
  const { seeds, most, backend, report, quick, out } = options;
  if (!(await startBackend(backend))) {
    throw new Error(`The backend ${backend} does not start.`);
  }
  mkdirSync(out, { recursive: true });
  const file = resolve(out, 'stopping.jsonl');
  const trainings = readLines<Training>(file);
  const before = load();
  const start = performance.now();
  const grid = settings(quick ? 1 : seeds);
  const done = new Set(trainings.map(keyOf));
  const missing = grid.filter((setting) => !done.has(keyOf(setting)));
  const chosen = report ? [] : quick ? missing.filter(({ rate }) => rate === 0.05).slice(0, 2) : missing.slice(0, most);
  for (const [i, setting] of chosen.entries()) {
    const training = await train(setting);
    addLine(file, training);
    trainings.push(training);
    const each = (performance.now() - start) / 1000 / (i + 1);
    const last = training.testAccuracy.at(-1);
    console.log(`${keyOf(setting)}: test accuracy ${last}; ${duration(each * (chosen.length - i - 1))} left`);
  }
  const run = [machine({ 'tf.js': tf.version_core, backend: backendVersion() })];
  if (chosen.length > 0) {
    run.push(
      `Load average (1 minute): ${before} at the start, ${load()} at the end. The last run made ${chosen.length} of the trainings, in ` +
        `${digits((performance.now() - start) / 1000)} s.`,
    );
  }
  await writeReport(out, 'stopping', stoppingReport(trainings, run));
});
