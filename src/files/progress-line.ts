import type { MeasureProgress } from '../measure/options.js';
import { optionalPackage } from './optional-package.js';

/** A line of progress that comes and goes. */
export interface ProgressLine {
  show(progress: MeasureProgress): void;
  end(): void;
}

interface Bar {
  start(total: number, value: number): void;
  setTotal(total: number): void;
  update(value: number): void;
  stop(): void;
}

interface CliProgress {
  readonly SingleBar: new (options: object) => Bar;
}

/** Rows done and time left on a terminal, by cli-progress where it is installed; nothing in a pipe. */
export async function progressLine(stream: NodeJS.WriteStream): Promise<ProgressLine> {
  let make: (() => Bar) | undefined;
  if (stream.isTTY) {
    try {
      const { SingleBar } = await optionalPackage<CliProgress>('cli-progress', 'the line of progress');
      make = () =>
        new SingleBar({ stream, format: '{bar} {value} of {total} rows, {eta_formatted} left', clearOnComplete: true });
    } catch {
      // A reading needs none.
    }
  }
  let bar: Bar | undefined;
  return {
    show({ rows, totalRows }) {
      if (make && totalRows !== undefined) {
        if (!bar) {
          bar = make();
          bar.start(totalRows, rows);
        }
        bar.setTotal(totalRows);
        bar.update(rows);
      }
    },
    end() {
      bar?.stop();
      bar = undefined;
    },
  };
}
