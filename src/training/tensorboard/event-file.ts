import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { EventSchema } from './event_pb.js';
import { numberOfFile } from './other-writer.js';
import { tfRecord } from './record.js';

/** A TensorBoard event file that is open for writing. */
export interface EventFile {
  /**
   * Appends one event and hands it to the operating system before it returns: what was appended survives a process that
   * is killed. Throws what `writeSync` throws, for example when the disk is full; the event that was cut off is then
   * kept and completed by the next call, so that the file never holds a broken record between whole ones.
   */
  append(event: MessageInitShape<typeof EventSchema>): void;
  /** Whether the file was removed, alone or with its folder. What is appended to it then is seen by nobody. */
  isRemoved(): boolean;
  /** Closes the file. */
  close(): void;
  /** Closes the file and removes it. */
  discard(): void;
}

/** By this thread. */
let opened = 0;

/**
 * Opens a file that did not exist; the name is the one TensorFlow gives, which TensorBoard knows by `tfevents`. TensorBoard reads the
 * files of a folder in the order of their names, and those that sort before the one that it is reading never: the second in the
 * name is the present one, or the one after the latest file's, where that was made within this second or by a clock that is ahead.
 */
function openNew(logdir: string): { descriptor: number; path: string } {
  for (;;) {
    const seconds = readdirSync(logdir).map((name) => Number(/\btfevents\.(\d{10})\./.exec(name)?.[1] ?? 0));
    const latest = seconds.reduce((a, b) => Math.max(a, b), 0);
    const second = String(Math.max(Math.floor(Date.now() / 1000), latest + 1)).padStart(10, '0');
    const path = join(
      logdir,
      `events.out.tfevents.${second}.${hostname()}.${process.pid}.${numberOfFile(opened++)}.v2`,
    );
    try {
      return { descriptor: openSync(path, 'ax'), path };
    } catch (error) {
      // A process of the same id in another container, or another copy of this module, counts for itself.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
  }
}

/**
 * Creates a new event file in `logdir`, which is made where it is missing. Never writes to a file that exists.
 *
 * @throws what `mkdirSync`, `openSync` and `writeSync` throw.
 */
export function openEventFile(logdir: string): EventFile {
  mkdirSync(logdir, { recursive: true });
  const { descriptor, path } = openNew(logdir);
  let unwritten: Uint8Array = new Uint8Array(0);

  function drain(): void {
    while (unwritten.length > 0) {
      unwritten = unwritten.subarray(writeSync(descriptor, unwritten));
    }
  }

  const file: EventFile = {
    append(event) {
      drain();
      unwritten = tfRecord(toBinary(EventSchema, create(EventSchema, event)));
      drain();
    },
    isRemoved: () => fstatSync(descriptor).nlink === 0,
    close: () => closeSync(descriptor),
    discard() {
      closeSync(descriptor);
      unlinkSync(path);
    },
  };
  try {
    file.append({ wallTime: Date.now() / 1000, what: { case: 'fileVersion', value: 'brain.Event:2' } });
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}

/** The paths of all event files in a folder. @throws what `readdirSync` throws. */
export function eventFilesOf(logdir: string): string[] {
  return readdirSync(logdir)
    .filter((name) => /\btfevents\./.test(name))
    .map((name) => join(logdir, name));
}

const BLOCK = 2 ** 20;

/**
 * Whether a file holds tags of a prefix: `<prefix>/...`, `<prefix>_logs/...` or `<prefix>_control/...`, one of which is in all that is
 * written under it. Found by their bytes: a tag is the first field of its value, and stands behind that field's key and its length, of one
 * byte or two. A file that cannot be read holds none.
 */
export function holdsTags(path: string, prefix: string): boolean {
  const bytes = Buffer.from(prefix).toString('latin1');
  const tag = new RegExp(`\n[\x80-\xff]?[^]${bytes.replace(/\W/g, '\\$&')}(?:_logs|_control)?/`);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const block = Buffer.alloc(BLOCK);
    // Blocks overlap by what the beginning of a tag may take.
    for (let at = 0; ; at += BLOCK - bytes.length - 16) {
      const length = readSync(descriptor, block, 0, BLOCK, at);
      if (tag.test(block.toString('latin1', 0, length))) {
        return true;
      }
      if (length < BLOCK) {
        return false;
      }
    }
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) {
      closeSync(descriptor);
    }
  }
}
