/** Undefined: this column has nothing to say at this x, and a line goes on. Null: it has no value there, and a line breaks. */
export type Cell = number | null | undefined;

/** Columns of numbers over one ascending x, as uPlot takes them. Arrays are appended to, and stay the same objects. */
export interface AlignedRows {
  readonly x: number[];
  readonly columns: readonly Cell[][];
  /** Adds an empty column, and says which it is. */
  addColumn(): number;
  /** Makes the row at `at` where there is none, and says which it is. A step that comes in order costs no more than its own row. */
  rowAt(at: number): number;
  /** The row whose x is the last at or before `at`; -1 where there is none. */
  lastAtOrBefore(at: number): number;
}

/** No rows and no columns. */
export function alignedRows(): AlignedRows {
  const x: number[] = [];
  const columns: Cell[][] = [];
  const lastAtOrBefore = (at: number): number => {
    let [low, high] = [-1, x.length - 1];
    if (high >= 0 && x[high] <= at) {
      return high;
    }
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (x[middle] <= at) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  };
  return {
    x,
    columns,
    addColumn() {
      return columns.push(new Array<Cell>(x.length).fill(undefined)) - 1;
    },
    rowAt(at) {
      const before = lastAtOrBefore(at);
      if (before >= 0 && x[before] === at) {
        return before;
      }
      const row = before + 1;
      if (row === x.length) {
        x.push(at);
        for (const column of columns) {
          column.push(undefined);
        }
      } else {
        x.splice(row, 0, at);
        for (const column of columns) {
          column.splice(row, 0, undefined);
        }
      }
      return row;
    },
    lastAtOrBefore,
  };
}
