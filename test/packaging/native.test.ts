import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';

let project: PackedProject;

beforeAll(() => {
  project = packedProject('@tensorflow/tfjs-node@4.22.0', 'rxjs@7');
});
afterAll(() => project?.remove());

const native = () => project.run('npx', '--no-install', 'tfjs-sharpness', 'native').trim().split('\n');

test('npx tfjs-sharpness native makes tfjs-node work in a project of its own, and goes on where it was interrupted', () => {
  const directory = join(project.folder, 'node_modules/@tensorflow/tfjs-node');
  const works = '@tensorflow/tfjs-node works: one step trained on TensorFlow 2.21.0';
  expect(native()).toEqual(expect.arrayContaining([expect.stringMatching(/^unpacking/), 'compiling the addon', works]));
  expect(native()[0]).toBe(works);
  // As if the compilation had been interrupted: nothing is unpacked again.
  rmSync(join(directory, 'lib'), { recursive: true });
  expect(native().slice(0, 2)).toEqual(['compiling the addon', works]);
});

test('the package measures on tfjs-node, imported before or after it', () => {
  const measure = `
    const model = tf.sequential();
    model.add(tf.layers.dense({ units: 8, inputShape: [2], activation: 'relu' }));
    model.add(tf.layers.dense({ units: 2, activation: 'softmax' }));
    const { minimumSharpness } = await measureSharpness(model, tf.ones([4, 2]), { loss: 'categoricalCrossentropy' });
    console.log(tf.getBackend(), minimumSharpness > 0);`;
  const tfjs = "import * as tf from '@tensorflow/tfjs-node';";
  const ours = "import { measureSharpness } from 'tfjs-sharpness';";
  for (const imports of [tfjs + ours, ours + tfjs]) {
    project.write('measure.mjs', imports + measure);
    expect(project.run(process.execPath, 'measure.mjs').trim().split('\n').at(-1)).toBe('tensorflow true');
  }
});
