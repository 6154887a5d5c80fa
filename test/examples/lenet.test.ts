import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { addonPath } from '../../src/native/addon.js';
import { readLogdir } from '../training/tensorboard/event-reader.js';
import { epochLines, numbers, runScript } from './example-run.js';

vi.setConfig({ testTimeout: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-lenet-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Trains on 300 images; every reading must be on the screen and in TensorBoard. */
function train(name: string, options: string[], env?: Record<string, string>) {
  const logdir = join(folder, name);
  const all = ['examples/lenet.ts', '--samples', '300', '--logdir', logdir, ...options];
  const { status, stdout, stderr } = runScript(all, env);
  expect(status, stderr).toBe(0);
  const epochs = epochLines(stdout).map(([, loss, accuracy, , sharpness, error]) => {
    return { loss: loss!, accuracy: accuracy!, sharpness: sharpness!, error: error! };
  });
  for (const { sharpness, error } of epochs) {
    expect(sharpness).toBeGreaterThan(0);
    expect(error).toBeLessThanOrEqual(0.02 * sharpness + 0.01);
  }
  expect(epochs.at(-1)!.loss).toBeLessThan(epochs[0]!.loss);
  const charts = readLogdir(logdir).filter(({ tag }) => tag === 'sharpness/minimum');
  expect(charts.map(({ step }) => step)).toEqual(epochs.map((_, i) => (i + 1) * Math.ceil(300 / 32)));
  charts.forEach(({ value }, i) => {
    expect(value).toBeCloseTo(epochs[i]!.sharpness, 1);
  });
  return { stdout, epochs };
}

/** Makes tfjs-node look as if its addon were missing. */
const withoutAddon = () => {
  const hooks = `export async function resolve(name, context, next) {
    if (name === '@tensorflow/tfjs-node') throw new Error('no addon here\\nat all');
    return next(name, context);
  }`;
  const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(url(hooks))});`;
  return { NODE_OPTIONS: `--import=${url(register)}` };
};

test.skipIf(!addonPath('@tensorflow/tfjs-node'))('lenet.ts trains LeNet on the native backend', () => {
  const { stdout, epochs } = train('native', ['--epochs', '2']);
  expect(stdout).toMatch(/^LeNet, 545,546 weights, 300 images, tensorflow backend\./);
  expect(epochs).toHaveLength(2);
  expect(stdout).toContain('All 2 epochs done.');
  const [layers] = /^ {2}(.* x .*)$/m.exec(stdout)!;
  expect(numbers(layers, / x ([\d.]+)/g)).toHaveLength(5);
});

test('lenet.ts without the addon says so and trains a smaller network', () => {
  const { stdout, epochs } = train('fallback', ['--epochs', '4'], withoutAddon());
  const [first, second] = stdout.split('\n');
  expect(first).toBe(
    'tfjs-node does not load, so this is a smaller network on wasm; npm run native builds it. (no addon here)',
  );
  expect(second).toMatch(/^SmallMLP \(784-20-20-10\), 16,330 weights, 300 images, wasm backend\./);
  expect(epochs).toHaveLength(4);
});

test('lenet.ts stops when Minimum Sharpness stops falling', () => {
  const { stdout, epochs } = train('stops', ['--epochs', '60', '--backend', 'wasm']);
  expect(stdout).toMatch(/^SmallMLP/);
  expect(numbers(stdout, /Stopped after epoch (\d+)/g)).toEqual([epochs.length]);
  expect(epochs.length).toBeLessThan(60);
  expect(epochs.at(-1)!.accuracy).toBeGreaterThan(0.6);
});

test('lenet.ts --help lists every option, and a wrong one gets one line', () => {
  const { stdout } = runScript(['examples/lenet.ts', '--help']);
  for (const option of ['epochs', 'samples', 'patience', 'backend', 'logdir']) {
    expect(stdout).toContain(`--${option} `);
  }
  const wrong = runScript(['examples/lenet.ts', '--backend', 'gpu']);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain("--backend must be tensorflow or wasm, but it is 'gpu'.");
});
