import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';
import {
  commonJs,
  type EveryDoor,
  everyDoor,
  expectSame,
  goldenCase,
  type Loaded,
  loadSaved,
  outcomeInNode,
} from './programs.js';

let project: PackedProject;

beforeAll(() => {
  project = packedProject('@tensorflow/tfjs@4.22.0', 'rxjs@7.8.2');
});
afterAll(() => project?.remove());
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

test('every door opens to import and to require, with the same numbers', async () => {
  const program = await everyDoor([goldenCase('cnn-batchnorm')]);
  project.write('every-door.mjs', program);
  project.write('every-door.cjs', commonJs(program));
  const imported = outcomeInNode<EveryDoor>(project, 'every-door.mjs');
  const { minimumSharpness } = goldenCase('cnn-batchnorm').expected;
  expect(Math.abs(imported.golden['cnn-batchnorm'] / minimumSharpness - 1)).toBeLessThan(1e-4);
  expectSame(outcomeInNode<EveryDoor>(project, 'every-door.cjs'), imported);

  project.write('load-saved.mjs', loadSaved(imported.saved));
  project.write('load-saved.cjs', commonJs(loadSaved(imported.saved)));
  const loaded = outcomeInNode<Loaded>(project, 'load-saved.mjs');
  expect(loaded.optimizer).toBe('SAM');
  // The best weights were put back before the model was saved.
  expect(loaded.minimumSharpness).toBeCloseTo(Math.min(...imported.history.minimumSharpness), 6);
  expectSame(outcomeInNode<Loaded>(project, 'load-saved.cjs'), loaded);
  // Nothing drops an import that only has an effect, as bundlers do: it registers the optimizers by itself.
  const bare = loadSaved(imported.saved)
    .replace('{ registerOptimizers } from ', '')
    .replace('registerOptimizers();', '');
  expect(bare).toContain("import 'tfjs-sharpness/optimizers';");
  project.write('bare.mjs', bare);
  expectSame(outcomeInNode<Loaded>(project, 'bare.mjs'), loaded);
});

test('the command line measures a model of Keras, as Keras predicts it, with what comes with the package', () => {
  const file = (name: string) => join(import.meta.dirname, '../fixtures/keras3', name);
  const words = ['measure', file('reg.keras'), '--data', file('reg_x.npy'), '--expect', file('reg_y.npy')];
  const { stdout, status } = project.try('npx', 'tfjs-sharpness', ...words, '--backend', 'cpu', '--json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ model: file('reg.keras'), exact: true });
  // Another backend is a package of its own.
  const { stderr, status: failed } = project.try('npx', 'tfjs-sharpness', ...words, '--backend', 'wasm');
  expect(failed).toBe(1);
  expect(stderr).toBe(
    'tfjs-sharpness: the backend wasm needs the package @tensorflow/tfjs-backend-wasm: npm install @tensorflow/tfjs-backend-wasm\n',
  );
});
