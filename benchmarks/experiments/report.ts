/**
 * Writes the figures, the tables of docs/what-sharpness-tells.md, and all answers of the sweep to benchmarks/results/sweep.md, from the
 * lines that are there.
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
import { type Lines, linesIn } from './lines.js';
import { resultsFolder } from './places.js';
import { sweepReport } from './sweep-tables.js';
import { sections } from './tables.js';

export const page = 'docs/what-sharpness-tells.md';

/** The page with what stands between its comments `<!-- experiments NAME -->` and `<!-- /experiments -->` written anew. */
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
  await benchmarks.writeReport(benchmarks.resultsFolder, 'sweep', sweepReport(lines));
  writeFileSync(page, withSections(readFileSync(page, 'utf8'), lines));
}
