/**
 * Frames a second of a page with the live chart, in a headless Chromium without a GPU: it holds some readings already, and one more comes
 * each frame. Also in how many of them it is drawn anew, and how long the page's thread works a frame, of 16.7 ms that it has at 60 a second.
 *
 *     npx tsx benchmarks/chart-frames.ts [readings] [seconds]
 */
import { join } from 'node:path';
import { build } from 'esbuild';
import type { sharpnessChart } from '../src/chart.js';
import { launched } from '../test/browser/chromium.js';
import { load, machine, table } from './report.js';

const [readings, seconds] = [Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 5)];
declare const tfSharpness: { readonly sharpnessChart: typeof sharpnessChart };

const { outputFiles } = await build({
  stdin: { contents: "export * from '../src/chart.js';", resolveDir: import.meta.dirname },
  bundle: true,
  write: false,
  minify: true,
  format: 'iife',
  globalName: 'tfSharpness',
  absWorkingDir: join(import.meta.dirname, '..'),
});

/** What comes, and how much of it is in sight. */
const settings = [
  { name: 'Minimum Sharpness alone', layers: 0, runs: 1, reliable: true },
  { name: 'with three layers', layers: 3, runs: 1, reliable: true },
  { name: 'with fifty layers', layers: 50, runs: 1, reliable: true },
  { name: 'three runs of it, with three layers', layers: 3, runs: 3, reliable: true },
  { name: 'no error reliable, with three layers', layers: 3, runs: 1, reliable: false },
];

const browser = await launched('none');
const rows: string[][] = [];
for (const { name, ...setting } of settings) {
  const tab = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  await tab.setContent('<!doctype html><main style="width:800px"></main>');
  // tsx names functions by one of its own.
  await tab.addScriptTag({ content: `const __name = (named) => named;\n${outputFiles[0]!.text}` });
  const session = await tab.context().newCDPSession(tab);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const taskSeconds = async () =>
    (await session.send('Performance.getMetrics')).metrics.find(({ name: metric }) => metric === 'TaskDuration')!.value;
  await tab.evaluate(
    async ({ layers, runs, reliable, count }) => {
      const chart = tfSharpness.sharpnessChart(document.querySelector('main'), undefined, { layers: layers > 0 });
      const reading = (step: number) => {
        const value = 30 + 40 * Math.exp(-step / 2000) + 3 * Math.sin(step / 70) + 2 * Math.sin(step * 1.7);
        const layer = (i: number) => ({ layer: `layer ${i}`, name: `layer ${i}/kernel`, standardError: 0 });
        const each = Array.from({ length: layers }, (_, i) => ({
          ...layer(i),
          trace: value / (i + 1),
          alpha: 1 + i / value,
        }));
        const [parameters, scales] = [each, each];
        return { step, minimumSharpness: value, standardError: 1, reliable, trace: 1.2 * value, parameters, scales };
      };
      const names = Array.from({ length: runs }, (_, i) => `run ${i + 1}`);
      const next = (step: number) => {
        for (const [i, run] of names.entries()) {
          chart.update(reading(step + i / runs), run);
        }
      };
      for (let step = 0; step < count; step++) {
        next(step);
      }
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      for (let i = 0; i < (count * runs) / 1000 + 5; i++) {
        await frame();
      }
      Object.assign(globalThis, {
        async stream(ms: number) {
          const from = performance.now();
          const when = document.querySelector('.when')!;
          let [frames, drawings] = [0, 0];
          for (; performance.now() < from + ms; frames++) {
            const before = when.textContent;
            next(count + frames);
            await frame();
            drawings += when.textContent === before ? 0 : 1;
          }
          const spent = (performance.now() - from) / 1000;
          return [frames / spent, drawings / spent];
        },
      });
    },
    { ...setting, count: readings },
  );
  const before = await taskSeconds();
  const [rate, drawings] = await tab.evaluate<[number, number]>(`stream(${1000 * seconds})`);
  const ms = (1000 * ((await taskSeconds()) - before)) / seconds;
  rows.push([name, rate.toFixed(0), drawings.toFixed(0), (ms / rate).toFixed(1), (ms / drawings).toFixed(1)]);
  await tab.close();
}
const version = browser.version();
await browser.close();
console.log(
  `${readings} readings a run, and one more each frame, in ${seconds} s. ${machine({ Chromium: version })} Load ${load()}.\n`,
);
console.log(
  table(
    ['', 'frames of the page a second', 'with a new drawing', 'ms of its thread a frame', 'ms of it a drawing'],
    rows,
  ).join('\n'),
);
