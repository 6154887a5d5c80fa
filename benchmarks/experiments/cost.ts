/**
 * The paper's table of cost: the diagonal of the Hessian by double backprop, its fast trace, and ours, on the same weights and images,
 * with one thread each. Adds a line for each to `costs.jsonl`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../../examples/shared/command-line.js';
import { addLine, readLines } from '../json-lines.js';
import { compare, ours, peer, python, write } from '../kernel-turns.js';
import { network } from '../networks.js';
import { load, machine } from '../report.js';
import { costsFile, resultsFolder } from './places.js';

const usage = `usage: npm run experiments:cost -- [options]

Measures what is missing of the paper's table of cost. scripts/peers-venv.sh installs PyTorch.

  --repeats N   how often the ways take turns (default 5)
  --limit S     a way whose first turn takes longer is timed on some of the weights only (default 120)
  --out FOLDER  where the lines go (default ${resultsFolder})
  --help        show this text`;

const defaults = { repeats: 5, limit: 120, out: resultsFolder, backend: 'tensorflow' };

/** One line: a way to the trace, on a network and so many images. */
export interface Cost {
  readonly network: string;
  readonly images: number;
  readonly way: string;
  /** All weights of the network, and those that were done. */
  readonly weights: number;
  readonly done: number;
  /** Milliseconds of each repetition: processor time, user and system, and by the clock. */
  readonly cpuMs: readonly number[];
  readonly ms: readonly number[];
  /** Of the last repetition; null where only some of the weights were done. */
  readonly trace: number | null;
  readonly load: string;
  readonly machine: string;
}

const keyOf = ({ network: name, images, way }: Pick<Cost, 'network' | 'images' | 'way'>) => `${name} ${images} ${way}`;

/** Those of `double-backprop-sample`. */
const SAMPLED_WEIGHTS = 100;

const ways = [
  ours('tensorflow', 'tfjs-sharpness'),
  peer('paper', "the paper's fast trace", true),
  peer('double-backprop', 'diagonal by double backprop', true),
  peer('double-backprop-sample', 'diagonal by double backprop', false),
];

await runWithOptions(usage, defaults, ['tensorflow'], async ({ repeats, limit, out }) => {
  if (!existsSync(python)) {
    throw new Error('PyTorch is not there: run scripts/peers-venv.sh once.');
  }
  await tf.setBackend('cpu');
  const file = join(out, costsFile);
  const done = new Set(readLines<Cost>(file).map(keyOf));
  for (const name of ['SmallMLP', 'SmallCNN'] as const) {
    const model = await network(name);
    const weights = model.countParams();
    model.dispose();
    for (const images of [10, 100, 1000]) {
      const missing = ways.filter(({ title }) => !done.has(keyOf({ network: name, images, way: title })));
      if (missing.length === 0) {
        continue;
      }
      const versions: Record<string, string> = {};
      const before = load();
      const setting = { network: name, samples: images, folder: await write(name, images) };
      const limits = { repeats, limitMs: 1000 * limit, threads: 1 };
      const found = await compare(setting, missing, limits, versions);
      const isWhole = ({ contestant, repetitions }: (typeof found)[number]) =>
        contestant.id === 'double-backprop' && repetitions.length > 0;
      const shown = found.filter(
        (result) => result.repetitions.length > 0 && !(found.some(isWhole) && result.contestant.id.endsWith('-sample')),
      );
      for (const { contestant, repetitions } of shown) {
        const isSample = contestant.id.endsWith('-sample');
        const line: Cost = {
          network: name,
          images,
          way: contestant.title,
          weights,
          done: isSample ? SAMPLED_WEIGHTS : weights,
          cpuMs: repetitions.map(({ cpuMs }) => Number(cpuMs.toPrecision(4))),
          ms: repetitions.map(({ ms }) => Number(ms.toPrecision(4))),
          trace: isSample ? null : repetitions.at(-1)!.trace,
          load: before,
          machine: machine(versions),
        };
        addLine(file, line);
        console.log(
          `${name}, ${images} images, ${contestant.title}: ${line.cpuMs[0]} ms for ${line.done} of ${weights} weights`,
        );
      }
    }
  }
});
