/**
 * A process of its own that writes readings: `tsx emit-readings.ts <logdir> <count> [memory]`. It prints the step of each
 * reading after the observer has returned. With `memory` it prints what the heap holds and the process occupies instead.
 */
import { writeSync } from 'node:fs';
import { memoryUsage } from 'node:process';
import { Subject } from 'rxjs';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { trainingReadings } from './training.js';

const [logdir, count, memory] = process.argv.slice(2) as [string, string, string?];
const readings$ = new Subject<SharpnessReading>();
readings$.subscribe(tensorBoardWriter(logdir));
const [template] = trainingReadings(1);

const every = Number(count) / 10;
const started = performance.now();
for (let step = 1; step <= Number(count); step++) {
  readings$.next({ ...template!, step, minimumSharpness: step / 8 });
  if (!memory) {
    writeSync(1, `${step}\n`);
  } else if (step % every === 0) {
    globalThis.gc!();
    const { heapUsed, rss } = memoryUsage();
    writeSync(1, `${JSON.stringify({ step, heapUsed, rss, ms: performance.now() - started })}\n`);
  }
}
readings$.complete();
