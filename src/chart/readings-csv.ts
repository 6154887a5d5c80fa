import { csvLine, readingRow } from '../measure/reading-row.js';
import { distinctNames } from '../names.js';
import type { Entry, RecordedRuns } from './recorded-runs.js';

/** What spreadsheets would take for a formula, with the apostrophe that makes it text there. Numbers may begin with a sign. */
const asText = (cell: string) => (/^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell);

function rowOf({ run, step, reading }: Entry, hasRuns: boolean): ReadonlyMap<string, string> | undefined {
  if (!reading) {
    return undefined;
  }
  const { scales = [], parameters = [], assumptions = [] } = reading;
  const row = readingRow({ ...reading, step, scales, parameters, assumptions } as Parameters<typeof readingRow>[0]);
  if (!hasRuns) {
    return row;
  }
  // A field of the reading's own may be named `run` too.
  const names = distinctNames(['run', ...row.keys()]);
  return new Map([run.name, ...row.values()].map((value, i) => [names[i]!, value]));
}

/** Every reading as one row of a CSV file (RFC 4180); with several runs, the name of the run comes first. */
export function csvOf({ entries, runs }: Pick<RecordedRuns, 'entries' | 'runs'>): string {
  const hasRuns = runs.length > 1;
  const columns = new Set<string>();
  for (const entry of entries) {
    for (const column of rowOf(entry, hasRuns)?.keys() ?? []) {
      columns.add(column);
    }
  }
  // Rows are made once more: all of them at once would take far more memory than the file.
  const names = [...columns];
  let text = `${csvLine(names.map(asText))}\n`;
  for (const entry of entries) {
    const row = rowOf(entry, hasRuns);
    if (row) {
      text += `${csvLine(names.map((column) => asText(row.get(column) ?? '')))}\n`;
    }
  }
  return text;
}
