import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { counted, enumerateNames } from '../names.js';
import {
  DataType,
  type Event,
  EventSchema,
  SessionLog_SessionStatus,
  type Summary_Value,
} from '../training/tensorboard/event_pb.js';
import { tfRecords } from '../training/tensorboard/record.js';
import type { Take } from './report-run.js';

/** Whether a file is one that TensorBoard reads: by its name, or since it begins as a file of records does. */
export function isEventFile(name: string, bytes: Uint8Array): boolean {
  return /\btfevents\b/.test(name) || !tfRecords(bytes.subarray(0, 2 ** 12)).next().done;
}

/** The event files in a folder and in those below it, by folder; oldest first, as TensorBoard reads them. */
export async function eventFilesIn(folder: string): Promise<Map<string, string[]>> {
  const found = await readdir(folder, { recursive: true });
  const folders = new Map<string, string[]>();
  for (const name of found.filter((each) => /\btfevents\b[^/\\]*$/.test(each)).sort()) {
    const path = join(folder, name);
    folders.set(dirname(path), [...(folders.get(dirname(path)) ?? []), path]);
  }
  return folders;
}

/** What belongs to one prefix, while its files are read. */
interface Prefix {
  /** What `reading` says is taken for granted, for the readings that follow. */
  assumptions: readonly string[];
  readings: EventReading[];
}

interface EventReading {
  readonly step: number;
  /** By tag, less the prefix: `/minimum`, `_alpha/dense`. */
  readonly values: Map<string, number>;
  readonly assumptions: readonly string[];
}

/**
 * Reads the scalars that `tensorBoardWriter` writes, and takes them for readings: each prefix with a tag `<prefix>/minimum` is a run. As in
 * TensorBoard, a file that says that a training goes on from a step voids what came before of that step and later ones.
 *
 * @param paths of the files of one folder, oldest first.
 * @returns what was left out, one sentence each.
 */
export async function readEventFiles(paths: readonly string[], take: Take): Promise<string[]> {
  const notes: string[] = [];
  const files: Uint8Array[] = [];
  for (const path of paths) {
    files.push(await readFile(path));
  }
  const tags = new Set<string>();
  for (const [i, bytes] of files.entries()) {
    const cut = eachEvent(bytes, (event) => {
      for (const { tag } of valuesOf(event)) {
        tags.add(tag);
      }
    });
    if (cut > 0) {
      notes.push(`the last ${counted(cut, 'byte')} of '${paths[i]}' left out: a record there is cut off or broken`);
    }
  }
  const prefixes = new Map(
    [...tags]
      .filter((tag) => tag.endsWith(MINIMUM))
      .map((tag): [string, Prefix] => [tag.slice(0, -MINIMUM.length), { assumptions: [], readings: [] }]),
  );
  // The longest: of 'a' and 'a_trace' both may be prefixes.
  const prefixFor = (tag: string) =>
    [...prefixes.keys()].filter((prefix) => isUnder(tag, prefix)).sort((a, b) => b.length - a.length)[0];
  const prefixOf = new Map([...tags].map((tag) => [tag, prefixFor(tag)] as const));
  for (const bytes of files) {
    eachEvent(bytes, (event) => {
      takeEvent(event, prefixes, prefixOf);
    });
  }
  for (const [name, { readings }] of prefixes) {
    for (const reading of readings) {
      take(objectOf(reading), prefixes.size > 1 ? name : undefined);
    }
  }
  const others = [...tags].filter((tag) => prefixOf.get(tag) === undefined && !isLayout(tag));
  const logged = others.filter((tag) => /^epoch_.*sharpness$/i.test(tag));
  return [
    ...notes,
    ...(logged.length > 0
      ? [
          `${enumerateNames(logged)} left out: logs of epochs have no errors, and go on with the last value where there was no reading; ` +
            'tensorBoardWriter writes readings',
        ]
      : []),
    ...(others.length > logged.length
      ? [`other tags left out: ${enumerateNames(others.filter((tag) => !logged.includes(tag)))}`]
      : []),
  ];
}

const MINIMUM = '/minimum';
const isLayout = (tag: string) => tag.startsWith('custom_scalars__');
const groups = /^(?:\/|_(?:interval|alpha|trace|logs|control)\/)/;
const isUnder = (tag: string, prefix: string) => tag.startsWith(prefix) && groups.test(tag.slice(prefix.length));

const valuesOf = ({ what }: Event): readonly Summary_Value[] => (what.case === 'summary' ? what.value.value : []);

/** @returns how many bytes at the end are no whole record. */
function eachEvent(bytes: Uint8Array, act: (event: Event) => void): number {
  const records = tfRecords(bytes);
  for (;;) {
    const { done, value } = records.next();
    if (done) {
      return value;
    }
    try {
      act(fromBinary(EventSchema, value));
    } catch {
      // A record of something else, with a good checksum.
    }
  }
}

function takeEvent(
  event: Event,
  prefixes: ReadonlyMap<string, Prefix>,
  prefixOf: ReadonlyMap<string, string | undefined>,
): void {
  const step = Number(event.step);
  if (event.what.case === 'sessionLog' && event.what.value.status === SessionLog_SessionStatus.START) {
    for (const prefix of prefixes.values()) {
      prefix.readings = prefix.readings.filter((reading) => reading.step < step);
    }
  }
  const values = valuesOf(event).flatMap((value) => {
    const name = prefixOf.get(value.tag);
    return name === undefined ? [] : [{ value, prefix: prefixes.get(name)!, rest: value.tag.slice(name.length) }];
  });
  for (const { value, prefix, rest } of values) {
    if (rest === '/reading') {
      prefix.assumptions = assumptionsOf(value);
    }
  }
  for (const { value, prefix, rest } of values) {
    const number = numberOf(value);
    if (number !== undefined) {
      let reading = prefix.readings.at(-1);
      // Other writers give each number an event of its own.
      if (reading === undefined || reading.step !== step || reading.values.has(rest)) {
        reading = { step, values: new Map(), assumptions: prefix.assumptions };
        prefix.readings.push(reading);
      }
      reading.values.set(rest, number);
    }
  }
}

/** A scalar, as the programs of ten years have written it; undefined for anything else. */
function numberOf({ value }: Summary_Value): number | undefined {
  if (value.case === 'simpleValue') {
    return value.value;
  }
  const tensor = value.case === 'tensor' ? value.value : undefined;
  if (tensor === undefined || (tensor.tensorShape?.dim ?? []).some(({ size }) => size !== 1n)) {
    return undefined;
  }
  const { buffer, byteOffset, byteLength } = tensor.tensorContent;
  const content = new DataView(buffer, byteOffset, byteLength);
  switch (tensor.dtype) {
    case DataType.DT_FLOAT:
      return tensor.floatVal[0] ?? (byteLength === 4 ? content.getFloat32(0, true) : undefined);
    case DataType.DT_DOUBLE:
      return tensor.doubleVal[0] ?? (byteLength === 8 ? content.getFloat64(0, true) : undefined);
    default:
      return undefined;
  }
}

/** The sentences of the list that `readingText` writes. */
function assumptionsOf({ value }: Summary_Value): string[] {
  const bytes = value.case === 'tensor' ? value.value.stringVal[0] : undefined;
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines.filter((line) => line.startsWith('- ')).map((line) => line.slice(2));
}

/** Of a reading, what TensorBoard has; what it does not say of its error and of a collapse is in the sentences. */
function objectOf({ step, values, assumptions }: EventReading): object {
  const under = (prefix: string) =>
    [...values].flatMap(([tag, value]) => (tag.startsWith(prefix) ? [[tag.slice(prefix.length), value] as const] : []));
  const minimum = values.get(MINIMUM);
  const logs = Object.fromEntries([
    ...under('_logs/'),
    ...under('_control/').map(([name, value]) => [`set: ${name}`, value] as const),
  ]);
  if (minimum === undefined) {
    return { step, logs };
  }
  const error = values.get('/standard_error');
  const says = (words: string) => assumptions.some((sentence) => sentence.includes(words));
  return {
    step,
    minimumSharpness: minimum,
    ...(error !== undefined && { standardError: error, reliable: !says('The standard error is not reliable') }),
    trace: values.get('/trace'),
    ...(says('no sign of a good minimum') && { collapsed: true }),
    scales: under('_alpha/').map(([layer, alpha]) => ({ layer, alpha })),
    parameters: under('_trace/').map(([name, trace]) => ({ name, layer: name.replace(/\.[^.]*$/, ''), trace })),
    assumptions,
    logs,
  };
}
