/**
 * Writes what docs/speed.md, docs/optimizers.md and docs/coverage.md tell of costs and errors, in tables and a sentence, from the
 * reports of the benchmarks; a test holds them to those.
 *
 * usage: npx tsx scripts/speed-tables.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

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

/** The largest number of images of every network: what ours took, and how many times that the others did. */
function kernel(): string {
  const [times, ratios] = tablesOf(report('kernel')) as [string[][], string[][]];
  const settings = ratios[0]!.slice(1);
  const largest = settings.flatMap((setting, i) =>
    settings[i + 1]?.split(',')[0] === setting.split(',')[0] ? [] : [i + 1],
  );
  const row = ([title, ...cells]: readonly string[]) => [title!, ...largest.map((i) => cells[i - 1]!)];
  const ours = row(times[1]!).map((cell, i) => (i === 0 ? cell : `${cell.split(' ')[0]} ms`));
  return markdown([row(ratios[0]!), ours, ...ratios.slice(2).map(row)]);
}

/** Of every network, the one that was trained longest. */
function onePercent(): string {
  const text = report('one-percent');
  const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title!);
  const tables = tablesOf(text);
  const longest = new Map(titles.map((title, i) => [title.split(',')[0]!, i]));
  const chosen = [...longest.values()];
  const rows = tables[0]!.slice(1).map(([title], row) => [
    title!,
    ...chosen.map((i) => {
      const [, time, timesOurs] = tables[i]![row + 1]!;
      return `${time}, ${timesOurs!.replaceAll('*', '').split(' ')[0]} x`;
    }),
  ]);
  return markdown([['', ...chosen.map((i) => titles[i]!)], ...rows]);
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

/** What each page has between its markers. */
const blocks: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/speed.md': { kernel, 'one-percent': onePercent, overhead },
  'docs/optimizers.md': { penalty },
  'docs/coverage.md': { coverage },
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
