/**
 * How time and memory of a reading grow with the samples, the classes, the width and the depth, exact and drawn by curvature,
 * each in a process of its own, taking turns. Writes `scaling.md` and `scaling.svg`.
 */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { runWithOptions } from '../examples/shared/command-line.js';
import { type Child, type Repetition, startChild } from './child.js';
import { digits, load, machine, resultsFolder, table, writeReport } from './report.js';
import { scalingChart } from './scaling-chart.js';
import { methods, type Setting, settingsOf, sweeps } from './scaling-sweeps.js';
import { median, powerLaw } from './statistics.js';

const usage = `usage: npm run bench:scaling -- [options]

Time and peak tensor memory of a reading against samples, classes, width and depth, with fitted exponents.

  --turns N       how often the two methods take turns, after one turn that does not count (default 5)
  --memory N      memoryMB of the readings (default 256)
  --threads N     threads of every contestant (default: as many as there are cores)
  --backend NAME  tensorflow (tfjs-node), wasm or cpu (default tensorflow)
  --quick         small settings, 2 turns
  --out FOLDER    where the report goes (default ${resultsFolder})
  --help          show this text`;

const defaults = {
  turns: 0,
  memory: 256,
  threads: os.cpus().length,
  backend: 'tensorflow',
  quick: false as const,
  out: resultsFolder,
};

const script = fileURLToPath(new URL('scaling-reading.ts', import.meta.url));
const TURN_MS = 600_000;
/** The tests hold the peak memory to so many times the bound. */
const MEMORY_MARGIN = 1.25;
/** Exponents are fitted to the largest settings, where constant costs weigh little. */
const FITTED = 4;

interface Reading extends Repetition {
  readonly peakMB: number;
}

/** One method at one setting. */
export interface Result {
  readonly axis: keyof Setting;
  readonly value: number;
  readonly title: string;
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMB: number;
}

async function measure(
  {
    turns,
    memory,
    threads,
    backend,
    quick,
  }: { turns: number; memory: number; threads: number; backend: string; quick: boolean },
  versions: Record<string, string>,
): Promise<Result[]> {
  const taking: { title: string; child: Child<Reading> }[] = [];
  for (const [name, { title }] of Object.entries(methods)) {
    const args = ['--import', 'tsx', script, name, backend, `${memory}`];
    const child = await startChild<Reading>(process.execPath, args, TURN_MS, threads);
    if ('infeasible' in child.ready) {
      throw new Error(`The backend ${backend} does not start: ${child.ready.infeasible}.`);
    }
    Object.assign(versions, child.ready.versions);
    taking.push({ title, child });
  }
  const results: Result[] = [];
  try {
    for (const axis of Object.keys(sweeps) as (keyof Setting)[]) {
      for (const setting of settingsOf(axis, quick)) {
        const peaks: number[] = [];
        const found = taking.map(() => [] as Reading[]);
        const ask = async ({ title, child }: (typeof taking)[number], watch: boolean) => {
          const reading = await child.repeat(TURN_MS, JSON.stringify({ setting, watch }));
          if (!reading) {
            throw new Error(`${title} failed at ${setting[axis]} ${axis}: ${child.complaint()}`);
          }
          return reading;
        };
        // The turn that warms up watches the memory.
        for (const each of taking) {
          peaks.push((await ask(each, true)).peakMB);
        }
        for (let turn = 0; turn < turns; turn++) {
          for (const [i, each] of taking.entries()) {
            found[i]!.push(await ask(each, false));
          }
        }
        for (const [i, { title }] of taking.entries()) {
          const [ms, cpuMs] = (['ms', 'cpuMs'] as const).map((key) => median(found[i]!.map((reading) => reading[key])));
          const result = { axis, value: setting[axis], title, ms: ms!, cpuMs: cpuMs!, peakMB: peaks[i]! };
          console.log(`${result.value} ${axis}, ${title}: ${digits(result.ms)} ms, ${digits(result.peakMB)} MB`);
          results.push(result);
        }
      }
    }
  } finally {
    await Promise.all(taking.map(({ child }) => child.stop()));
  }
  return results;
}

function tables(results: readonly Result[]): string[] {
  const titles = [...new Set(results.map(({ title }) => title))];
  const of = (axis: string, title: string) => results.filter((each) => each.axis === axis && each.title === title);
  const axes = [...new Set(results.map(({ axis }) => axis))];
  const fit = (axis: string, title: string, key: 'ms' | 'cpuMs') => {
    const last = of(axis, title).slice(-FITTED);
    const { exponent, standardError } = powerLaw(last.map((each) => ({ x: each.value, y: each[key] })));
    return `${exponent.toFixed(2)} ± ${standardError.toFixed(2)}`;
  };
  return [
    '## Exponents',
    '',
    `Time grows like this power, fitted to the ${FITTED} largest settings (fewer where there are fewer) by least squares on the logarithms, ±`,
    'one standard error; in brackets the same of the processor time.',
    '',
    ...table(
      ['', ...titles],
      axes.map((axis) => [
        axis,
        ...titles.map((title) => `**${fit(axis, title, 'ms')}** (${fit(axis, title, 'cpuMs')})`),
      ]),
    ),
    ...axes.flatMap((axis) => [
      '',
      `## ${axis[0]!.toUpperCase()}${axis.slice(1)}`,
      '',
      ...table(
        [axis, ...titles.flatMap((title) => [`${title}: time`, 'processor time', 'peak memory'])],
        of(axis, titles[0]!).map(({ value }, i) => [
          `${value}`,
          ...titles.flatMap((title) => {
            const { ms, cpuMs, peakMB } = of(axis, title)[i]!;
            return [`${digits(ms)} ms`, `${digits(cpuMs)} ms`, `${digits(peakMB)} MB`];
          }),
        ]),
      ),
    ]),
  ];
}

await runWithOptions(usage, defaults, ['tensorflow', 'wasm', 'cpu'], async ({ out, ...given }) => {
  const options = { ...given, turns: given.turns || (given.quick ? 2 : 5) };
  const versions: Record<string, string> = {};
  const before = load();
  const results = await measure(options, versions);
  const bound = MEMORY_MARGIN * options.memory;
  const peaks = (['samples', 'classes'] as const).map((axis) => {
    const value = Math.max(...results.filter((each) => each.axis === axis).map((each) => each.value));
    const peakMB = Math.max(
      ...results.filter((each) => each.axis === axis && each.value === value).map((each) => each.peakMB),
    );
    return `${digits(peakMB)} MB at ${value} ${axis}`;
  });
  const most = Math.max(...results.map(({ peakMB }) => peakMB));
  const memoryLine = `Peak extra tensor memory: ${peaks.join(', ')}, at most ${digits(most)} MB: ${most <= bound ? 'within' : 'ABOVE'} ${MEMORY_MARGIN} x memoryMB = ${digits(bound)} MB.`;
  console.log(memoryLine);
  const lines = [
    '# How a reading grows',
    '',
    `\`measureSharpness\` with memoryMB ${options.memory}, exact and with 512 pairs drawn by curvature, of a dense network on MNIST images (more than`,
    `4,000: repeated, with noise). Where it is not varied: ${options.quick ? '100 samples' : '1,000 samples, 100 where the classes are varied'}, 10 classes, 2 hidden`,
    `layers of 128 units; weights are not trained. The methods have a process each, with ${options.threads} ${options.threads === 1 ? 'thread' : 'threads'}, and take turns: medians`,
    `of ${options.turns} turns. Processor time is that of all threads. Memory is the most that lay in`,
    'tensors at any time of a reading above what lay there before, in units of 2^20 bytes.',
    '',
    machine(versions),
    `Load average (1 minute): ${before} at the start, ${load()} at the end.`,
    '',
    memoryLine,
    '',
    '![Time and memory by size](scaling.svg)',
    '',
    ...tables(results),
  ];
  await writeReport(out, 'scaling', lines, scalingChart(results));
  if (most > bound) {
    throw new Error(`A reading took ${digits(most)} MB, more than ${digits(bound)} MB.`);
  }
});
