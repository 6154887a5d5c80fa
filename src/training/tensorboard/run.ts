import { mkdirSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type CustomChart, LAYOUT_TAG, layoutOf } from './custom-charts.js';
import { DataClass, DataType, SessionLog_SessionStatus, type Summary_ValueSchema } from './event_pb.js';
import { type EventFile, eventFilesOf, holdsTags, openEventFile } from './event-file.js';
import { otherWriter } from './other-writer.js';
import { eigenvalueTags, type ScalarPoint } from './scalars.js';

/** One writer's way into a run. */
export interface RunWriter {
  /**
   * Appends all of it as one event.
   *
   * @param text about the points, in Markdown. It is written under `<prefix>/reading` where it is another than the last, and with
   *   the first one, that TensorBoard's page of custom scalars shows the interval of `<prefix>/minimum`; with the first eigenvalue, that too.
   * @throws Error with one line where the file was removed and another process or thread writes to the folder now; what
   *   `openEventFile` and `append` throw.
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
  /** Absolute. */
  readonly logdir: string;
  readonly prefixes: Set<string>;
  /** By their names, also those of writers that have ended: TensorBoard takes a run's latest layout. */
  readonly charts: Map<string, CustomChart>;
  /** Whether a new event file voids what files before it hold of its first step and later ones. */
  readonly purge: boolean;
  /** Undefined where it was removed, and could not be made anew. */
  file: EventFile | undefined;
  /** What the file holds already. */
  holds: {
    start: boolean;
    /** Tags with their metadata. */
    readonly tags: Set<string>;
    /** Names of the charts in its layout. */
    readonly charts: Set<string>;
    /** The last text of each prefix. */
    readonly texts: Map<string, string>;
  };
}

/** By the folder's real path. */
const runs = new Map<string, Run>();

/** Charts of each folder that was written to, by its real path. */
const chartsOf = new Map<string, Run['charts']>();

const nothing = (): Run['holds'] => ({ start: false, tags: new Set(), charts: new Set(), texts: new Map() });

/**
 * Joins the run of a folder, which is made where it is missing, with a new event file if this is the only writer.
 *
 * @param onRemoved told that the event file was removed and is made anew.
 * @param purge whether a new event file voids what files before it hold of its first step and later ones: the same for all writers of
 *   the file.
 * @throws Error with one line where a writer of this process has the same prefix there or another `purge`, or another process or thread writes to the
 *   folder; what `mkdirSync` and `openEventFile` throw.
 */
export function joinRun(folder: string, prefix: string, onRemoved: () => void, purge = true): RunWriter {
  // Programs change their folder.
  const logdir = resolve(folder);
  mkdirSync(logdir, { recursive: true });
  const path = realpathSync(logdir);
  const charts = chartsOf.get(path) ?? new Map<string, CustomChart>();
  const run = runs.get(path) ?? {
    logdir,
    prefixes: new Set(),
    charts,
    purge,
    file: openAlone(logdir),
    holds: nothing(),
  };
  if (run.prefixes.has(prefix)) {
    throw new Error(
      `another writer of this program draws into the same charts, '${prefix}/...': give each a folder of its own or a prefix, or end the ` +
        'other by dispose() of its callback',
    );
  }
  if (run.purge !== purge) {
    throw new Error(
      `another writer of this program, '${[...run.prefixes].join("', '")}', has { purge: ${run.purge} }, and they share one file: give both ` +
        'the same, or each a folder of its own',
    );
  }
  runs.set(path, run);
  chartsOf.set(path, charts);
  run.prefixes.add(prefix);

  return {
    write(points, step, text) {
      if (run.file?.isRemoved()) {
        onRemoved();
        run.file.close();
        run.file = undefined;
        charts.clear();
      }
      if (run.file === undefined) {
        run.file = openAlone(logdir);
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

/** The new file comes first, so that of two that start at once one at least sees the other. */
function openAlone(logdir: string): EventFile {
  const file = openEventFile(logdir);
  const other = otherWriter(logdir);
  if (other !== undefined) {
    file.discard();
    const each = other.kind === 'thread' ? 'thread' : 'program';
    throw new Error(`${other.name} is writing to it: give each ${each} a folder of its own`);
  }
  return file;
}

/** Beyond all steps. */
const NEVER = 2n ** 62n;

/**
 * Where TensorBoard shall take it that a run goes on: of that step and later ones it leaves out what the files before this one hold, under
 * all tags. Where they hold none of this program's prefixes, nothing must go. A start is written there too: TensorBoard takes the first of
 * a run for its beginning, and only those after it for resumptions.
 */
function startOf({ logdir, prefixes, purge }: Run, step: bigint): bigint {
  const files = eventFilesOf(logdir);
  const isKnown = (prefix: string) => files.some((file) => holdsTags(file, prefix));
  return purge && (files.length === 1 || [...prefixes].some(isKnown)) ? step : NEVER;
}

function append(
  run: Run,
  file: EventFile,
  prefix: string,
  points: readonly ScalarPoint[],
  step: number,
  text: string | undefined,
): void {
  const { holds } = run;
  const moment = { wallTime: Date.now() / 1000, step: BigInt(step) };
  if (!holds.start) {
    const what = { case: 'sessionLog' as const, value: { status: SessionLog_SessionStatus.START } };
    file.append({ ...moment, step: startOf(run, moment.step), what });
    holds.start = true;
  }
  const values: MessageInitShape<typeof Summary_ValueSchema>[] = points.map(({ tag, value, description }) => ({
    tag,
    // A number beyond float32 is infinite there.
    value: tensor({ dtype: DataType.DT_FLOAT, floatVal: [Math.fround(value)] }),
    metadata: metadata(holds, tag, 'scalars', DataClass.SCALAR, description),
  }));
  const isNewText = text !== undefined && text !== holds.texts.get(prefix);
  const charts = text === undefined ? [] : chartsOfPoints(points, prefix);
  const isNewChart = charts.some(([name]) => !holds.charts.has(name));
  if (isNewText) {
    values.push(bytesOf(holds, `${prefix}/reading`, 'text', new TextEncoder().encode(text)));
  }
  if (isNewChart) {
    values.push(bytesOf(holds, LAYOUT_TAG, 'custom_scalars', layoutOf(new Map([...run.charts, ...charts]).values())));
  }
  file.append({ ...moment, what: { case: 'summary', value: { value: values } } });

  for (const { tag } of values) {
    holds.tags.add(tag!);
  }
  if (isNewText) {
    holds.texts.set(prefix, text);
  }
  for (const [name, chart] of isNewChart ? charts : []) {
    holds.charts.add(name);
    run.charts.set(name, chart);
  }
}

/** The charts that a reading's points ask for, by name. */
function chartsOfPoints(points: readonly ScalarPoint[], prefix: string): [name: string, chart: CustomChart][] {
  const hasEigenvalue = points.some(({ tag }) => tag === eigenvalueTags(prefix).value);
  const shown: CustomChart['shows'][] = hasEigenvalue ? ['interval', 'eigenvalue'] : ['interval'];
  return shown.map((shows) => [`${prefix} ${shows}`, { prefix, shows }]);
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
