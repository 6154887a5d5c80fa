import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { resolve } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { writeChart } from '../examples/shared/chart.js';

/** Where the benchmarks write unless told otherwise. */
export const resultsFolder = 'benchmarks/results';

/** A table in Markdown. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** Today, as 2026-11-26. */
export const today = () => new Date().toISOString().slice(0, 10);

/** The machine, the date, and the versions of what ran on it. */
export function machine(versions: Readonly<Record<string, string>>): string {
  const [{ model }] = os.cpus() as [os.CpuInfo];
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `Machine: ${os.cpus().length} cores of ${model}, ${os.type()} ${os.arch()}, ${today()}. Node ${process.versions.node}, ${named.join(', ')}.`;
}

/** How many processes waited for a core in the last minute, all programs counted. */
export const load = () => (os.loadavg()[0] as number).toFixed(1);

/** Writes `<name>.md`, and `<name>.svg` where there is a chart. */
export async function writeReport(
  folder: string,
  name: string,
  lines: readonly string[],
  chart?: TopLevelSpec,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, `${name}.md`), `${lines.join('\n')}\n`);
  if (chart) {
    await writeChart(chart, resolve(folder, `${name}.svg`));
  }
}

/** Three digits. */
export const digits = (value: number) =>
  value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 1
        ? value.toFixed(2)
        : value.toPrecision(2);

/** A number with so many decimals, and 0 without a sign; '-' where there is none. */
export const fixed = (value: number, decimals = 2) =>
  Number.isFinite(value) ? value.toFixed(decimals).replace(/^-(0(\.0+)?)$/, '$1') : '-';

/** A number with its interval, as a cell. */
export const withEnds = (value: number, [low, high]: readonly [low: number, high: number], decimals = 2) =>
  `${fixed(value, decimals)} (${fixed(low, decimals)} to ${fixed(high, decimals)})`;

/** In the largest unit of which there are two or more. */
export function duration(seconds: number): string {
  const units = [
    ['days', 86_400],
    ['h', 3600],
    ['min', 60],
  ] as const;
  const [unit, size] = units.find(([, each]) => seconds >= 2 * each) ?? ['s', 1];
  return `${digits(seconds / size)} ${unit}`;
}
