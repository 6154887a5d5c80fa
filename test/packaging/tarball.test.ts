import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';

const root = join(import.meta.dirname, '../..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');
let project: PackedProject;

beforeAll(() => {
  project = packedProject('@tensorflow/tfjs@4.22.0', 'rxjs@7');
});
afterAll(() => project?.remove());

test('the tarball holds the build and what a user wants to read, nothing else', () => {
  const outside = project.files.filter((path) => !path.startsWith('dist/'));
  expect(outside.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  expect(project.files).toEqual(
    expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/node.js', 'dist/cli.js']),
  );
  expect(project.files.filter((path) => !/\.(js|d\.ts)$/.test(path) && path.startsWith('dist/'))).toEqual([]);
});

describe('TypeScript', () => {
  const source = `
    import * as tf from '@tensorflow/tfjs';
    import { measureSharpness, minimumSharpness, type SharpnessReading } from 'tfjs-sharpness';
    import { tensorBoardWriter } from 'tfjs-sharpness/node';

    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [2], activation: 'softmax' })] });
    const x = tf.ones([4, 2]);
    export const reading: Promise<SharpnessReading> = measureSharpness(model, x, { loss: 'categoricalCrossentropy' });
    const sharpness = minimumSharpness({ data: x, every: { epochs: 1 } });
    sharpness.readings$.subscribe(tensorBoardWriter('logs'));
    export const value: number | undefined = sharpness.latest?.minimumSharpness;
    export const fitted = model.fit(x, tf.ones([4, 3]), { callbacks: [sharpness] });

    // @ts-expect-error: no such loss
    measureSharpness(model, x, { loss: 'crossEntropie' });
    // @ts-expect-error: a model is needed
    measureSharpness(x);
  `;

  test.each([
    ['nodenext', 'nodenext', 'use.mts'],
    ['nodenext', 'nodenext', 'use.cts'],
    ['esnext', 'bundler', 'use.ts'],
  ])('module %s, moduleResolution %s, %s', (module, moduleResolution, file) => {
    project.write(file, source);
    const options = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], strict: true, noEmit: true };
    // tfjs 4.22's own declarations do not pass a strict check of libraries.
    const compilerOptions = { ...options, skipLibCheck: true, types: [] };
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
    project.run(process.execPath, tsc, '--project', 'tsconfig.json');
  });
});

describe('run time', () => {
  const measure = `
    async function measure(tf, { measureSharpness }, { tensorBoardWriter }) {
      if (typeof tensorBoardWriter !== 'function') throw new Error('no tensorBoardWriter');
      await tf.setBackend('cpu');
      const kernelInitializer = 'zeros';
      const model = tf.sequential();
      model.add(tf.layers.dense({ units: 2, inputShape: [2], activation: 'softmax', kernelInitializer }));
      const { minimumSharpness } = await measureSharpness(model, tf.ones([4, 2]), { loss: 'categoricalCrossentropy' });
      console.log(minimumSharpness);
    }
  `;
  const variants = {
    'import, tfjs first': [
      'first.mjs',
      `import * as tf from '@tensorflow/tfjs';
       import * as sharpness from 'tfjs-sharpness';
       import * as node from 'tfjs-sharpness/node';
       await measure(tf, sharpness, node);`,
    ],
    'import, tfjs last': [
      'last.mjs',
      `import * as node from 'tfjs-sharpness/node';
       import * as sharpness from 'tfjs-sharpness';
       import * as tf from '@tensorflow/tfjs';
       await measure(tf, sharpness, node);`,
    ],
    'require, tfjs first': [
      'first.cjs',
      `const tf = require('@tensorflow/tfjs');
       measure(tf, require('tfjs-sharpness'), require('tfjs-sharpness/node'));`,
    ],
    'require, tfjs last': [
      'last.cjs',
      `const sharpness = require('tfjs-sharpness');
       const node = require('tfjs-sharpness/node');
       measure(require('@tensorflow/tfjs'), sharpness, node);`,
    ],
    'import of tfjs, require of tfjs-sharpness': [
      'mixed.mjs',
      `import { createRequire } from 'node:module';
       import * as tf from '@tensorflow/tfjs';
       const require = createRequire(import.meta.url);
       await measure(tf, require('tfjs-sharpness'), require('tfjs-sharpness/node'));`,
    ],
  } as const;

  test.each(Object.entries(variants))('%s', (_, [file, text]) => {
    project.write(file, text + measure);
    const value = Number(project.run(process.execPath, file).trim().split('\n').at(-1));
    // Equal logits: p = 1/2, so a sample's output Hessian has trace 1/4 + 1/4. Kernel: T = |x|^2 / 2 = 1; bias: T = 1/2. One layer
    // between input and output has no scale to give away.
    expect(value).toBeCloseTo(1.5, 5);
  });
});

test('publint finds nothing', async () => {
  const tarball = readFileSync(project.tarball);
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('are-the-types-wrong finds nothing', () => {
  const cli = createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json');
  const { bin } = JSON.parse(readFileSync(cli, 'utf8')) as { bin: { attw: string } };
  project.run(process.execPath, join(dirname(cli), bin.attw), project.tarball, '--profile', 'esm-only');
});

test('esbuild bundles the main entry for a browser', async () => {
  const result = await build({
    stdin: { contents: "export * from 'tfjs-sharpness'", resolveDir: project.folder },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const inputs = Object.entries(result.metafile.inputs);
  expect(inputs.some(([path]) => path.includes('tfjs-sharpness/dist/index.js'))).toBe(true);
  expect(inputs.some(([path]) => path.includes('tfjs-sharpness/dist/node.js'))).toBe(false);
  const ours = inputs.filter(([path]) => path.includes('node_modules/tfjs-sharpness/'));
  expect(
    ours.flatMap(([, { imports }]) => imports.map(({ path }) => path)).filter((p) => p.startsWith('node:')),
  ).toEqual([]);
  expect(result.warnings).toEqual([]);
});

test('a bundle that only imports the package can load models saved with its optimizers', async () => {
  const contents = `
    import { serialization } from '@tensorflow/tfjs-core';
    import 'tfjs-sharpness';
    console.log(Object.keys(serialization.SerializationMap.getMap().classNameMap).join(' '));
  `;
  const stdin = { contents, resolveDir: project.folder };
  const outfile = join(project.folder, 'optimizers.cjs');
  await build({ stdin, bundle: true, format: 'cjs', platform: 'node', outfile, logLevel: 'silent' });
  const registered = project.run(process.execPath, 'optimizers.cjs').trim().split('\n').at(-1)!.split(' ');
  expect(registered).toEqual(expect.arrayContaining(['SAM', 'ASAM', 'SharpnessPenalty']));
});
