/**
 * A process of its own that writes readings to TensorBoard, JSON lines and CSV: `<folder> <first step> <count> [flat]`. It prints the step
 * of each reading after all observers have returned; with `flat`, ten times what the heap holds and how many files are open.
 */
import { readdirSync, writeSync } from 'node:fs';
import { memoryUsage } from 'node:process';
import { csvWriter, jsonLinesWriter, tensorBoardWriter } from '../../../src/node.js';
import { readingOf } from '../streams/readings.js';

const [folder, first, count, flat] = process.argv.slice(2) as [string, string, string, string?];
const sinks = [
  tensorBoardWriter(`${folder}/run`),
  jsonLinesWriter(`${folder}/readings.jsonl`),
  csvWriter(`${folder}/readings.csv`),
];
const reading = readingOf(1, {
  standardError: 0.5,
  scales: ['a', 'b'].map((layer) => ({ layer, alpha: 2 })),
  parameters: ['a/kernel', 'b/kernel'].map((name) => ({ name, layer: name[0]!, trace: 0.1, standardError: 0 })),
  // Longer than a page, which is what a kill can tear.
  assumptions: flat ? [] : ['x'.repeat(6000)],
});

const every = Number(count) / 10;
for (let i = 0; i < Number(count); i++) {
  const step = Number(first) + i;
  for (const sink of sinks) {
    sink.next({ ...reading, step, epoch: 0, minimumSharpness: step / 8 });
  }
  if (!flat) {
    writeSync(1, `${step}\n`);
  } else if ((i + 1) % every === 0) {
    globalThis.gc!();
    const handles = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
    writeSync(1, `${JSON.stringify({ done: i + 1, heap: memoryUsage().heapUsed, handles })}\n`);
  }
}
