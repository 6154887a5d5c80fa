import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test, vi } from 'vitest';
import { gruClassifier } from '../../examples/shared/architectures/gru-classifier.js';
import { architectures } from '../../examples/shared/architectures/index.js';
import { randomNumbers, randomWholeNumbers } from '../../examples/shared/architectures/random-data.js';
import { residualNetwork } from '../../examples/shared/architectures/residual-network.js';
import { transformer } from '../../examples/shared/architectures/transformer.js';
import { uNetwork } from '../../examples/shared/architectures/u-network.js';
import { type MeasureOptions, measureSharpness } from '../../src/index.js';
import { addonPath } from '../../src/native/addon.js';
import { runScript } from './example-run.js';

const SAMPLES = 3;

/**
 * Traces of the Gauss-Newton blocks from the gradient of every output of every sample, one by one. With p what the network
 * puts out, they are sums over its outputs of
 *
 *     categoricalCrossentropy: ||dp/dtheta||^2 / p        binaryCrossentropy: ||dp/dtheta||^2 / (p (1 - p))
 *
 * (the second over K), means over samples and positions.
 */
function tracesFromOutputs(model: tf.LayersModel, inputs: tf.Tensor): Map<string, number> {
  const traces = new Map<string, number>();
  const variables = model.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
  for (let n = 0; n < SAMPLES; n++) {
    const output = tf.tidy(() => model.predict(inputs.slice(n, 1)) as tf.Tensor);
    const p = output.dataSync();
    const classes = output.shape.at(-1)!;
    for (let k = 0; k < p.length; k++) {
      const isBinary = model.loss === 'binaryCrossentropy';
      const weight = isBinary ? 1 / (p[k]! * (1 - p[k]!) * classes) : 1 / p[k]!;
      tf.tidy(() => {
        const { grads } = tf.variableGrads(
          () => (model.apply(inputs.slice(n, 1)) as tf.Tensor).flatten().slice(k, 1).asScalar(),
          variables,
        );
        model.trainableWeights.forEach(({ originalName }, i) => {
          const gradient = grads[variables[i]!.name];
          const square = gradient ? gradient.square().sum().dataSync()[0]! : 0;
          const share = (weight * square * classes) / (SAMPLES * p.length);
          traces.set(originalName, (traces.get(originalName) ?? 0) + share);
        });
      });
    }
    output.dispose();
  }
  return traces;
}

describe.each(Object.entries(architectures))('%s, small', (name, { small }) => {
  test('its traces are those of the gradients of every output', async () => {
    const { model, inputs, labels } = small();
    const x = inputs(SAMPLES, 1);
    if (labels) {
      const y = labels(SAMPLES, 2);
      for (let step = 0; step < 2; step++) {
        await model.trainOnBatch(x, y);
      }
      y.dispose();
    }
    const { numTensors } = tf.memory();
    const reading = await measureSharpness(model, x);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(reading.minimumSharpness).toBeGreaterThan(0);
    expect(reading.minimumSharpness).toBeLessThanOrEqual(reading.trace * (1 + 1e-12));
    // tf.js has no gradient of a dilated depthwise convolution to compare with.
    if (name !== 'mobilenet-dilated') {
      const expected = tracesFromOutputs(model, x);
      expect(new Set(reading.parameters.map((each) => each.name))).toEqual(new Set(expected.keys()));
      for (const parameter of reading.parameters) {
        const value = expected.get(parameter.name)!;
        expect(Math.abs(parameter.trace - value), `${parameter.name}: ${parameter.trace} for ${value}`).toBeLessThan(
          1e-4 * value + 1e-7 * reading.trace,
        );
      }
    }
    x.dispose();
    model.dispose();
  });
});

/** The most bytes that lay in tensors at any time during a measurement, above those that lay there before. */
async function peakBytes(model: tf.LayersModel, inputs: tf.Tensor, options: MeasureOptions): Promise<number> {
  const { numBytes } = tf.memory();
  // The clock stands still, so that only the budget bounds the pieces of a chunk, and not how busy the machine is.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  const profile = await tf.profile(async () => {
    await measureSharpness(model, inputs, options);
    return [];
  });
  clock.mockRestore();
  return profile.peakBytes - numBytes;
}

describe('memory', () => {
  const text = { words: 30, length: 10, width: 12 };
  const attention = 'layers';
  const subjects: Record<string, () => { model: tf.LayersModel; inputs: tf.Tensor; memoryMB: number }> = {
    'a residual network': () => ({
      model: residualNetwork({ side: 12, channels: [8, 16], classes: 4 }),
      inputs: randomNumbers([12, 12, 12, 3], 1),
      memoryMB: 2,
    }),
    'a U-Net': () => ({
      model: uNetwork({ side: 8, channels: [4, 8], classes: 3, upwards: 'transposed convolution' }),
      inputs: randomNumbers([3, 8, 8, 1], 1),
      memoryMB: 1,
    }),
    'a bidirectional GRU': () => ({
      model: gruClassifier({ ...text, units: 16, bidirectional: true, maskZero: true }),
      inputs: randomWholeNumbers([40, text.length], 0, text.words, 1),
      memoryMB: 1,
    }),
    'a Transformer': () => ({
      model: transformer({ ...text, heads: 3, blocks: 1, classes: 4, attention }),
      inputs: randomWholeNumbers([40, text.length], 0, text.words, 1),
      memoryMB: 1,
    }),
  };

  test.each(Object.entries(subjects))('of %s holds and is made use of', async (_name, make) => {
    const { model, inputs, memoryMB } = make();
    const loss = model.outputs[0]!.shape.at(-1) === 1 ? 'binaryCrossentropy' : 'categoricalCrossentropy';
    for (const method of ['exact', { pairs: 30 }] as const) {
      const peak = await peakBytes(model, inputs, { loss, method, memoryMB });
      expect(peak / 2 ** 20).toBeLessThanOrEqual(1.25 * memoryMB);
      expect(peak / 2 ** 20).toBeGreaterThan(0.4 * memoryMB);
    }
    inputs.dispose();
    model.dispose();
  });
});

/** The rows of the table that the example prints, by network and method. */
function tableRows(stdout: string): string[][] {
  const rows = stdout.split('\n').filter((line) => /^\| [a-z].* s \|/.test(line));
  return rows.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

const native = addonPath('@tensorflow/tfjs-node');

describe('architectures.ts', () => {
  test('trains and measures every network, and writes the table', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-architectures-'));
    const results = join(folder, 'table.md');
    const options = [
      '--size',
      'small',
      '--steps',
      '2',
      '--backend',
      native ? 'tensorflow' : 'cpu',
      '--results',
      results,
    ];
    const { status, stdout, stderr } = runScript(['examples/architectures.ts', ...options]);
    expect(status, stderr).toBe(0);
    const rows = tableRows(stdout);
    expect(new Set(rows.map(([name]) => name))).toEqual(new Set(Object.keys(architectures)));
    for (const [name, , samples, , , value, error] of rows) {
      expect(samples, name).toBe('4');
      expect(Number(value), name).toBeGreaterThan(0);
      expect(Number(error!.split(',')[0]), name).toBeGreaterThanOrEqual(0);
    }
    const written = readFileSync(results, 'utf8');
    expect(tableRows(written)).toEqual(rows);
    expect(written).toMatch(/^- resnet-18, exact: Every row of targets .*\. Batch normalization \(/m);
    rmSync(folder, { recursive: true });
  });

  test('--help lists every option, and a wrong one gets one line', () => {
    const { stdout } = runScript(['examples/architectures.ts', '--help']);
    for (const option of ['only', 'size', 'samples', 'steps', 'memory', 'backend', 'results']) {
      expect(stdout).toContain(`--${option} `);
    }
    const wrong = runScript(['examples/architectures.ts', '--only', 'alexnet']);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/^--only must be one of resnet-18, .*, but it is 'alexnet'/);
  });
});
