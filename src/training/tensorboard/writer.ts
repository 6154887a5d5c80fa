import type { Observer } from 'rxjs';
import { checkKnownOptions, checkText } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { reasonOf, warnOnce } from '../../warnings.js';
import type { ControlledValue } from '../control/steer.js';
import { DataClass, DataType } from './event_pb.js';
import { openEventFile } from './event-file.js';
import { controlPoints, type ScalarPoint, scalarPoints } from './scalars.js';

/** What `tf.node.summaryFileWriter(logdir)` returns, as far as it is used here. */
export interface SummaryFileWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

export interface TensorBoardWriterOptions {
  /**
   * Names the charts: `<prefix>/minimum`, `<prefix>_alpha/...`, `<prefix>_trace/...`, `<prefix>_control/...`. Default
   * `'sharpness'`.
   *
   * Two callbacks of one training, one on training and one on validation data, best write to folders of their own, as
   * Keras does (`logs/run1/train` and `logs/run1/validation`): TensorBoard then draws both into the same charts. To have
   * charts of their own in one folder instead, give each writer a prefix.
   */
  readonly prefix?: string;
}

const knownOptions = { prefix: true } satisfies Record<keyof TensorBoardWriterOptions, true>;

/** Said once, whatever the reasons. */
const MISSING = 'TensorBoard misses readings, writing failed';

/** Where points go. */
interface Sink {
  write(points: readonly ScalarPoint[], step: number): void;
  close(): void;
}

function eventFileSink(logdir: string): Sink {
  const file = openEventFile(logdir);
  const described = new Set<string>();
  return {
    write(points, step) {
      file.append({
        wallTime: Date.now() / 1000,
        step: BigInt(step),
        what: {
          case: 'summary',
          value: {
            value: points.map(({ tag, value, description }) => ({
              tag,
              value: { case: 'tensor', value: { dtype: DataType.DT_FLOAT, tensorShape: {}, floatVal: [value] } },
              // TensorBoard takes a tag's metadata from its first event in a file.
              metadata: described.has(tag)
                ? undefined
                : {
                    pluginData: { pluginName: 'scalars' },
                    summaryDescription: description,
                    dataClass: DataClass.SCALAR,
                  },
            })),
          },
        },
      });
      for (const { tag } of points) {
        described.add(tag);
      }
    },
    close: file.close,
  };
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

function openSink(target: string | SummaryFileWriter): Sink {
  if (typeof target !== 'string') {
    if (typeof target?.scalar === 'function' && typeof target.flush === 'function') {
      return summaryFileWriterSink(target);
    }
    throw new Error('tensorBoardWriter: expected a log folder or a tf.node.summaryFileWriter');
  }
  if (target === '') {
    throw new Error("tensorBoardWriter: the log folder is '', give its path, for example 'logs/run1'");
  }
  try {
    return eventFileSink(target);
  } catch (error) {
    throw new Error(`tensorBoardWriter: cannot write to the log folder '${target}': ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * An observer that writes readings as TensorBoard scalars: `sharpness/minimum`, `sharpness/standard_error`,
 * `sharpness/trace`, and one chart a layer (`sharpness_alpha/...`) and a weight tensor (`sharpness_trace/...`), each with
 * its description. Values are float32 there. The step is `reading.step`; a reading without one gets the step after the
 * last, starting at 0.
 *
 * It also takes what a controller sets, as `sharpness_control/<name>`: `steer(...).values$` gives one point a reading,
 * `changes$` just the changes, between which TensorBoard draws sloping lines. Both streams go through one writer, and so into
 * one file, merged:
 *
 * ```ts
 * merge(sharpness.readings$, steering.values$).subscribe(tensorBoardWriter('logs/run1'));
 * ```
 *
 * Given a folder, it opens a new event file in it, now and once. Every reading is with the operating system when the
 * observer returns: a running TensorBoard sees it, and a process that is killed loses none.
 * Given a `tf.node.summaryFileWriter`, the charts have no descriptions, because tfjs-node does not take any.
 *
 * Once it is made it never throws, so that a full disk does not end a training: what cannot be written is lost but for
 * one warning on the console, and later readings are tried again. Completion and error close the file; readings after
 * that are dropped. Use one writer a stream.
 *
 * @throws Error with one line when the folder cannot be made or written to, when `target` is neither a folder nor a summary file
 *   writer, when `prefix` is empty, and for an option that there is not.
 */
export function tensorBoardWriter(
  target: string | SummaryFileWriter,
  options: TensorBoardWriterOptions = {},
): Observer<SharpnessReading | ControlledValue> {
  checkKnownOptions('tensorBoardWriter', options, knownOptions);
  const { prefix = 'sharpness' } = options;
  checkText('tensorBoardWriter: prefix', prefix, "name the charts, for example 'sharpness'");
  const sink = openSink(target);
  let nextStep = 0;
  let closed = false;
  const warn = warnOnce('tensorBoardWriter');

  function attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      warn(`${MISSING}: ${reasonOf(error)}`, MISSING);
    }
  }

  function close(): void {
    if (closed) {
      return;
    }
    closed = true;
    attempt(sink.close);
  }

  return {
    next(value) {
      if (closed) {
        return;
      }
      const isReading = 'minimumSharpness' in value;
      const step = value.step ?? nextStep;
      if (isReading) {
        nextStep = step + 1;
      }
      attempt(() => sink.write(isReading ? scalarPoints(value, prefix) : controlPoints(value, prefix), step));
    },
    error(error) {
      console.warn(`tensorBoardWriter: no more readings, their stream failed: ${reasonOf(error)}`);
      close();
    },
    complete: close,
  };
}
