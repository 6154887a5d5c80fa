import { distinctNames } from '../names.js';
import type { SharpnessReading } from './reading.js';

/**
 * What a reading says, by columns of a table: whatever is a number, a flag or a text, also what operators have added; then
 * `eigenvalue/<k>` and `balancedEigenvalue/<k>`, `alpha/<layer>`, `trace/<parameter>`, `logs/<name>`, and the assumptions in one cell.
 *
 * @throws Error with one line where it is no reading.
 */
export function readingRow(
  reading: SharpnessReading & { readonly logs?: Readonly<Record<string, number>> },
): Map<string, string> {
  const { step, epoch, scales, parameters, assumptions, logs, topEigenvalues, ...rest } = reading;
  if (typeof rest.minimumSharpness !== 'number' || !scales || !parameters || !assumptions) {
    throw new Error('what came is no reading');
  }
  const values: [string, unknown][] = [
    ...Object.entries({ step: step ?? '', epoch: epoch ?? '', ...rest }),
    ...(topEigenvalues?.given ?? []).map(({ value }, i): [string, unknown] => [`eigenvalue/${i + 1}`, value]),
    ...(topEigenvalues?.balanced ?? []).map(({ value }, i): [string, unknown] => [
      `balancedEigenvalue/${i + 1}`,
      value,
    ]),
    ...scales.map(({ layer, alpha }): [string, unknown] => [`alpha/${layer}`, alpha]),
    ...parameters.map(({ name, trace }): [string, unknown] => [`trace/${name}`, trace]),
    ...Object.entries(logs ?? {}).map(([name, value]): [string, unknown] => [`logs/${name}`, value]),
    ['assumptions', assumptions.join(' ')],
  ];
  const cells = values.filter(([, value]) => ['number', 'boolean', 'string'].includes(typeof value));
  const names = distinctNames(cells.map(([name]) => name));
  return new Map(cells.map(([, value], i) => [names[i]!, String(value)]));
}

/** One line of a CSV file: cells are quoted where they need it (RFC 4180), and line breaks in them become spaces. */
export function csvLine(cells: readonly string[]): string {
  return cells
    .map((cell) => cell.replace(/[\r\n]+/g, ' '))
    .map((cell) => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',');
}
