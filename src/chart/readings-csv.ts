import { csvLine, readingRow } from '../measure/reading-row.js';
import type { RecordedRuns } from './recorded-runs.js';

/** Every reading as one row of a CSV file (RFC 4180); with several runs, the name of the run comes first. */
export function csvOf({ entries, runs }: Pick<RecordedRuns, 'entries' | 'runs'>): string {
  const readings = entries.flatMap(({ run, step, reading }) => {
    if (!reading) {
      return [];
    }
    const { scales = [], parameters = [], assumptions = [] } = reading;
    const row = readingRow({ ...reading, step, scales, parameters, assumptions } as Parameters<typeof readingRow>[0]);
    return [new Map([...(runs.length > 1 ? [['run', run.name] as const] : []), ...row])];
  });
  const columns = [...new Set(readings.flatMap((row) => [...row.keys()]))];
  const lines = [columns, ...readings.map((row) => columns.map((column) => row.get(column) ?? ''))];
  return `${lines.map(csvLine).join('\n')}\n`;
}
