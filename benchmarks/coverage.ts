/**
 * Whether the errors that sampled readings state are true, on networks that hide their curvature in few samples and on trained
 * ones: readings with many seeds against the exact value. Writes `coverage.md`, and with --json what it is made of.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../examples/shared/command-line.js';
import { backendVersion, startBackend } from './backend.js';
import { coverageNetworks } from './coverage-networks/index.js';
import { record } from './coverage-replay.js';
import { coverageReport, methods, type NetworkCoverage, percent } from './coverage-report.js';
import { type Coverage, coverageOf } from './coverage-study.js';
import { named } from './named.js';
import { digits, load, machine, resultsFolder, writeReport } from './report.js';

const usage = `usage: npm run bench:coverage -- [options]

How often what sampled readings state of their errors is true, over many seeds and networks.

  --readings N    seeds for each network and method (default 200)
  --kinds LIST    of networks: some of ${Object.keys(coverageNetworks).join(',')} (default: all)
  --only TEXT     only networks whose name contains this
  --seed N        of the networks; readings have the seeds 1, 2, ... (default 1)
  --backend NAME  tensorflow (tfjs-node), wasm or cpu (default tensorflow)
  --quick         20 seeds of the first network of each kind
  --json          write coverage.json too
  --out FOLDER    where the report goes (default ${resultsFolder})
  --help          show this text`;

const defaults = {
  readings: 200,
  kinds: Object.keys(coverageNetworks).join(','),
  only: '',
  seed: 1,
  backend: 'tensorflow',
  quick: false as const,
  json: false as const,
  out: resultsFolder,
};

await runWithOptions(usage, defaults, ['tensorflow', 'wasm', 'cpu'], async (options) => {
  const { kinds, only, seed, backend, quick, json, out } = options;
  const readings = quick ? 20 : options.readings;
  if (!(await startBackend(backend))) {
    throw new Error(`The backend ${backend} does not start.`);
  }
  const before = load();
  const rows: NetworkCoverage[] = [];
  for (const kind of named('kinds', kinds, Object.keys(coverageNetworks))) {
    const chosen = coverageNetworks[kind]!.filter(({ name }) => name.includes(only)).slice(0, quick ? 1 : undefined);
    for (const { name, build } of chosen) {
      const start = performance.now();
      const { model, inputs, options: measured } = await build(seed);
      const recording = await record(model, inputs, measured);
      const of: Record<string, Coverage> = {};
      for (const [title, method] of Object.entries(methods)) {
        of[title] = await coverageOf(recording, method, readings);
      }
      rows.push({ kind, name, truth: recording.truth, pairs: recording.batch.sizes.length, of });
      const words = Object.entries(of).map(
        ([title, { reliable, covered, worst }]) =>
          `${title} ${percent(reliable)} ${percent(covered)} ${percent(worst)}`,
      );
      console.log(`${kind}: ${name}: ${words.join(', ')}; ${digits((performance.now() - start) / 1000)} s`);
      tf.dispose(inputs as tf.Tensor);
      model.dispose();
    }
  }
  if (rows.length === 0) {
    throw new Error(`--only must be part of a network's name, not '${only}'.`);
  }
  const run = [
    machine({ 'tf.js': tf.version_core, backend: backendVersion() }),
    `Load average (1 minute): ${before} at the start, ${load()} at the end.`,
  ];
  await writeReport(out, 'coverage', coverageReport(rows, run));
  if (json) {
    mkdirSync(out, { recursive: true });
    writeFileSync(resolve(out, 'coverage.json'), `${JSON.stringify(rows, null, 1)}\n`);
  }
});
