import { parse } from 'csv-parse/sync';
import { type FileData, samplesOf } from './samples.js';

/** Columns that are labels where they are so called. */
const labelColumns = ['y', 'label', 'labels', 'target', 'class'];
/** What stands for a number that is missing: no name of a column. */
const isMissing = (cell: string) => /^(|\?|na|n\/a|nan|null|none|[+-]?inf(inity)?)$/i.test(cell);

/**
 * Reads a table of numbers, one sample a row: with a header or without. A column called y, label, target or class is the labels.
 *
 * @param name of the file, for messages.
 * @throws Error with one line for a cell that is no number, or rows of different lengths.
 */
export function readCsvTable(name: string, bytes: Uint8Array): FileData {
  let rows: string[][];
  try {
    rows = parse(new TextDecoder().decode(bytes), { bom: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new Error(`'${name}' is not a table: ${(error as Error).message}.`, { cause: error });
  }
  const isNumber = (cell: string) => cell !== '' && Number.isFinite(Number(cell));
  const hasHeader = rows[0]?.some((cell) => !isNumber(cell)) && !rows[0].some(isMissing);
  const header = hasHeader ? rows.shift()! : undefined;
  if (rows.length === 0) {
    throw new Error(`'${name}' has no rows of numbers.`);
  }
  rows.forEach((row, i) => {
    const broken = row.findIndex((cell) => !isNumber(cell));
    if (broken >= 0) {
      const line = i + (header ? 2 : 1);
      throw new Error(
        `'${name}', row ${line}: '${row[broken]}' in column ${header?.[broken] ?? broken + 1} is not a number.`,
      );
    }
  });
  const labelled = (header ?? []).flatMap((column, i) => (labelColumns.includes(column.toLowerCase()) ? [i] : []));
  const columns = rows[0]!.map((_, i) => i).filter((i) => !labelled.includes(i));
  const table = (chosen: readonly number[]) =>
    samplesOf(
      `'${name}'`,
      [rows.length, chosen.length],
      Float64Array.from(rows.flatMap((row) => chosen.map((i) => Number(row[i])))),
    );
  return {
    arrays: new Map(columns.length > 0 ? [['', table(columns)]] : []),
    ...(labelled.length > 0 && { labels: new Map([['', table(labelled)]]) }),
  };
}
