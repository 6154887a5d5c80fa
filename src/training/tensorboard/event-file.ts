import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { EventSchema } from './event_pb.js';
import { tfRecord } from './record.js';

/** A TensorBoard event file that is open for writing. */
export interface EventFile {
  /**
   * Appends one event and hands it to the operating system before it returns: what was appended survives a process that
   * is killed. Throws what `writeSync` throws, for example when the disk is full; the event that was cut off is then
   * kept and completed by the next call, so that the file never holds a broken record between whole ones.
   */
  append(event: MessageInitShape<typeof EventSchema>): void;
  /** Closes the file. */
  close(): void;
}

/** Tells apart the files that this process opens within one second. */
let opened = 0;

/** Opens a file that did not exist; the name is the one TensorFlow gives, which TensorBoard knows by `tfevents`. */
function openNew(logdir: string): number {
  for (;;) {
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${opened++}.v2`;
    try {
      return openSync(join(logdir, name), 'ax');
    } catch (error) {
      // Another thread of this process counts for itself, and so does a process of the same id in another container.
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
  const descriptor = openNew(logdir);
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
    close: () => closeSync(descriptor),
  };
  try {
    file.append({ wallTime: Date.now() / 1000, what: { case: 'fileVersion', value: 'brain.Event:2' } });
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}
