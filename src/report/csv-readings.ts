import { parse } from 'csv-parse/sync';
import { counted } from '../names.js';
import type { Take } from './report-run.js';

/** Columns whose cells are text, whatever they say. */
const texts = ['model', 'method', 'run'];

/**
 * Reads a table of readings as `csvWriter`, `measure --csv` and the chart write it, also as pandas writes it again: a column
 * `minimumSharpness`, and of the others those that a reading has, `alpha/<layer>`, `trace/<weight tensor>` and `logs/<name>`. A column
 * `run` tells runs from each other.
 *
 * @returns what was left out, one sentence each; undefined where it is no such table.
 */
export function readCsvReadings(text: Uint8Array, take: Take): string[] | undefined {
  let rows: string[][];
  try {
    rows = parse(new TextDecoder().decode(text), {
      bom: true,
      skip_empty_lines: true,
      relax_column_count: true,
      // A row that was cut off in mid-quotes ends the file.
      relax_quotes: true,
      skip_records_with_error: true,
      delimiter: delimiterOf(text),
    });
  } catch {
    return undefined;
  }
  const headerOf = (row: readonly string[] = []) => row.map((name) => name.trim());
  let header = headerOf(rows.shift());
  if (!header.includes('minimumSharpness')) {
    return undefined;
  }
  let broken = 0;
  for (const row of rows) {
    // Programs that append write their header again, those of another network another one.
    if (headerOf(row).includes('minimumSharpness')) {
      header = headerOf(row);
      continue;
    }
    if (row.length !== header.length) {
      broken++;
      continue;
    }
    const cells = new Map(header.map((name, i) => [name, row[i]!]));
    take(readingOf(cells), cells.get('run'));
  }
  return broken > 0 ? [`${counted(broken, 'row')} left out, which do not have the columns of the header`] : [];
}

function delimiterOf(text: Uint8Array): string {
  const header = new TextDecoder().decode(text.subarray(0, 4096)).split('\n')[0]!;
  return (
    [',', '\t', ';'].find((each) =>
      header
        .split(each)
        .map((name) => name.replaceAll('"', '').trim())
        .includes('minimumSharpness'),
    ) ?? ','
  );
}

function readingOf(cells: ReadonlyMap<string, string>): object {
  const fields: Record<string, unknown> = {};
  const scales: object[] = [];
  const parameters: object[] = [];
  const logs: Record<string, unknown> = {};
  for (const [column, cell] of cells) {
    const [, group, name] = /^(alpha|trace|logs)\/(.*)$/s.exec(column) ?? [];
    if (group === undefined) {
      fields[column] = column === 'assumptions' ? (cell === '' ? [] : [cell]) : valueIn(column, cell);
    } else if (cell !== '' && group === 'alpha') {
      scales.push({ layer: name, alpha: numberIn(cell) });
    } else if (cell !== '' && group === 'trace') {
      parameters.push({ name, layer: name!.replace(/\/[^/]*$/, ''), trace: numberIn(cell) });
    } else if (cell !== '') {
      logs[name!] = numberIn(cell);
    }
  }
  // pandas leaves cells of NaN empty.
  return { ...fields, minimumSharpness: fields.minimumSharpness ?? Number.NaN, scales, parameters, logs };
}

function valueIn(column: string, cell: string): unknown {
  if (cell === '') {
    return undefined;
  }
  if (texts.includes(column)) {
    return cell;
  }
  return /^(true|false)$/i.test(cell) ? cell.toLowerCase() === 'true' : (numberIn(cell) ?? cell);
}

/** pandas writes inf, and NaN where it is told to. */
function numberIn(cell: string): number | undefined {
  const [, sign, word] = /^\s*([+-]?)(inf|infinity|nan)\s*$/i.exec(cell) ?? [];
  if (word !== undefined) {
    return word.toLowerCase() === 'nan'
      ? Number.NaN
      : sign === '-'
        ? Number.NEGATIVE_INFINITY
        : Number.POSITIVE_INFINITY;
  }
  const value = cell.trim() === '' ? Number.NaN : Number(cell);
  return Number.isNaN(value) ? undefined : value;
}
