/**
 * What the five largest eigenvalues cost, ours from drawn pairs beside those of PyHessian, and how far they are from those of Lanczos'
 * algorithm in float64. Writes `benchmarks/results/eigenvalues.md`.
 */
import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../examples/shared/command-line.js';
import { eigenvalueDeviation } from './eigenvalue-deviation.js';
import { type Contestant, compare, ours, peer, python, type Result, write } from './kernel-turns.js';
import { digits, load, machine, resultsFolder, table, writeReport } from './report.js';
import { median } from './statistics.js';

const usage = `usage: npm run bench:eigenvalues -- [options]

Times the largest eigenvalues of the Gauss-Newton matrix beside PyHessian's of the Hessian. scripts/peers-venv.sh installs PyTorch.

  --repeats N   how often the contestants take turns (default 5)
  --limit S     a contestant whose first turn takes longer does not go on, and turns take no longer together (default 60)
  --quick       2 turns, --limit 20
  --backend B   whose readings ours are: tensorflow (tfjs-node), which is the only one
  --out FOLDER  where the report goes (default ${resultsFolder})
  --help        show this text`;

const defaults = { repeats: 5, limit: 60, quick: false as const, out: resultsFolder, backend: 'tensorflow' };

/** Whose eigenvalues a contestant is after. */
const references = {
  'Gauss-Newton': peer('lanczos-gauss-newton', 'Lanczos, Gauss-Newton', false),
  Hessian: peer('lanczos-hessian', 'Lanczos, Hessian', false),
};

/** In the order of the tables; the first is what the others are divided by. */
const contestants: readonly { readonly of: keyof typeof references; readonly contestant: Contestant }[] = [
  ...[{}, { method: { pairs: 1024 } }].map((more, i) => ({
    of: 'Gauss-Newton' as const,
    contestant: ours('tensorflow', `tfjs-sharpness, ${i === 0 ? 'exact traces, 512 pairs' : '1,024 pairs'} or all`, {
      id: i === 0 ? 'default' : 'pairs',
      options: { eigenvalues: 5, ...more },
      exact: false,
    }),
  })),
  { of: 'Hessian', contestant: peer('pyhessian-eigenvalue', 'PyHessian, the largest alone', false) },
  { of: 'Hessian', contestant: peer('pyhessian-eigenvalues', 'PyHessian, five', false) },
  { of: 'Hessian', contestant: peer('pyhessian-eigenvalues-tight', 'PyHessian, five, to 1e-6', false) },
];

await runWithOptions(usage, defaults, ['tensorflow'], async ({ quick, out, ...given }) => {
  const { repeats, limit } = quick ? { repeats: 2, limit: 20 } : given;
  if (!existsSync(python)) {
    throw new Error('PyTorch is not there: run scripts/peers-venv.sh once.');
  }
  await tf.setBackend('cpu');
  const versions: Record<string, string> = {};
  const loads: string[] = [];
  const results: { readonly setting: string; readonly found: readonly Result[] }[] = [];
  for (const samples of [100, 1000]) {
    for (const network of ['SmallMLP', 'SmallCNN'] as const) {
      loads.push(load());
      const setting = { network, samples, folder: await write(network, samples) };
      const all = [...Object.values(references), ...contestants.map(({ contestant }) => contestant)];
      const limits = { repeats, limitMs: 1000 * limit, threads: 1 };
      const found = await compare(setting, all, limits, versions);
      // Of so few images every pair is taken: 9 of each.
      const pairs = 9 * samples <= 1024 ? ' (all pairs)' : '';
      results.push({ setting: `${network}, ${samples}${pairs}`, found });
      for (const { contestant, repetitions, absent } of found) {
        const cpuMs = repetitions.map((each) => each.cpuMs);
        console.log(`${network}, ${samples}, ${contestant.title}: ${absent ?? `${digits(median(cpuMs))} ms`}`);
      }
      // The last of them takes longest: who stops it has the others.
      await writeReport(out, 'eigenvalues', [
        '# The largest eigenvalues, against PyHessian',
        '',
        `Processor time with one thread, medians of ${repeats} turns or more; in brackets how many times ours. The networks have the weights`,
        `that they were given, as in kernel.md. Load average ${loads.join(', ')}: other programs ran on the cores.`,
        '',
        ...tableOf(results, costOf),
        '',
        'Relative deviation of the largest eigenvalue, and of the one of the five that is worst, from those that Lanczos finds in float64:',
        'ours from those of the Gauss-Newton matrix, PyHessian from those of the Hessian. Root mean square over the turns; ours draw other',
        'pairs in each.',
        '',
        ...tableOf(results, deviationOf),
        '',
        machine(versions),
      ]);
    }
  }
});

type Cell = (found: readonly Result[], place: number) => string;

function tableOf(results: readonly { readonly setting: string; readonly found: readonly Result[] }[], cell: Cell) {
  return table(
    ['', ...results.map(({ setting }) => setting)],
    contestants.map(({ contestant }, place) => [contestant.title, ...results.map(({ found }) => cell(found, place))]),
  );
}

function resultOf(found: readonly Result[], contestant: Contestant): Result {
  return found.find((each) => each.contestant === contestant)!;
}

function costOf(found: readonly Result[], place: number): string {
  const cost = ({ contestant }: (typeof contestants)[number]) =>
    median(resultOf(found, contestant).repetitions.map(({ cpuMs }) => cpuMs));
  const { absent } = resultOf(found, contestants[place]!.contestant);
  const ms = cost(contestants[place]!);
  return absent ?? (place === 0 ? `${digits(ms)} ms` : `${digits(ms)} ms (${digits(ms / cost(contestants[0]!))} x)`);
}

function deviationOf(found: readonly Result[], place: number): string {
  const { of, contestant } = contestants[place]!;
  const right = resultOf(found, references[of]).repetitions[0]?.values;
  const { repetitions, absent } = resultOf(found, contestant);
  const turns = repetitions.flatMap(({ values }) => (values ? [values] : []));
  return eigenvalueDeviation(turns, right) ?? absent ?? '-';
}
