import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { numbers } from '../examples/example-run.js';
import { blocksOf, fencesOf } from './pages.js';
import { type BlockRuns, runBlocks } from './run-blocks.js';

const page = 'docs/streams.md';
const [setup] = fencesOf(page).filter(({ language }) => language === 'ts setup');
/** Each TypeScript block, by the title above it. */
const recipes = blocksOf(page);

/** What the blocks take for granted, and what comes after them: 8 epochs of 5 batches. */
const before = `
import * as tf from '@tensorflow/tfjs';
const dense = (name: string, units: number, activation: 'relu' | 'softmax', seed: number) =>
  tf.layers.dense({ name, units, inputShape: [4], activation, kernelInitializer: tf.initializers.heNormal({ seed }) });
const model = tf.sequential({ layers: [dense('hidden', 4, 'relu', 1), dense('output', 3, 'softmax', 2)] });
model.compile({ optimizer: tf.train.sgd(0.3), loss: 'categoricalCrossentropy' });
const xTrain = tf.randomNormal([50, 4], 0, 3, 'float32', 3);
const xValidation = tf.randomNormal([20, 4], 0, 3, 'float32', 4);
const yTrain = tf.oneHot(tf.argMax(tf.slice(xTrain, [0, 0], [50, 3]), 1), 3);
const callbacks: tf.Callback[] = [];
`;
const after = `
callbacks.push(sharpness);
const preludeReadings: object[] = [];
sharpness.readings$.subscribe((reading) => preludeReadings.push(reading));
await model.fit(xTrain, yTrain, { epochs: 8, batchSize: 10, shuffle: false, verbose: 0, callbacks });
for (const callback of callbacks) (callback as typeof sharpness).dispose();
await new Promise((resolve) => setTimeout(resolve));
console.log('readings: ' + JSON.stringify(preludeReadings));
`;

describe('docs/streams.md', () => {
  let all: BlockRuns;
  let latest: number[];
  const outputs = new Map<string, { output: string; readings: SharpnessReading[] }>();

  beforeAll(async () => {
    const programs = recipes.map(({ code }) => {
      // A block that imports what the setup has imported already stands for itself.
      const imported = /^import .*\bminimumSharpness\b/m.test(code);
      return before + (imported ? setup!.content.replace(/^import.*\n/, '') : setup!.content) + code + after;
    });
    all = await runBlocks(recipes, programs);
    // Printed by a timer, perhaps while other recipes run.
    latest = numbers(all.runs.map(({ stdout }) => stdout).join(''), /^latest: batch (\d+)$/gm);
    all.runs.forEach(({ stdout }, i) => {
      const [, output, readings] = /^(.*?)readings: ([^\n]*)\n/s.exec(stdout.replace(/^latest: .*\n/gm, '')) ?? [];
      if (readings) {
        outputs.set(recipes[i]!.title, { output: output!, readings: JSON.parse(readings) });
      }
    });
  }, 180_000);
  afterAll(() => all?.remove());

  test('its types are right', () => {
    expect(all.typeErrors).toBe('');
  });

  test('its blocks run', () => {
    for (const { failed, stderr } of all.runs) {
      expect(failed, stderr).toBe(false);
      expect(stderr).not.toContain('tfjs-sharpness');
    }
    expect([...outputs.keys()]).toEqual(recipes.map(({ title }) => title));
    expect(fencesOf(page).filter(({ language }) => /^ts/.test(language))).toHaveLength(recipes.length + 1);
  });

  const folderOf = (recipe: string) => all.runs[recipes.findIndex(({ title }) => title === recipe)]!.folder;
  const valuesOf = (readings: SharpnessReading[]) => readings.map(({ minimumSharpness }) => minimumSharpness);
  const near = (actual: number[], expected: number[], digits = 1) => {
    expect(actual).toHaveLength(expected.length);
    actual.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, digits);
    });
  };

  /** What each recipe prints, given the readings of the training that it watched. */
  const checks: Record<string, (output: string, readings: SharpnessReading[]) => void> = {
    'Moving average': (output, readings) => {
      const smoothed = numbers(output, /: ([\d.]+)/g);
      const values = valuesOf(readings);
      near(smoothed.slice(0, 2), [values[0]!, (0.2 * values[1]! + 0.16 * values[0]!) / 0.36]);
      expect(smoothed).toHaveLength(8);
    },
    Trend: (output) => expect(output).toBe('batch 35: falling\nbatch 40: falling\n'),
    Plateau: (output, readings) => {
      expect(readings.length).toBeLessThan(8);
      expect(numbers(output, /batch (\d+)/g)).toEqual([readings.at(-1)!.step]);
      const [best] = numbers(output, /than ([\d.]+) by/g);
      expect(Math.min(...valuesOf(readings).slice(-3))).toBeGreaterThanOrEqual(best! - 1.01);
      expect(Math.min(...valuesOf(readings).slice(0, -3))).toBeCloseTo(best!, 1);
    },
    'Change point': (output) => expect(output).toBe('batch 35: down since batch 25\n'),
    'One layer': (output, readings) => {
      const alphas = readings.map(({ scales }) => scales.find(({ layer }) => layer === 'hidden')!.alpha);
      near(numbers(output, /scale ([\d.]+)/g), alphas, 2);
      expect(numbers(output, /trace ([\d.]+)/g)).toHaveLength(8);
    },
    'Loss and accuracy beside it': (output, readings) => {
      expect(numbers(output, /epoch (\d+)/g)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      near(numbers(output, /MS ([\d.]+)/g), valuesOf(readings));
    },
    'The first reading below a threshold': (output, readings) => {
      const { step, minimumSharpness } = readings.find((reading) => reading.minimumSharpness < 5)!;
      expect(output).toBe(`batch ${step}: ${minimumSharpness.toFixed(2)}\n`);
    },
    'Every fourth reading, or one a second': (output) => {
      expect(numbers(output, /fourth: batch (\d+)/g)).toEqual([5, 25]);
      expect(latest.at(-1)).toBe(40);
    },
    'A window of readings': (output, readings) => {
      const values = valuesOf(readings);
      const medians = values.slice(2).map((_, i) => values.slice(i, i + 3).sort((a, b) => a - b)[1]!);
      near(numbers(output, /median of 3: ([\d.]+)/g), medians);
    },
    'How much it changes from reading to reading': (output, readings) => {
      const values = valuesOf(readings);
      const changes = values.slice(1).map((value, i) => 100 * (value / values[i]! - 1));
      near(numbers(output, /(-?[\d.]+)%/g), changes, 0);
    },
    'The flattest reading so far': (output, readings) => {
      const values = valuesOf(readings);
      const best = readings.filter(({ minimumSharpness }, i) =>
        values.slice(0, i).every((value) => value > minimumSharpness),
      );
      expect(numbers(output, /batch (\d+)/g)).toEqual(best.map(({ step }) => step));
    },
    'An alert when it rises': (output, readings) => {
      const values = valuesOf(readings);
      const risen = readings.filter((_, i) => i > 0 && values[i]! > 1.05 * values[i - 1]!).map(({ step }) => step);
      expect(risen).toEqual([15]);
      expect(numbers(output, /before batch (\d+)/g)).toEqual(risen);
    },
    'What went wrong': (output) => expect(output).toBe(''),
    'Only readings that can be trusted': (output) => expect(numbers(output, /batch (\d+)/g)).toHaveLength(8),
    'Save every reading in a file': (_, readings) => {
      const file = join(folderOf('Save every reading in a file'), 'readings.jsonl');
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line))).toEqual(readings);
    },
    'All readings, at the end': (output) => expect(output).toBe('8 readings\n'),
    'Training and validation data side by side': (output, readings) => {
      near(numbers(output, /: ([\d.]+),/g), valuesOf(readings));
      expect(numbers(output, /, ([\d.]+)/g)).toHaveLength(8);
    },
  };

  test.each(recipes)('$title', ({ title }) => {
    const { output, readings } = outputs.get(title)!;
    expect(output).not.toMatch(/NaN|undefined/);
    expect(checks).toHaveProperty([title]);
    checks[title]!(output, readings);
  });
});
