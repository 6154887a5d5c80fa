import { join } from 'node:path';
import { Subject } from 'rxjs';
import { expect, it } from 'vitest';
import { SATURATED, UNRELIABLE_SAMPLE } from '../../src/measure/assumptions.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { tensorBoardWriter } from '../../src/node.js';
import { eventFilesIn, isEventFile, readEventFiles } from '../../src/report/event-files.js';
import { bytes, reading, testFolder } from './readings.js';

const folder = testFolder();
const fixture = (name: string) => join('test/fixtures/report', `events.out.tfevents.1700000000.${name}`);

async function readAll(paths: readonly string[]) {
  const objects: object[] = [];
  const parts: (string | undefined)[] = [];
  const notes = await readEventFiles(paths, (object, part) => {
    objects.push(object);
    parts.push(part);
  });
  return { objects, parts, notes };
}

function written(name: string, readings: readonly object[]): string {
  const readings$ = new Subject<SharpnessReading>();
  readings$.subscribe(tensorBoardWriter(folder.at(name)));
  for (const each of readings) {
    readings$.next(each as SharpnessReading);
  }
  readings$.complete();
  return folder.at(name);
}

const filesOf = async (path: string) => [...(await eventFilesIn(path)).values()].flat();

it('reads what tensorBoardWriter writes, with what readings take for granted, and knows by it errors and collapses', async () => {
  const logdir = written('run', [
    reading(10, 8, { logs: { val_loss: 0.25 } }),
    reading(20, 4, { reliable: false, assumptions: [UNRELIABLE_SAMPLE] }),
    reading(30, 2, { collapsed: true, assumptions: [SATURATED] }),
  ]);
  const { objects, notes } = await readAll(await filesOf(logdir));
  expect(notes).toEqual([]);
  expect(objects).toMatchObject([
    {
      step: 10,
      minimumSharpness: 8,
      standardError: 0.5,
      reliable: true,
      trace: 30,
      scales: [{ layer: 'first', alpha: 0.5 }],
      parameters: [
        { layer: 'first', trace: 10 },
        { layer: 'first', trace: 2 },
        { layer: 'head', trace: 18 },
      ],
      logs: { val_loss: 0.25 },
      assumptions: ['The frozen weights of first are left out.'],
    },
    { step: 20, reliable: false },
    { step: 30, collapsed: true, reliable: true },
  ]);
  expect(objects[0]).not.toHaveProperty('collapsed');
});

it('a training that goes on from an earlier step voids what came after it', async () => {
  written('resumed', [reading(10, 8), reading(20, 7), reading(30, 6)]);
  const logdir = written('resumed', [reading(20, 3), reading(25, 2)]);
  const { objects } = await readAll(await filesOf(logdir));
  expect(objects).toMatchObject([
    { step: 10, minimumSharpness: 8 },
    { step: 20, minimumSharpness: 3 },
    { step: 25, minimumSharpness: 2 },
  ]);
});

it('reads the numbers of PyTorch, an event each, and names the tags that are left out', async () => {
  const { objects, notes } = await readAll([fixture('torch.1.0')]);
  expect(objects).toHaveLength(5);
  expect(objects[4]).toMatchObject({ step: 400, minimumSharpness: 16, trace: 36 });
  expect(notes).toEqual(["other tags left out: 'Loss/train'"]);
});

it('reads the tensors of Keras, as bytes and as doubles', async () => {
  const { objects, notes } = await readAll([fixture('keras.1.0.v2')]);
  expect(objects).toHaveLength(4);
  expect(objects[1]).toMatchObject({ step: 1, minimumSharpness: 7, standardError: 0.25 });
  expect(notes).toEqual(["other tags left out: 'epoch_loss' and 'weights'"]);
});

it('says what is cut off, and tells files of events by what they hold', async () => {
  const { readFileSync } = await import('node:fs');
  const whole = readFileSync(fixture('torch.1.0'));
  expect(isEventFile('scalars.bin', whole)).toBe(true);
  expect(isEventFile('readings.jsonl', bytes('{"minimumSharpness":1}'))).toBe(false);
  const cut = folder.write('events.out.tfevents.1.cut', whole.subarray(0, whole.length - 5));
  const { objects, notes } = await readAll([cut]);
  expect(objects).toHaveLength(5);
  expect(objects[4]).not.toHaveProperty('trace', 36);
  expect(notes[0]).toMatch(/^the last \d+ bytes of '.*' left out: a record there is cut off or broken$/);
});

const writtenBy = (program: string) => filesOf(join('test/fixtures/event-files', program));
const points = (objects: object[]) =>
  (objects as { step: number; minimumSharpness?: number }[]).map((each) => [each.step, each.minimumSharpness]);

it('what tensorboardX writes: a restart voids what it passes again, and numbers that are not finite are numbers', async () => {
  const [infinite, ...files] = (await writtenBy('tensorboardx')).sort(
    (a, b) => +b.includes('infinite') - +a.includes('infinite'),
  );
  const { objects, notes } = await readAll(files);
  expect(points(objects)).toEqual([
    [0, 30],
    [10, 15],
    [20, 10],
    [30, 15],
    [40, 12],
  ]);
  expect(objects[4]).toMatchObject({ trace: 24 });
  expect(notes).toEqual([]);
  expect(points((await readAll([infinite!])).objects)).toEqual([
    [0, Number.NaN],
    [1, Number.POSITIVE_INFINITY],
    [2, 3],
  ]);
});

it('what TensorFlow 2 writes: tensors with plugin data, and restarts that say nothing of it', async () => {
  const { objects, notes } = await readAll(await writtenBy('tf2'));
  expect(points(objects)).toEqual([
    [0, 4],
    [1, 3.5],
    [2, 3],
    [3, 2.5],
    [2, 7],
    [3, 6.5],
  ]);
  expect(objects[0]).toMatchObject({ standardError: 0.125 });
  expect(notes).toEqual(["other tags left out: 'weights'"]);
});

it("what tf.js' own writer writes", async () => {
  const { objects, notes } = await readAll(await writtenBy('tfjs-node'));
  expect(points(objects)).toEqual([
    [0, 5],
    [1, 4],
    [2, 3],
  ]);
  expect(notes).toEqual([]);
});

it("logs of Keras' callback are no readings, which is said", async () => {
  const { objects, notes } = await readAll(await writtenBy('keras'));
  expect(objects).toEqual([]);
  expect(notes).toEqual([
    "'epoch_minimumSharpness' left out: logs of epochs have no errors, and go on with the last value where there was no reading; tensorBoardWriter writes readings",
    "other tags left out: 'epoch_loss' and 'epoch_learning_rate'",
  ]);
});
