import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { from, map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startTensorBoard, type TensorBoardServer, tensorBoardInstalled } from '../../../scripts/tensorboard-server.js';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { openEventFile } from '../../../src/training/tensorboard/event-file.js';
import { accumulateEvents } from './event-accumulator.js';
import { expectedCharts, trainingReadings } from './training.js';

const LIMIT = { timeout: 180_000 };

/** A TensorBoard until the test is over, however that ends. */
async function started(logdir: string, options: string[] = []): Promise<TensorBoardServer> {
  const server = await startTensorBoard(logdir, options);
  onTestFinished(server.stop);
  return server;
}

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
    LIMIT,
    async (options) => {
      from(readings).subscribe(tensorBoardWriter(join(logdir, 'train')));
      from(readings.slice(0, 5)).subscribe(tensorBoardWriter(join(logdir, 'validation')));
      const server = await started(logdir, options);
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
    },
  );

  const goesOn = [10, 20, 30, 40, 50, 60, 70].map((step): [number, number] => [step, step < 30 ? 1 : 2]);

  /** A training that was resumed at step 20, after step 50. */
  function resume(folder: string): void {
    for (const [minimumSharpness, ...steps] of [
      [1, 10, 20, 30, 40, 50],
      [2, 30, 40, 50, 60, 70],
    ]) {
      from(steps)
        .pipe(map((step) => ({ ...readings[0]!, step, minimumSharpness })))
        .subscribe(tensorBoardWriter(folder));
    }
  }

  /** Beside a file without a start, folds one after the other, each with charts of its own; then the second goes on at an earlier step. */
  function folds(folder: string): void {
    openEventFile(folder).close();
    for (const [prefix, minimumSharpness, ...steps] of [
      ['fold1', 1, 10, 20],
      ['fold2', 2, 5, 10, 20, 30, 40],
      ['fold2', 3, 30, 40, 50],
    ] as const) {
      from(steps)
        .pipe(map((step) => ({ ...readings[0]!, step, minimumSharpness })))
        .subscribe(tensorBoardWriter(folder, { prefix }));
    }
  }

  it.each([[['--load_fast', 'true']], [['--load_fast', 'false']]])(
    'serves resumed runs, prefixes, logs, infinite values, texts and the interval (%s)',
    LIMIT,
    async (options) => {
      resume(join(logdir, 'resumed'));
      folds(join(logdir, 'folds'));

      const shared = join(logdir, 'shared');
      const writers = ['train', 'validation'].map((prefix) => tensorBoardWriter(shared, { prefix }));
      const [reading] = readings as [SharpnessReading];
      const write = (step: number) => {
        for (const writer of writers) {
          writer.next({ ...reading, step, minimumSharpness: step, standardError: 1e39 });
          writer.next({ step, epoch: 0, batches: 5, logs: { loss: 1 / step } });
        }
      };
      write(5);
      const server = await started(logdir, options);
      const points = (run: string, tag: string) => servedPoints(server.url, run, tag);
      await until(async () => (await points('resumed', 'sharpness/minimum')).length >= 5);
      await until(async () => (await points('resumed', 'sharpness_trace/dense_Dense2.bias')).at(-1)?.[0] === 70);
      expect(await points('resumed', 'sharpness/minimum')).toEqual(goesOn);

      await until(async () => (await points('folds', 'fold2_trace/dense_Dense2.bias')).at(-1)?.[0] === 50);
      expect(await points('folds', 'fold1/minimum')).toEqual([10, 20].map((step) => [step, 1]));
      expect(await points('folds', 'fold2/minimum')).toEqual(
        [5, 10, 20, 30, 40, 50].map((step) => [step, step < 30 ? 2 : 3]),
      );

      await until(async () => (await points('shared', 'validation/minimum')).length === 1);
      write(10);
      // Both go on being read: they share a file.
      await until(async () => (await points('shared', 'train_logs/loss')).length === 2);
      await until(async () => (await points('shared', 'validation_logs/loss')).length === 2);
      for (const prefix of ['train', 'validation']) {
        expect(await points('shared', `${prefix}/minimum`)).toEqual([
          [5, 5],
          [10, 10],
        ]);
        expect(await points('shared', `${prefix}/standard_error`)).toEqual([
          [5, Infinity],
          [10, Infinity],
        ]);
        expect(await points('shared', `${prefix}_logs/loss`)).toEqual([
          [5, Math.fround(1 / 5)],
          [10, Math.fround(1 / 10)],
        ]);
      }

      const text = new URLSearchParams({ run: 'shared', tag: 'train/reading' });
      expect(await served(server.url, `text?${text}`, 'text')).toEqual([
        expect.objectContaining({
          step: 5,
          text: expect.stringMatching(/<strong>Symmetries:<\/strong> .*<code>conv2d_Conv2D1<\/code>/s),
        }),
      ]);

      // The page of custom scalars: a category with a chart for each prefix, whose tags are there.
      type Layout = {
        category: { chart: { margin: { series: { value: string; lower: string; upper: string }[] } }[] }[];
      };
      const layout = (await served(server.url, 'layout', 'custom_scalars')) as Layout;
      const series = layout.category.flatMap(({ chart }) => chart.flatMap(({ margin }) => margin.series));
      expect(series.map(({ value }) => value).sort()).toEqual([
        'fold1/minimum',
        'fold2/minimum',
        'sharpness/minimum',
        'train/minimum',
        'validation/minimum',
      ]);
      const runOf = (tag: string) => (/^fold/.test(tag) ? 'folds' : /^sharpness/.test(tag) ? 'resumed' : 'shared');
      for (const tags of series) {
        const [value, lower, upper] = await Promise.all(
          [tags.value, tags.lower, tags.upper].map((tag) => points(runOf(tag), tag)),
        );
        expect(value!.length).toBeGreaterThan(1);
        value!.forEach(([step, number], i) => {
          expect([lower![i]![0], upper![i]![0]]).toEqual([step, step]);
          expect(lower![i]![1]).toBeLessThan(number);
          expect(upper![i]![1]).toBeGreaterThan(number);
        });
      }
    },
  );

  it('shows readings that come while it runs, also from a second fit into the same folder', LIMIT, async () => {
    const writer = tensorBoardWriter(logdir);
    writer.next(readings[0]!);
    const server = await started(logdir);
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
  });
});

async function served(url: string, route: string, plugin = 'scalars'): Promise<unknown> {
  const response = await fetch(`${url}data/plugin/${plugin}/${route}`);
  return response.ok ? response.json() : undefined;
}

/** The points `[step, value]` that TensorBoard serves for one chart; none where it does not know the chart yet. */
async function servedPoints(url: string, run: string, tag: string): Promise<[number, number][]> {
  const query = new URLSearchParams({ run, tag });
  const points = (await served(url, `scalars?${query}`)) as [number, number, number | string][] | undefined;
  return (points ?? []).map(([, step, value]) => [step, Number(value)]);
}

/** Waits for TensorBoard to read what it should, a minute at most. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition()); await sleep(200)) {
    if (Date.now() > end) {
      throw new Error(`TensorBoard does not show after a minute: ${condition}`);
    }
  }
}
