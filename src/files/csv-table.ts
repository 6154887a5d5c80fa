import { parse } from 'csv-parse/sync';
import { type FileData, samplesOf } from './samples.js';

/** Columns that are labels where they are so called. */
const labelColumns = ['y', 'label', 'labels', 'target', 'class'];
/** What stands for a number that is missing: no name of a column. */
const isMissing = (cell: string) => /^(|\?|na|n\/a|nan|null|none|[+-]?inf(inity)?)$/i.test(cell);
const isNumber = (cell: string) => cell !== '' && Number.isFinite(Number(cell));

/**
 * Reads a table of numbers, one sample a row: with a header or without. A column called y, label, target or class is the labels; the
 * index that pandas writes, a first column without a name, is left out.
 *
 * @param name of the file, for messages.
 * @throws Error with one line for a cell that is no number, rows of different lengths, and where a header is not told from a sample.
 */
export function readCsvTable(name: string, bytes: Uint8Array): FileData {
  let rows: string[][];
  try {
    rows = parse(new TextDecoder().decode(bytes), { bom: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new Error(`'${name}' is not a table: ${(error as Error).message}.`, { cause: error });
  }
  const header = rows[0] && isHeader(rows[0], name) ? rows.shift()! : undefined;
  if (rows.length === 0) {
    throw new Error(`'${name}' has no rows of numbers.`);
  }
  rows.forEach((row, i) => {
    const broken = row.findIndex((cell) => !isNumber(cell));
    if (broken >= 0) {
      const line = i + (header ? 2 : 1);
      throw new Error(
        `'${name}', row ${line}: '${row[broken]}' in column ${header?.[broken] || broken + 1} is not a number.`,
      );
    }
  });
  const labelled = (header ?? []).flatMap((column, i) => (labelColumns.includes(column.toLowerCase()) ? [i] : []));
  const isIndex = (i: number) => i === 0 && header?.[0] === '';
  const columns = rows[0]!.map((_, i) => i).filter((i) => !labelled.includes(i) && !isIndex(i));
  const table = (chosen: readonly number[]) => {
    const values = new Float64Array(rows.length * chosen.length);
    rows.forEach((row, i) => {
      chosen.forEach((column, j) => {
        values[i * chosen.length + j] = Number(row[column]);
      });
    });
    return samplesOf(`'${name}'`, [rows.length, chosen.length], values);
  };
  return {
    arrays: new Map(columns.length > 0 ? [['', table(columns)]] : []),
    ...(labelled.length > 0 && { labels: new Map([['', table(labelled)]]) }),
  };
}

/** Whether the first row holds names: words, or the numbers of columns as pandas counts them, beside labels maybe. */
function isHeader(first: readonly string[], name: string): boolean {
  // A name that is empty is that of pandas' index.
  const hasIndex = first[0] === '' && first.length > 1;
  const names = hasIndex ? first.slice(1) : first;
  if (names.some(isMissing)) {
    return false;
  }
  const numbers = names.filter(isNumber);
  const words = names.filter((cell) => !isNumber(cell));
  if (numbers.length === 0) {
    return true;
  }
  const areCounted =
    numbers.every((cell, i) => cell === String(i)) || numbers.every((cell, i) => cell === String(i + 1));
  if (!areCounted || !words.every((word) => labelColumns.includes(word.toLowerCase()))) {
    return false;
  }
  if (words.length > 0 || hasIndex) {
    return true;
  }
  if (first.join() === '0,1') {
    throw new Error(`'${name}' begins with 0,1, which may be a sample or names of columns: give the columns names.`);
  }
  return first.length > 2 && first[0] === '0';
}
