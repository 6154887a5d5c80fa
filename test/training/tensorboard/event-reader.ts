import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fields of a protobuf message by number: varints and fixed-width numbers as numbers, the rest as bytes. */
type Fields = Map<number, (number | Buffer)[]>;

/** One value of one event, as a reader that shares no code with the writer finds it. */
export interface ReadScalar {
  readonly tag: string;
  readonly step: number;
  readonly wallTime: number;
  readonly value: number;
  readonly dtype: number;
  readonly plugin?: string;
  readonly description?: string;
  readonly dataClass?: number;
}

/** CRC-32C bit by bit: reflected polynomial 0x82f63b78. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** The records of a TFRecord file. Throws at a wrong checksum or a record that is cut off. */
export function readRecords(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    if (unmasked(bytes.readUInt32LE(at + 8)) !== crc32c(bytes.subarray(at, at + 8))) {
      throw new Error('length checksum');
    }
    const data = bytes.subarray(at + 12, at + 12 + length);
    if (unmasked(bytes.readUInt32LE(at + 12 + length)) !== crc32c(data)) {
      throw new Error('data checksum');
    }
    records.push(data);
    at += length + 16;
  }
  return records;
}

/** A TFRecord file without a last record that was cut off, as TensorBoard reads it. */
export function wholeRecords(bytes: Buffer): Buffer {
  let end = 0;
  for (let next = 0; next <= bytes.length; ) {
    end = next;
    next = end + 12 <= bytes.length ? end + 16 + Number(bytes.readBigUInt64LE(end)) : Number.POSITIVE_INFINITY;
  }
  return bytes.subarray(0, end);
}

function readFields(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = take(1)[0]!;
      value += (byte & 127) * scale;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const type = key & 7;
    let value: number | Buffer;
    if (type === 0) {
      value = varint();
    } else if (type === 1) {
      value = take(8).readDoubleLE();
    } else if (type === 2) {
      value = take(varint());
    } else if (type === 5) {
      value = take(4).readFloatLE();
    } else {
      throw new Error(`wire type ${type}`);
    }
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), value]);
  }
  return fields;
}

/** One tensor of one event. */
interface ReadValue {
  readonly tag: string;
  readonly step: number;
  readonly wallTime: number;
  readonly tensor: Fields;
  readonly metadata?: Fields;
}

/** The summaries of one event file. The first record must be the file version and nothing else. */
function readValues(bytes: Buffer): ReadValue[] {
  const [version, ...events] = readRecords(bytes).map(readFields);
  if (String(version?.get(3)) !== 'brain.Event:2' || version?.has(5)) {
    throw new Error('no file version');
  }
  return events
    .filter((event) => event.has(5))
    .flatMap((event) => {
      const values = readFields(event.get(5)![0] as Buffer).get(1) as Buffer[];
      return values.map(readFields).map((value) => ({
        tag: String(value.get(1)),
        step: (event.get(2)?.[0] ?? 0) as number,
        wallTime: event.get(1)![0] as number,
        tensor: readFields(value.get(8)![0] as Buffer),
        ...(value.has(9) && { metadata: readFields(value.get(9)![0] as Buffer) }),
      }));
    })
    .map((value) => {
      if ((value.tensor.get(2)![0] as Buffer).length > 0) {
        throw new Error('not a scalar');
      }
      return value;
    });
}

const pluginOf = (metadata: Fields) => String(readFields(metadata.get(1)![0] as Buffer).get(1));

/** The numbers of one event file. */
export function readScalars(bytes: Buffer): ReadScalar[] {
  return readValues(bytes)
    .filter(({ tensor }) => tensor.has(5))
    .map(({ tag, step, wallTime, tensor, metadata }) => ({
      tag,
      step,
      wallTime,
      value: (tensor.get(5)![0] as Buffer).readFloatLE(0),
      dtype: tensor.get(1)![0] as number,
      ...(metadata && {
        plugin: pluginOf(metadata),
        description: String(metadata.get(3)),
        dataClass: metadata.get(4)![0] as number,
      }),
    }));
}

/** One text of one event. */
export interface ReadText {
  readonly tag: string;
  readonly step: number;
  readonly dtype: number;
  readonly text: Buffer;
  readonly plugin?: string;
  readonly dataClass?: number;
}

/** The texts of one event file, and its layouts. */
export function readTexts(bytes: Buffer): ReadText[] {
  return readValues(bytes)
    .filter(({ tensor }) => tensor.has(8))
    .map(({ tag, step, tensor, metadata }) => ({
      tag,
      step,
      dtype: tensor.get(1)![0] as number,
      text: tensor.get(8)![0] as Buffer,
      ...(metadata && { plugin: pluginOf(metadata), dataClass: metadata.get(4)![0] as number }),
    }));
}

/** The steps at which one event file says that a run starts. */
export function readStarts(bytes: Buffer): number[] {
  return readRecords(bytes)
    .map(readFields)
    .filter((event) => event.has(7) && readFields(event.get(7)![0] as Buffer).get(1)![0] === 1)
    .map((event) => (event.get(2)?.[0] ?? 0) as number);
}

/** Event files of a folder, oldest first. */
export function eventFiles(logdir: string): string[] {
  return readdirSync(logdir)
    .sort()
    .map((name) => join(logdir, name));
}

/** The scalars of a folder's only event file, or what else `read` finds in it. */
export function readLogdir(logdir: string): ReadScalar[];
export function readLogdir<T>(logdir: string, read: (bytes: Buffer) => T): T;
export function readLogdir(logdir: string, read: (bytes: Buffer) => unknown = readScalars): unknown {
  const files = eventFiles(logdir);
  if (files.length !== 1) {
    throw new Error(`${files.length} event files in ${logdir}`);
  }
  return read(readFileSync(files[0]!));
}
