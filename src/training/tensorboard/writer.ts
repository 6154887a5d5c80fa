import type { Observer } from 'rxjs';
import { checkBoolean, checkKnownOptions, checkText } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { reasonOf } from '../../warnings.js';
import type { ControlledValue } from '../control/steer.js';
import { checkLocalPath } from '../files/local-path.js';
import { triedWriting } from '../files/tried-writing.js';
import type { EpochLogs } from '../streams/epoch-logs.js';
import { readingText } from './reading-text.js';
import { joinRun } from './run.js';
import { controlPoints, logPoints, type ScalarPoint, scalarPoints } from './scalars.js';

/** What `tf.node.summaryFileWriter(logdir)` returns, as far as it is used here. */
export interface SummaryFileWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

export interface TensorBoardWriterOptions {
  /**
   * Names the charts: `<prefix>/minimum`, `<prefix>_interval/...`, `<prefix>_alpha/...`, `<prefix>_trace/...`, `<prefix>_logs/...`,
   * `<prefix>_control/...`. Default `'sharpness'`.
   *
   * Two callbacks of one training, one on training and one on validation data, best write to folders of their own, as
   * Keras does (`logs/run1/train` and `logs/run1/validation`): TensorBoard then draws both into the same charts. To have
   * charts of their own in one folder instead, give each writer a prefix. Two with the same are refused.
   */
  readonly prefix?: string;
  /**
   * Whether what earlier event files of the folder hold of the first step and later ones is void, as where a training is resumed. Default
   * true. `false` is for readings that do not come in the order of their steps, such as those of saved models. Writers that share a folder share
   * its file, and need the same. With a `tf.node.summaryFileWriter`, which writes its own, it is refused.
   */
  readonly purge?: boolean;
}

const knownOptions = { prefix: true, purge: true } satisfies Record<keyof TensorBoardWriterOptions, true>;

/** Where points go. */
interface Sink {
  /** @param text about the points, in Markdown. */
  write(points: readonly ScalarPoint[], step: number, text?: string): void;
  close(): void;
}

function summaryFileWriterSink(writer: SummaryFileWriter): Sink {
  return {
    write(points, step) {
      // Without the description: tfjs-node throws when it is given one.
      for (const { tag, value } of points) {
        writer.scalar(tag, value, step);
      }
      writer.flush();
    },
    close: () => writer.flush(),
  };
}

function openSink(target: string | SummaryFileWriter, prefix: string, purge: boolean | undefined): Sink {
  if (typeof target !== 'string') {
    if (typeof target?.scalar === 'function' && typeof target.flush === 'function') {
      if (purge !== undefined) {
        throw new Error(
          'tensorBoardWriter: purge says what the file of a log folder begins with, and a tf.node.summaryFileWriter makes its own: pass the ' +
            'folder, or leave purge out',
        );
      }
      return summaryFileWriterSink(target);
    }
    throw new Error('tensorBoardWriter: expected a log folder or a tf.node.summaryFileWriter');
  }
  if (target === '') {
    throw new Error("tensorBoardWriter: the log folder is '', give its path, for example 'logs/run1'");
  }
  checkLocalPath('tensorBoardWriter: the log folder', target);
  const sayRemoved = () =>
    console.warn(
      `tensorBoardWriter: the event file in '${target}' was removed with what it held: a new one is made for later readings`,
    );
  try {
    const run = joinRun(target, prefix, sayRemoved, purge);
    return { write: run.write, close: run.leave };
  } catch (error) {
    throw new Error(`tensorBoardWriter: cannot write to the log folder '${target}': ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** What TensorBoard is given. */
type Written = SharpnessReading | EpochLogs | ControlledValue;

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A reading may have logs, by `withEpochLogs`. */
function pointsOf(value: Written, prefix: string): ScalarPoint[] {
  const points = [
    ...('minimumSharpness' in value ? scalarPoints(value, prefix) : []),
    ...('logs' in value ? logPoints(value as EpochLogs, prefix) : []),
    ...('previous' in value ? controlPoints(value, prefix) : []),
  ];
  if (points.length === 0) {
    throw new Error('what came is no reading');
  }
  return points;
}

/**
 * An observer that writes readings for TensorBoard: the charts `sharpness/minimum`, `sharpness/standard_error`, `sharpness/trace`, the ends of
 * the 95% interval (`sharpness_interval/...`), and one chart a layer (`sharpness_alpha/...`) and a weight tensor
 * (`sharpness_trace/...`), each with its description. The page of custom scalars draws `minimum` in its interval. The page of texts
 * has what the reading takes for granted and which layers trade scale, whenever that changes (`sharpness/reading`). Values are
 * float32 there, beyond that infinite. The step is `reading.step`; a reading without one gets the step after the last, starting at 0.
 *
 * It also takes what `fit` logs of every epoch (`logs$`), as `sharpness_logs/loss`, ..., and what a controller sets, as
 * `sharpness_control/<name>`: `steer(...).values$` gives one point a reading, `changes$` just the changes, between which TensorBoard
 * draws sloping lines. All streams go through one writer, merged, and are drawn over the same steps, the numbers of batches:
 *
 * ```ts
 * merge(sharpness.readings$, sharpness.logs$, steering.values$).subscribe(tensorBoardWriter('logs/run1'));
 * ```
 *
 * Given a folder, it opens a new event file in it, now and once; writers of one program with prefixes of their own share it. Every
 * reading is with the operating system when the observer returns: a running TensorBoard sees it, and a process that is killed loses
 * none. In a folder that holds charts of the same prefix, from a training that is resumed, the file begins with the step of the first
 * value written to it: what files before it have of that step and later ones, TensorBoard leaves out, unless `purge` is false. Where the file is removed, a new
 * one is made for the next reading, with a warning.
 * Given a `tf.node.summaryFileWriter`, there are the charts alone and without descriptions, because tfjs-node does not take any.
 *
 * Once it is made it never throws, so that a full disk does not end a training: what cannot be written is lost but for
 * a warning on the console, when that begins and for each other reason, and later readings are tried again. Completion and error
 * close the file; readings after that are dropped. Use one writer a stream.
 *
 * @throws Error with one line when the folder cannot be made or written to, when another writer of the program draws into the same
 *   charts or has another `purge` in the folder or, on Linux, another program writes to the folder, when `target` is neither a folder nor a summary file writer, when
 *   `prefix` is empty, when `purge` goes with a summary file writer, and for an option that there is not.
 */
export function tensorBoardWriter(
  target: string | SummaryFileWriter,
  options: TensorBoardWriterOptions = {},
): Observer<SharpnessReading | EpochLogs | ControlledValue> {
  checkKnownOptions('tensorBoardWriter', options, knownOptions);
  const { prefix = 'sharpness', purge } = options;
  checkText('tensorBoardWriter: prefix', prefix, "name the charts, for example 'sharpness'");
  if (purge !== undefined) {
    checkBoolean('tensorBoardWriter: purge', purge);
  }
  const sink = openSink(target, prefix, purge);
  let nextStep = 0;
  let closed = false;
  const attempt = triedWriting('tensorBoardWriter: TensorBoard misses readings');

  function write(value: Written): void {
    if (!isObject(value)) {
      throw new Error(`${String(value)} is no reading`);
    }
    const isReading = 'minimumSharpness' in value;
    const step = value.step ?? nextStep;
    if (isReading) {
      nextStep = step + 1;
    }
    sink.write(pointsOf(value, prefix), step, isReading ? readingText(value) : undefined);
  }

  function close(): void {
    if (!closed) {
      closed = true;
      attempt(sink.close);
    }
  }

  return {
    next(value) {
      if (!closed) {
        attempt(() => write(value));
      }
    },
    error(error) {
      console.warn(`tensorBoardWriter: no more readings, their stream failed: ${reasonOf(error)}`);
      close();
    },
    complete: close,
  };
}
