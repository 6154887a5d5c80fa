import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'csv-parse';
import { type FileData, float32Of, isLabelName, samplesOf } from './samples.js';

/** What stands for a number that is missing, where it is no name of a column. */
const isMissing = (cell: string) => /^(|\?|na|n\/a|nan|null|none|[+-]?inf(inity)?)$/i.test(cell);
const isNumber = (cell: string) => cell !== '' && Number.isFinite(Number(cell));

/** Bytes between which others have their turn. */
const BLOCK = 2 ** 20;

/**
 * Reads a table of numbers, one sample a row: with a header or without. A column called y, label, target or class is the labels; the
 * index that pandas writes, a first column without a name, is left out.
 *
 * @param name of the file, for messages.
 * @param limit how many rows at most; those behind are not looked at.
 * @throws Error with one line for a cell that is no number, or too large a one, rows of different lengths, and where a header is not told from a sample.
 */
export async function readCsvTable(
  name: string,
  bytes: Uint8Array,
  limit = Number.POSITIVE_INFINITY,
): Promise<FileData> {
  let header: readonly string[] | undefined;
  let columns: readonly number[] = [];
  let labelled: readonly number[] = [];
  const inputs = growingNumbers(name);
  const labels = growingNumbers(name);
  let rows = 0;
  let wrong: Error | undefined;
  const begin = (first: readonly string[]) => {
    header = isHeader(first, name) ? first : undefined;
    labelled = (header ?? []).flatMap((column, i) => (isLabelName(column) ? [i] : []));
    const isIndex = (i: number) => i === 0 && header?.[0] === '';
    columns = first.map((_, i) => i).filter((i) => !labelled.includes(i) && !isIndex(i));
  };
  const take = (row: readonly string[]) => {
    const broken = row.findIndex((cell) => !isNumber(cell));
    if (broken >= 0) {
      const line = rows + (header ? 2 : 1);
      throw new Error(
        `'${name}', row ${line}: '${row[broken]}' in column ${header?.[broken] || broken + 1} is not a number.`,
      );
    }
    rows++;
    inputs.add(columns, row);
    labels.add(labelled, row);
  };
  let isFirst = true;
  const parser = parse({
    bom: true,
    skip_empty_lines: true,
    trim: true,
    on_record: (row: string[]) => {
      try {
        if (isFirst) {
          isFirst = false;
          begin(row);
          if (header) {
            return null;
          }
        }
        if (rows < limit && !wrong) {
          take(row);
        }
      } catch (error) {
        wrong = error as Error;
      }
      return null;
    },
  });
  const blocks = async function* () {
    for (let at = 0; at < bytes.length && !wrong && rows < limit; at += BLOCK) {
      yield bytes.subarray(at, at + BLOCK);
      await setImmediate();
    }
  };
  try {
    await pipeline(Readable.from(blocks()), parser.resume());
  } catch (error) {
    // Of the row that a block ends in, behind the limit.
    wrong ??=
      rows === limit
        ? undefined
        : new Error(`'${name}' is not a table: ${(error as Error).message}.`, { cause: error });
  }
  if (wrong) {
    throw wrong;
  }
  if (rows === 0) {
    throw new Error(`'${name}' has no rows of numbers.`);
  }
  const table = (values: Float32Array, chosen: readonly number[]) =>
    samplesOf(`'${name}'`, [rows, chosen.length], values);
  return {
    arrays: new Map(columns.length > 0 ? [['', table(inputs.all(), columns)]] : []),
    ...(labelled.length > 0 && { labels: new Map([['', table(labels.all(), labelled)]]) }),
  };
}

/** Numbers of which nobody knows how many come. */
function growingNumbers(name: string) {
  let values = new Float32Array(1024);
  let length = 0;
  const quoted = `'${name}'`;
  return {
    add(columns: readonly number[], row: readonly string[]) {
      if (length + columns.length > values.length) {
        const larger = new Float32Array(2 * (length + columns.length));
        larger.set(values);
        values = larger;
      }
      for (const column of columns) {
        const cell = row[column]!;
        values[length++] = float32Of(quoted, Number(cell), isWhole(cell));
      }
    },
    all: () => values.slice(0, length),
  };
}

/** Without a point or an exponent, which say that a number was measured. */
const isWhole = (cell: string) => /^\s*[+-]?\d+\s*$/.test(cell);

/** Whether the first row holds names: words, or the numbers of columns as pandas counts them, beside labels maybe. */
function isHeader(first: readonly string[], name: string): boolean {
  // A name that is empty is that of pandas' index.
  const hasIndex = first[0] === '' && first.length > 1;
  const names = hasIndex ? first.slice(1) : first;
  const numbers = names.filter(isNumber);
  const words = names.filter((cell) => !isNumber(cell));
  // Na may be sodium among other names; beside numbers, or alone, it is a number that is missing.
  if (numbers.length === 0) {
    return !names.every(isMissing);
  }
  if (words.some(isMissing)) {
    return false;
  }
  const areCounted =
    numbers.every((cell, i) => cell === String(i)) || numbers.every((cell, i) => cell === String(i + 1));
  if (!areCounted || !words.every(isLabelName)) {
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
