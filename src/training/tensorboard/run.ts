import { mkdirSync, realpathSync } from 'node:fs';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { DataClass, DataType, SessionLog_SessionStatus, type Summary_ValueSchema } from './event_pb.js';
import { type EventFile, openEventFile } from './event-file.js';
import { LAYOUT_TAG, marginCharts } from './margin-chart.js';
import { otherProcessWriting } from './other-process.js';
import type { ScalarPoint } from './scalars.js';

/** One writer's way into a run. */
export interface RunWriter {
  /**
   * Appends all of it as one event.
   *
   * @param text about the points, in Markdown. It is written under `<prefix>/reading` where it is another than the last, and with
   *   the first one, that TensorBoard's page of custom scalars shows the interval of `<prefix>/minimum`.
   * @throws what `openEventFile` and `append` throw.
   */
  write(points: readonly ScalarPoint[], step: number, text?: string): void;
  /** Closes the event file, if this writer is the last. */
  leave(): void;
}

/**
 * A folder, which TensorBoard calls a run, while writers of this process write to it. They share one event file: TensorBoard reads the
 * files of a folder one after the other and does not come back to an earlier one, and the start of a file voids what earlier ones hold
 * of later steps.
 */
interface Run {
  readonly logdir: string;
  readonly prefixes: Set<string>;
  /** Undefined where it was removed, and could not be made anew. */
  file: EventFile | undefined;
  /** What the file holds already. */
  holds: {
    start: boolean;
    /** Tags with their metadata. */
    readonly tags: Set<string>;
    /** Prefixes in its layout. */
    readonly charts: Set<string>;
    /** The last text of each prefix. */
    readonly texts: Map<string, string>;
  };
}

/** By the folder's real path. */
const runs = new Map<string, Run>();

const nothing = (): Run['holds'] => ({ start: false, tags: new Set(), charts: new Set(), texts: new Map() });

/**
 * Joins the run of a folder, which is made where it is missing, with a new event file if this is the only writer.
 *
 * @param onRemoved told that the event file was removed and is made anew.
 * @throws Error with one line where a writer of this process has the same prefix there, or another process writes to the folder; what
 *   `mkdirSync` and `openEventFile` throw.
 */
export function joinRun(logdir: string, prefix: string, onRemoved: () => void): RunWriter {
  mkdirSync(logdir, { recursive: true });
  const path = realpathSync(logdir);
  const run = runs.get(path) ?? { logdir, prefixes: new Set(), file: openAlone(logdir), holds: nothing() };
  if (run.prefixes.has(prefix)) {
    throw new Error(
      `another writer of this program draws into the same charts, '${prefix}/...': give each a folder of its own or a prefix, or end the ` +
        'other by dispose() of its callback',
    );
  }
  runs.set(path, run);
  run.prefixes.add(prefix);

  return {
    write(points, step, text) {
      if (run.file?.isRemoved()) {
        onRemoved();
        run.file.close();
        run.file = undefined;
      }
      if (run.file === undefined) {
        run.file = openEventFile(logdir);
        run.holds = nothing();
      }
      append(run, run.file, prefix, points, step, text);
    },
    leave() {
      run.prefixes.delete(prefix);
      if (run.prefixes.size === 0) {
        runs.delete(path);
        run.file?.close();
      }
    },
  };
}

/** The new file comes first, so that of two processes that start at once one at least sees the other. */
function openAlone(logdir: string): EventFile {
  const file = openEventFile(logdir);
  const other = otherProcessWriting(logdir);
  if (other !== undefined) {
    file.discard();
    throw new Error(`process ${other} is writing to it: give each program a folder of its own`);
  }
  return file;
}

function append(
  { holds }: Run,
  file: EventFile,
  prefix: string,
  points: readonly ScalarPoint[],
  step: number,
  text: string | undefined,
): void {
  const moment = { wallTime: Date.now() / 1000, step: BigInt(step) };
  if (!holds.start) {
    // In the first file of a run too: TensorBoard takes the first start that it finds for the beginning, and others for restarts.
    file.append({ ...moment, what: { case: 'sessionLog', value: { status: SessionLog_SessionStatus.START } } });
    holds.start = true;
  }
  const values: MessageInitShape<typeof Summary_ValueSchema>[] = points.map(({ tag, value, description }) => ({
    tag,
    // A number beyond float32 is infinite there.
    value: tensor({ dtype: DataType.DT_FLOAT, floatVal: [Math.fround(value)] }),
    metadata: metadata(holds, tag, 'scalars', DataClass.SCALAR, description),
  }));
  const isNewText = text !== undefined && text !== holds.texts.get(prefix);
  const isNewChart = text !== undefined && !holds.charts.has(prefix);
  if (isNewText) {
    values.push(bytesOf(holds, `${prefix}/reading`, 'text', new TextEncoder().encode(text)));
  }
  if (isNewChart) {
    values.push(bytesOf(holds, LAYOUT_TAG, 'custom_scalars', marginCharts([...holds.charts, prefix])));
  }
  file.append({ ...moment, what: { case: 'summary', value: { value: values } } });

  for (const { tag } of values) {
    holds.tags.add(tag!);
  }
  if (isNewText) {
    holds.texts.set(prefix, text);
  }
  if (isNewChart) {
    holds.charts.add(prefix);
  }
}

type Value = MessageInitShape<typeof Summary_ValueSchema>;

function bytesOf(holds: Run['holds'], tag: string, plugin: string, bytes: Uint8Array): Value {
  return {
    tag,
    value: tensor({ dtype: DataType.DT_STRING, stringVal: [bytes] }),
    metadata: metadata(holds, tag, plugin, DataClass.TENSOR),
  };
}

function tensor(value: { dtype: DataType; floatVal?: number[]; stringVal?: Uint8Array[] }): Value['value'] {
  return { case: 'tensor', value: { tensorShape: {}, ...value } };
}

/** TensorBoard takes a tag's metadata from its first event in a file. */
function metadata(
  { tags }: Run['holds'],
  tag: string,
  pluginName: string,
  dataClass: DataClass,
  summaryDescription?: string,
): Value['metadata'] {
  return tags.has(tag) ? undefined : { pluginData: { pluginName }, dataClass, summaryDescription };
}
