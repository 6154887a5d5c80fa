import { clearLine, cursorTo } from 'node:readline';
import type { MeasureProgress } from '../measure/options.js';
import { counted } from '../names.js';

/** How far a plan is that many processes work on. */
export interface PlanProgress {
  /** Parts of the data that have been measured, of all checkpoints; a part that is on its way counts in part. */
  readonly parts: number;
  readonly totalParts: number;
  readonly workers: number;
  /** By what the parts so far have taken. */
  readonly timeLeftMs: number | undefined;
}

/** A line of progress that comes and goes. */
export interface ProgressLine {
  show(progress: MeasureProgress | PlanProgress): void;
  end(): void;
}

/** How often it is written at most, in ms. */
const EVERY = 100;

/** What is done and time left on a terminal, nothing in a pipe: `340 of 2000 rows, 12 s left`. */
export function progressLine(stream: NodeJS.WriteStream): ProgressLine {
  if (!stream.isTTY) {
    return { show: () => {}, end: () => {} };
  }
  let shown: number | undefined;
  const clear = () => {
    cursorTo(stream, 0);
    clearLine(stream, 0);
  };
  return {
    show(progress) {
      const now = performance.now();
      if (shown === undefined || now - shown >= EVERY) {
        shown = now;
        clear();
        stream.write(lineOf(progress));
      }
    },
    end() {
      if (shown !== undefined) {
        clear();
        shown = undefined;
      }
    },
  };
}

function lineOf(progress: MeasureProgress | PlanProgress): string {
  const left = progress.timeLeftMs === undefined ? '' : `, ${spanOf(progress.timeLeftMs)} left`;
  if ('parts' in progress) {
    const { parts, totalParts, workers } = progress;
    return `${Math.floor(parts)} of ${counted(totalParts, 'part')} on ${counted(workers, 'worker')}${left}`;
  }
  const { samples, total, rows, totalRows } = progress;
  if (rows === 0 || totalRows === undefined) {
    return total === undefined ? `${samples} samples` : `${samples} of ${total} samples`;
  }
  return `${rows} of ${totalRows} rows${left}`;
}

function spanOf(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 100
    ? `${seconds} s`
    : seconds < 6000
      ? `${Math.ceil(seconds / 60)} min`
      : `${Math.ceil(seconds / 3600)} h`;
}
