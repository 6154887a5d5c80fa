import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tensorBoardInstalled } from '../../../scripts/tensorboard-server.js';
import { readJsonLines } from '../../../src/node.js';
import { accumulateEvents } from '../tensorboard/event-accumulator.js';
import { eventFiles, readScalars, wholeRecords } from '../tensorboard/event-reader.js';

/*
 * What holds for every sink, tried in processes of their own. They are bundled, and start without tf.js in a few hundredths of a second.
 */

let folder: string;
let program: string;
beforeAll(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'every-sink-'));
  program = join(folder, 'emit.mjs');
  await build({
    entryPoints: ['test/training/files/emit-everywhere.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Readings that one of the killed processes emitted are known by their step. */
const STRIDE = 100_000;

it('every reading is there once, in each, after 50 kills at random moments', { timeout: 300_000 }, async () => {
  const logs = join(folder, 'killed');
  // A generator with a seed: which moments they are on the machine, it decides.
  let state = 1;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const emitted: number[] = [];
  for (let kill = 1; kill <= 50; kill++) {
    const child = spawn(process.execPath, [program, logs, String(kill * STRIDE), '1000000'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    await sleep(20 * random());
    child.kill('SIGKILL');
    await closed;
    // A line that was cut off is said so, and nothing else is.
    expect(
      said.replace(/^\w+Writer: the last line of .* was cut off when it was written, and is taken away: .*\n/gm, ''),
    ).toBe('');
    emitted.push(...printed.slice(0, printed.lastIndexOf('\n')).split('\n').map(Number));
  }
  expect(emitted.length).toBeGreaterThanOrEqual(50);

  const files = eventFiles(join(logs, 'run'));
  expect(files).toHaveLength(50);
  const scalars = files.flatMap((file) => readScalars(wholeRecords(fs.readFileSync(file))));
  const csv = fs.readFileSync(join(logs, 'readings.csv'), 'utf8').split('\n');
  // The last process was killed too, perhaps within a row.
  const rows = csv.slice(1, -1).map((line) => line.split(','));
  const found: Record<string, [number, number][]> = {
    tensorboard: scalars.filter(({ tag }) => tag === 'sharpness/minimum').map(({ step, value }) => [step, value]),
    jsonLines: readJsonLines(join(logs, 'readings.jsonl')).map((each) => [each.step!, each.minimumSharpness]),
    csv: rows.map(([step, , minimum]) => [Number(step), Number(minimum)]),
  };
  for (const [sink, points] of Object.entries(found)) {
    const steps = points.map(([step]) => step);
    expect(new Set(steps).size, sink).toBe(steps.length);
    // What was written and not printed yet when the kill came: one of each process at most.
    const known = new Set(steps);
    expect(
      emitted.filter((step) => !known.has(step)),
      sink,
    ).toEqual([]);
    expect(steps.length - emitted.length, sink).toBeLessThanOrEqual(50);
    expect(steps, sink).toEqual(steps.toSorted((a, b) => a - b));
    for (const [step, minimum] of points) {
      expect(minimum).toBe(Math.fround(step / 8));
    }
  }
  if (tensorBoardInstalled) {
    const { points } = accumulateEvents(join(logs, 'run'))['sharpness/minimum']!;
    expect(points).toEqual(found.tensorboard);
  }
});

it('100,000 readings through each leave memory and handles as they are', { timeout: 600_000 }, () => {
  const output = execFileSync(process.execPath, ['--expose-gc', program, join(folder, 'many'), '1', '100000', 'flat'], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  type Sample = { done: number; heap: number; handles: number };
  const samples = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
  const [first, last] = [samples[0]!, samples.at(-1)!];
  expect(last.done).toBe(100_000);
  expect(new Set(samples.map(({ handles }) => handles)).size).toBe(1);
  // 90,000 readings kept, or one number of each, would be more.
  expect(last.heap - first.heap).toBeLessThan(2 ** 19);
  expect(readJsonLines(join(folder, 'many', 'readings.jsonl'))).toHaveLength(100_000);
  const lines = fs.readFileSync(join(folder, 'many', 'readings.csv'), 'utf8').split('\n');
  expect(lines).toHaveLength(100_002);
});
