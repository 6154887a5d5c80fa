import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { from } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTensorBoard, tensorBoardInstalled } from '../../../scripts/tensorboard-server.js';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { accumulateEvents } from './event-accumulator.js';
import { expectedCharts, trainingReadings } from './training.js';

let logdir: string;
beforeEach(() => {
  logdir = mkdtempSync(join(tmpdir(), 'real-tensorboard-'));
});
afterEach(() => rmSync(logdir, { recursive: true }));

/** More than the 1,000 points a chart that TensorBoard keeps by default. */
const readings: SharpnessReading[] = trainingReadings(1200, 7).map((reading, index) =>
  index === 600
    ? { ...reading, scales: reading.scales.map((scale, layer) => ({ ...scale, alpha: layer ? Infinity : 0 })) }
    : reading,
);

const expected = expectedCharts(readings);

describe.skipIf(!tensorBoardInstalled)('TensorBoard', () => {
  it('reads every tag and step, value by value, with its EventAccumulator', () => {
    const before = Date.now() / 1000;
    from(readings).subscribe(tensorBoardWriter(logdir));
    const after = Date.now() / 1000;

    const found = accumulateEvents(logdir);

    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [tag, { points, plugin, dataClass, description, wallTimes }] of Object.entries(found)) {
      expect(points).toEqual(expected[tag]);
      expect({ plugin, dataClass }).toEqual({ plugin: 'scalars', dataClass: 'DATA_CLASS_SCALAR' });
      expect(description).toMatch(/^\S.*\.$/);
      expect(wallTimes.every((time, index) => time >= (wallTimes[index - 1] ?? before) && time <= after)).toBe(true);
    }
  });

  // Its fast reader, which is the default, and the one in Python that it falls back to.
  it.each([[['--load_fast', 'true']], [['--load_fast', 'false']]])(
    'serves every tag, step, value and description (%s)',
    async (options) => {
      from(readings).subscribe(tensorBoardWriter(join(logdir, 'train')));
      from(readings.slice(0, 5)).subscribe(tensorBoardWriter(join(logdir, 'validation')));
      const server = await startTensorBoard(logdir, options);
      try {
        for (const [run, charts] of [
          ['train', expected],
          ['validation', expectedCharts(readings.slice(0, 5))],
        ] as const) {
          for (const [tag, points] of Object.entries(charts)) {
            await until(async () => (await servedPoints(server.url, run, tag)).length >= points.length);
            expect(await servedPoints(server.url, run, tag)).toEqual(points);
          }
          const tags = (await served(server.url, 'tags')) as Record<string, Record<string, { description: string }>>;
          expect(Object.keys(tags[run]!).sort()).toEqual(Object.keys(charts).sort());
          for (const { description } of Object.values(tags[run]!)) {
            expect(description).toMatch(/^<p>.*<\/p>$/);
          }
        }
      } finally {
        await server.stop();
      }
    },
  );

  it('shows readings that come while it runs, also from a second fit into the same folder', async () => {
    const writer = tensorBoardWriter(logdir);
    writer.next(readings[0]!);
    const server = await startTensorBoard(logdir);
    try {
      const shown = (steps: number) =>
        until(async () => (await servedPoints(server.url, '.', 'sharpness/minimum')).length === steps);
      await shown(1);
      writer.next(readings[1]!);
      await shown(2);
      writer.complete();
      tensorBoardWriter(logdir).next(readings[2]!);
      await shown(3);
      expect(await servedPoints(server.url, '.', 'sharpness/minimum')).toEqual(
        expected['sharpness/minimum']!.slice(0, 3),
      );
    } finally {
      await server.stop();
    }
  });
});

async function served(url: string, route: string): Promise<unknown> {
  const response = await fetch(`${url}data/plugin/scalars/${route}`);
  return response.ok ? response.json() : undefined;
}

/** The points `[step, value]` that TensorBoard serves for one chart; none where it does not know the chart yet. */
async function servedPoints(url: string, run: string, tag: string): Promise<[number, number][]> {
  const query = new URLSearchParams({ run, tag });
  const points = (await served(url, `scalars?${query}`)) as [number, number, number | string][] | undefined;
  return (points ?? []).map(([, step, value]) => [step, Number(value)]);
}

/** Waits for TensorBoard to read what it should; the test's own time limit ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await sleep(200);
  }
}
