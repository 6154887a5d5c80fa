import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { runRecorder } from '../../src/report/report-run.js';
import { shownRuns } from '../../src/report/shown-runs.js';

/** A reading as a line of JSON has it. */
export function reading(step: number | undefined, minimumSharpness: number | string | null, more: object = {}) {
  return {
    ...(step !== undefined && { step, epoch: Math.floor(step / 100) }),
    minimumSharpness,
    standardError: 0.5,
    reliable: true,
    trace: 30,
    parameters: [
      { name: 'first/kernel', layer: 'first', trace: 10 },
      { name: 'first/bias', layer: 'first', trace: 2 },
      { name: 'head/kernel', layer: 'head', trace: 18 },
    ],
    scales: [{ layer: 'first', alpha: 0.5 }],
    samples: 100,
    method: 'sampled',
    pairs: 50,
    exact: true,
    assumptions: ['The frozen weights of first are left out.'],
    durationMs: 3,
    ...more,
  };
}

/** A training whose sharpness falls. */
export const falling = (count: number, from = 20) =>
  Array.from({ length: count }, (_, i) => reading((i + 1) * 10, from / (1 + i / 5), { logs: { loss: 1 / (i + 1) } }));

export const lines = (objects: readonly object[]) => objects.map((each) => `${JSON.stringify(each)}\n`).join('');

/** A folder for the tests of a file, which goes with them. */
export function testFolder() {
  const path = mkdtempSync(join(tmpdir(), 'report-'));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    at: (name: string) => join(path, name),
    write(name: string, content: string | Uint8Array) {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
  };
}

export const bytes = (text: string) => new TextEncoder().encode(text);

/** What a reader finds in a text. */
export function found<T>(read: (take: (object: object, part?: string) => void) => T) {
  const objects: object[] = [];
  const parts: (string | undefined)[] = [];
  const result = read((object, part) => {
    objects.push(object);
    parts.push(part);
  });
  return { objects, parts, result };
}

/** Runs of these objects, as they are shown. */
export function shownOf(lists: readonly (readonly object[])[], nameOf = (i: number) => `run ${i}`) {
  return shownRuns(
    lists.map((objects, i) => {
      const recorder = runRecorder();
      for (const each of objects) {
        recorder.take(each);
      }
      return recorder.run(nameOf(i));
    }),
  );
}
