/**
 * Writes what docs/speed.md, docs/optimizers.md, docs/coverage.md, docs/top-eigenvalues.md and docs/early-stopping.md have measured, in tables and a
 * sentence, from the reports of the benchmarks; a test holds them to those.
 *
 * usage: npx tsx scripts/speed-tables.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type GpuReport, type GpuRow, gpuCell } from '../benchmarks/gpu-report.js';
import { digits } from '../benchmarks/report.js';
import { shownByPart } from '../benchmarks/stopping-report.js';

const report = (name: string) => readFileSync(new URL(`../benchmarks/results/${name}.md`, import.meta.url), 'utf8');

/** The tables of a report, as rows of cells; the first row is the header. */
function tablesOf(text: string): string[][][] {
  return [...text.matchAll(/(?:^\|.*\|\n)+/gm)].map(([table]) => {
    const [header, , ...rows] = table.trimEnd().split('\n');
    return [header!, ...rows].map((row) => row.slice(2, -2).split(' | '));
  });
}

function markdown(rows: readonly (readonly string[])[]): string {
  const [header, ...rest] = rows as [readonly string[], ...(readonly string[])[]];
  return [header, header.map(() => '---'), ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Columns of the table of speed: an exact reading of so many images, and the trace over 4,000 known to 1%. */
const exactOf = ['SmallMLP, 1000', 'SmallCNN, 1000', 'LeNet, 256', 'MLP, 256'] as const;
const onePercentOf = ['MLP, 60 epochs', 'LeNet, 20 epochs'] as const;

/** One row: cells of both kinds of columns, missing where it has no such figure. */
interface SpeedRow {
  readonly title: string;
  readonly exact?: readonly string[];
  readonly onePercent?: readonly string[];
}

/** What both reports of the processor call alike, by its name in kernel.md and in one-percent.md. */
const sameOnCpu: Readonly<Record<string, string>> = {
  'tfjs-sharpness, native': 'tfjs-sharpness, exact',
  'BackPACK, DiagGGNExact': 'BackPACK, DiagGGNExact',
  'BackPACK, DiagGGNMC (1 draw)': 'BackPACK, DiagGGNMC',
  'PyHessian, at most 100 products': 'PyHessian, products with random vectors',
};

/** The same on a GPU. */
const sameOnGpu: Readonly<Record<string, string>> = {
  'BackPACK, DiagGGNExact': 'BackPACK, DiagGGNExact',
  'BackPACK, DiagGGNMC (1 draw)': 'BackPACK, DiagGGNMC',
  'tfjs-sharpness, tfjs-node-gpu, exact': 'tfjs-sharpness, tfjs-node-gpu, exact',
  'tfjs-sharpness, WebGPU, exact': 'tfjs-sharpness, WebGPU, exact',
};

/** What is there for comparison only, and a second budget. */
const isAside = (title: string) => /predict|memoryMB|forward|minibatches|basis|double/.test(title);

/** Rows of one-percent.md for a row of kernel.md, and those that it alone has. */
function joined(exact: readonly SpeedRow[], onePercent: readonly SpeedRow[], same: Readonly<Record<string, string>>) {
  const isJoined = new Set(Object.values(same));
  const rows = exact.map((row) => ({
    ...row,
    onePercent: onePercent.find(({ title }) => title === same[row.title])?.onePercent,
  }));
  return [...rows, ...onePercent.filter(({ title }) => !isJoined.has(title))];
}

const dateOf = (text: string) =>
  /^Machine: (.*?), \w+ \w+, (\d{4}-\d\d-\d\d)\./m.exec(text) ?? ['', '2 cores', 'no date'];

/** What the processor took: the time, and how many times that of ours it is. */
function onCpu(): { title: string; rows: SpeedRow[] } {
  const text = report('kernel');
  const [times, ratios] = tablesOf(text) as [string[][], string[][]];
  const exact = times.slice(1).map(([title, ...cells], row) => ({
    title: title!,
    exact: exactOf.map((setting) => {
      const place = times[0]!.indexOf(setting);
      const [ms, rest] = cells[place - 1]!.split(' (');
      const ratio = /\*\*(.*)\*\*/.exec(ratios[row + 1]![place]!)?.[1];
      return rest === undefined ? ms! : row === 0 ? `${ms} ms` : `${ms} ms, ${ratio} x`;
    }),
  }));
  const onePercentText = report('one-percent');
  const titles = [...onePercentText.matchAll(/^## (.*)$/gm)].map(([, title]) => title!);
  const tables = onePercentOf.map((title) => tablesOf(onePercentText)[titles.indexOf(title)]!);
  const onePercent = tables[0]!.slice(1).map(([title], row) => ({
    title: title!,
    onePercent: tables.map((table) => {
      const [, time, timesOurs] = table[row + 1]!;
      return `${time}, ${timesOurs!.replaceAll('*', '').split(' ')[0]} x`;
    }),
  }));
  const [, machine, date] = dateOf(text);
  const [, , dateToOnePercent] = dateOf(onePercentText);
  const dates = date === dateToOnePercent ? date : `${date}; to 1%: ${dateToOnePercent}`;
  return { title: `CPU: ${machine}, ${dates}`, rows: joined(exact, onePercent, sameOnCpu) };
}

/** The same on a GPU, by tfjs-node-gpu and by WebGPU. */
function onGpu(): { title: string; rows: SpeedRow[] } {
  const found: GpuReport = JSON.parse(readFileSync(new URL('../benchmarks/results/gpu.json', import.meta.url), 'utf8'));
  const rowsOf = (part: GpuRow['part'], settings: readonly string[], nameOf: (row: GpuRow) => string) => {
    const rows = found.rows.filter((row) => row.part === part);
    const titles = [...new Set(rows.map(({ title }) => title))];
    return titles.map((title) => ({
      title,
      cells: settings.map((setting) => {
        const at = (each: string) => rows.find((row) => row.title === each && nameOf(row) === setting);
        const [row, ours] = [at(title), at(titles[0]!)];
        if (row?.ms === undefined) {
          return row?.absent?.startsWith('more than') ? row.absent : 'not measured';
        }
        const cell = gpuCell({ ...row, low: undefined, ms: +row.ms.toPrecision(3) });
        return ours?.ms === undefined || (row === ours && part === 'reading')
          ? cell
          : `${cell}, ${digits(row.ms / ours.ms)} x`;
      }),
    }));
  };
  const exact = rowsOf('reading', exactOf, ({ network, samples }) => `${network}, ${samples}`);
  const onePercent = rowsOf('one-percent', onePercentOf, ({ network, epochs }) => `${network}, ${epochs} epochs`);
  const unknown = onePercentOf.map(() => 'not measured');
  const rows = joined(
    exact.map(({ title, cells }) => ({ title, exact: cells })),
    onePercent.map(({ title, cells }) => ({ title, onePercent: cells })),
    sameOnGpu,
  ).map((row) => (row.title in sameOnGpu && !row.onePercent ? { ...row, onePercent: unknown } : row));
  return { title: `GPU: ${found.card}, ${found.date} (${found.package})`, rows };
}

/** One table of the processor, a GPU and WebGPU, beside PyTorch's packages. */
function speed(): string {
  const header = ['', ...exactOf, ...onePercentOf.map((title) => `${title}, to 1%`)];
  const body = [onCpu(), onGpu()].flatMap(({ title, rows }) => [
    [`**${title}**`, ...header.slice(1).map(() => '')],
    ...rows
      .filter((row) => !isAside(row.title))
      .map((row) => [
        row.title,
        ...(row.exact ?? exactOf.map(() => '-')),
        ...(row.onePercent ?? onePercentOf.map(() => '-')),
      ]),
  ]);
  return markdown([header, ...body]);
}

function overhead(): string {
  const tables = tablesOf(report('overhead'));
  const [first] = tables as [string[][]];
  const rows = first.slice(2).map(([title], row) => [
    title!,
    ...tables.flatMap((table) => {
      const [, , , readings, share] = table[row + 2]!;
      return [readings!, share!];
    }),
  ]);
  return markdown([
    ['', ...tables.flatMap(([header, [, epochs]]) => [`${header![0]}, ${epochs} epochs: readings`, 'their share'])],
    ...rows,
  ]);
}

/** What a step with the penalty takes in plain steps, over networks and backends. */
function penalty(): string {
  const rows = tablesOf(report('optimizers')).flatMap((table) => table.filter(([, name]) => name === 'penalty on MS'));
  const [large, small] = [256, 32].map((batch) => {
    const steps = rows.filter(([title]) => title!.endsWith(`batch ${batch}`));
    const ratios = steps.map((cells) => Number(/\*\*(.*?)\*\*/.exec(cells[3]!)![1]));
    return `${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}`;
  });
  const source = '[other networks](../benchmarks/results/optimizers.md)';
  return `In ${source} a step takes as long as ${large} plain ones on 256 images, and ${small} on 32.`;
}

/** Of every kind of network, to each tolerance: how many readings are reliable, and what these are worth. */
function coverage(): string {
  const text = report('coverage');
  const titles = [...text.matchAll(/^## `\{ tolerance: (.*) \}`$/gm)].map(
    ([, tolerance]) => `${Number(tolerance) * 100}%`,
  );
  const tables = tablesOf(text).slice(0, titles.length);
  const kindOf = (cells: readonly string[]) => cells[0]!.split(': ')[0]!;
  const kinds = [...new Set(tables[0]!.slice(1).map(kindOf))];
  const range = (cells: readonly string[]) => {
    const values = cells.filter((cell) => cell !== '-').map((cell) => Number.parseFloat(cell));
    const unit = cells.some((cell) => cell.endsWith('%')) ? '%' : '';
    return values.length === 0 ? '-' : `${Math.min(...values)} to ${Math.max(...values)}${unit}`;
  };
  const rows = kinds.flatMap((kind) =>
    tables.map(([, ...all], i) => {
      const rows = all.filter((cells) => kindOf(cells) === kind);
      const column = (place: number) => rows.map((cells) => cells[place]!);
      const holds = rows.filter((cells) => cells.at(-1) === 'yes').length;
      return [
        kind,
        titles[i]!,
        `${rows.length}`,
        range(column(1)),
        range(column(2)),
        range(column(4)),
        `${holds} of ${rows.length}`,
      ];
    }),
  );
  return markdown([
    [
      'networks',
      'tolerance',
      'how many',
      'reliable',
      'of these covered',
      'worst of these, in tolerances',
      'as promised',
    ],
    ...rows,
  ]);
}

/** What the largest eigenvalues cost beside PyHessian's, and how far both are off. */
function eigenvalues(): string {
  const text = report('eigenvalues');
  const [costs, deviations] = tablesOf(text) as [string[][], string[][]];
  const [, machine, date] = dateOf(text);
  const largest = costs.find(([title]) => title === 'PyHessian, the largest alone')!.slice(1);
  const times = largest.map((cell) => 1 / Number(/\((.*) x\)/.exec(cell)![1]));
  const cheaper = [Math.min(...times), Math.max(...times)]
    .map((value) => `${Number(value.toPrecision(2))}`)
    .join(' to ');
  return [
    `Processor time, and in brackets times of ours (${machine}, ${date}):`,
    markdown(costs),
    `The largest alone is ${cheaper} times cheaper by power iteration.`,
    'Off by, the largest and the worst of the five:',
    markdown(deviations),
  ].join('\n\n');
}

/** What ways of stopping lose, with the labels as they are and with many drawn anew. */
function stopping(): string {
  const [right, wrong] = tablesOf(report('stopping')).filter(([header]) => header![1] === 'epochs') as string[][][];
  const columns = (title: string, table: readonly string[][]) => {
    const [, epochs, , , lost, , , unbroken] = table.find(([first]) => first === title)!;
    return { epochs: epochs!, lost: lost!, unbroken: unbroken! };
  };
  const rows = shownByPart.map((title) => {
    const [asTheyAre, anew] = [columns(title, right!), columns(title, wrong!)];
    return [title, asTheyAre.epochs, asTheyAre.lost, asTheyAre.unbroken, anew.epochs, anew.lost];
  });
  return markdown([
    ['training ends by', 'right labels: epochs', 'lost', 'lost, unbroken', 'wrong labels: epochs', 'lost'],
    ...rows,
  ]);
}

/** How checkpoints are ranked, with the labels as they are and with many drawn anew. */
function checkpoints(): string {
  const [right, wrong] = tablesOf(report('stopping')).filter(
    ([header]) => header![1] === 'tau, all epochs',
  ) as string[][][];
  const rows = right!.slice(1).map(([title, all, , similar], row) => {
    const [, allAnew, , similarAnew] = wrong![row + 1]!;
    return [title!, all!, similar!, allAnew!, similarAnew!];
  });
  return markdown([
    ['', 'right labels: all epochs', 'epochs of similar loss', 'wrong labels: all epochs', 'epochs of similar loss'],
    ...rows,
  ]);
}

/** What each page has between its markers. */
const blocks: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/speed.md': { speed, overhead },
  'docs/optimizers.md': { penalty },
  'docs/coverage.md': { coverage },
  'docs/top-eigenvalues.md': { eigenvalues },
  'docs/early-stopping.md': { stopping, checkpoints },
};

export const measuredPages = Object.keys(blocks);

/** The text of a page with the tables as the reports have them now. */
export function withSpeedTables(page: string, text: string): string {
  return Object.entries(blocks[page]!).reduce((filled, [name, table]) => {
    const [begin, end] = [`<!-- ${name}: npx tsx scripts/speed-tables.ts -->`, `<!-- /${name} -->`];
    const [first, last] = [filled.indexOf(begin), filled.indexOf(end)];
    if (first < 0 || last < first) {
      throw new Error(`${page} lacks the markers ${begin} and ${end}.`);
    }
    return `${filled.slice(0, first + begin.length)}\n${table()}\n${filled.slice(last)}`;
  }, text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const page of measuredPages) {
    const file = new URL(`../${page}`, import.meta.url);
    writeFileSync(file, withSpeedTables(page, readFileSync(file, 'utf8')));
  }
}
