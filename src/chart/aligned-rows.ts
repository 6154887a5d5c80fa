/** Undefined: this column has nothing to say at this x, and a line goes on. Null: it has no value there, and a line breaks. */
export type Cell = number | null | undefined;

/** Columns of numbers over one ascending x, as uPlot takes them. Arrays stay the same objects while they grow. */
export interface AlignedRows {
  readonly x: number[];
  readonly columns: readonly Cell[][];
  /** Adds an empty column, and says which it is. */
  addColumn(): number;
  /** Makes a row at each of these where there is none. What comes in order costs no more than its own rows; the rest is merged in, once. */
  addRows(at: readonly number[]): void;
  /** The row whose x is the last at or before `at`; -1 where there is none. */
  lastAtOrBefore(at: number): number;
}

/** No rows and no columns. */
export function alignedRows(): AlignedRows {
  const x: number[] = [];
  const columns: Cell[][] = [];
  const lastAtOrBefore = (at: number): number => {
    let [low, high] = [-1, x.length - 1];
    if (high >= 0 && x[high]! <= at) {
      return high;
    }
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (x[middle]! <= at) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  };
  const has = (at: number) => {
    const row = lastAtOrBefore(at);
    return row >= 0 && x[row] === at;
  };
  return {
    x,
    columns,
    addColumn() {
      return columns.push(new Array<Cell>(x.length).fill(undefined)) - 1;
    },
    addRows(at) {
      const added = [...new Set(at)].filter((each) => !has(each)).sort((a, b) => a - b);
      // From the end, each row goes to where it is wanted, and those before the first new one stay.
      let from = x.length - 1;
      x.length += added.length;
      for (const column of columns) {
        column.length = x.length;
      }
      for (let [to, next] = [x.length - 1, added.length - 1]; next >= 0; to--) {
        const isNew = from < 0 || x[from]! < added[next]!;
        x[to] = isNew ? added[next--]! : x[from]!;
        for (const column of columns) {
          column[to] = isNew ? undefined : column[from];
        }
        from -= isNew ? 0 : 1;
      }
    },
    lastAtOrBefore,
  };
}

/** The rows of values alone between two gaps, which a line does not show. */
export function aloneBetweenGaps(column: readonly Cell[]): number[] {
  const found: number[] = [];
  /** Since the last gap: the first row with a value, and how many there are. */
  let [first, count] = [0, 0];
  for (let row = 0; row <= column.length; row++) {
    const value = row < column.length ? column[row] : null;
    if (value === null) {
      if (count === 1) {
        found.push(first);
      }
      count = 0;
    } else if (value !== undefined && ++count === 1) {
      first = row;
    }
  }
  return found;
}
