/**
 * Writes the figures, the tables of docs/what-sharpness-tells.md and docs/speed.md that come from the experiments, and all answers to
 * benchmarks/results/shuffled-labels.md and sweep.md, from the lines that are there.
 *
 * usage: npm run experiments:report
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeChart } from '../../examples/shared/chart.js';
import { argumentsOf } from '../../examples/shared/command-line.js';
import * as benchmarks from '../report.js';
import { figures } from './figures.js';
import { labelsReport } from './label-tables.js';
import { type Lines, linesIn } from './lines.js';
import { resultsFolder } from './places.js';
import { sweepReport } from './sweep-tables.js';
import { sections } from './tables.js';

export const page = 'docs/what-sharpness-tells.md';
/** All pages that have tables of the experiments in them. */
export const pages = [page, 'docs/speed.md'] as const;
/** Pages of all answers, in benchmarks/results. */
export const reports = { 'shuffled-labels': labelsReport, sweep: sweepReport } as const;

/** A page with what stands between its comments `<!-- experiments NAME -->` and `<!-- /experiments -->` written anew. */
export function withSections(text: string, lines: Lines): string {
  return text.replace(
    /(<!-- experiments ([a-z]+): npm run experiments:report -->\n)[\s\S]*?(<!-- \/experiments -->)/g,
    (_, begin: string, name: string, end: string) => `${begin}${sections[name]!(lines).join('\n')}\n${end}`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  argumentsOf('usage: npm run experiments:report\n\nWrites figures and tables from the lines that are there.');
  const lines = linesIn(resultsFolder);
  for (const [name, figure] of Object.entries(figures)) {
    await writeChart(figure(lines), join(resultsFolder, `${name}.svg`));
  }
  for (const [name, report] of Object.entries(reports)) {
    await benchmarks.writeReport(benchmarks.resultsFolder, name, report(lines));
  }
  for (const path of pages) {
    writeFileSync(path, withSections(readFileSync(path, 'utf8'), lines));
  }
}
