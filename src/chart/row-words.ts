import { problemLine, valuesOf, whenOf } from './reading-words.js';
import type { Entry, RecordedRuns } from './recorded-runs.js';

type Record = Pick<RecordedRuns, 'runs' | 'rows' | 'at' | 'latest'>;

const whenOfEntry = ({ step, reading, problem }: Entry) => whenOf(step, (reading ?? problem).epoch);
const wordsOf = ({ run, reading, problem }: Entry, { runs }: Record) => {
  const text = reading ? valuesOf(reading) : problemLine(problem);
  return runs.length > 1 ? `${run.name}: ${text}` : text;
};

/** `batch 375, epoch 3` */
export function timeOfRow(record: Record, row: number): string {
  const entries = record.at(row);
  const entry = entries.find(({ reading, problem }) => (reading ?? problem).epoch !== undefined) ?? entries[0];
  return entry ? whenOfEntry(entry) : whenOf(record.rows.x[row]!);
}

/** `batch 375, epoch 3; SGD: Minimum Sharpness 27.42 ± 1.1, trace 31.2; SAM: ...`: all that there is at a row. */
export function textOfRow(record: Record, row: number): string {
  return [timeOfRow(record, row), ...new Set(record.at(row).map((entry) => wordsOf(entry, record)))].join('; ');
}

/** The same of what came last alone, of whichever run; empty where nothing came. */
export function textOfLatest(record: Record): string {
  const latest = record.latest();
  return latest ? `${whenOfEntry(latest)}; ${wordsOf(latest, record)}` : '';
}
