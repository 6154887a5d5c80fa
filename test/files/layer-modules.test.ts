import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';
import { isFailure } from '../../src/files/failure.js';
import { loadModules } from '../../src/files/layer-modules.js';
import { testFolder } from './saved-model.js';

const folder = testFolder();

test('a module registers its layers with the tf.js that measures, once the backend runs', async () => {
  symlinkSync(resolve('node_modules'), folder.at('node_modules'));
  writeFileSync(
    folder.at('layers.mjs'),
    `import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
globalThis.startedBefore = globalThis.started;
class Doubled extends tfl.layers.Layer {
  static className = 'Doubled';
}
tf.serialization.registerClass(Doubled);`,
  );
  const seen = globalThis as { started?: boolean; startedBefore?: boolean };
  await loadModules([folder.at('layers.mjs')], async () => {
    seen.started = true;
  });
  expect(seen.startedBefore).toBe(true);
  expect(tf.serialization.SerializationMap.getMap().classNameMap).toHaveProperty('Doubled');
});

test('a module with a tf.js of its own is refused, whose layers nobody here would know', async () => {
  const core = ['other', 'node_modules', '@tensorflow', 'tfjs-core'];
  mkdirSync(folder.at(...core), { recursive: true });
  writeFileSync(folder.at(...core, 'index.js'), '');
  writeFileSync(folder.at('other', 'layers.mjs'), 'throw new Error("it ran");');
  const refused = await loadModules([folder.at('other', 'layers.mjs')], async () => {}).catch((error) => error);
  expect(refused.message).toMatch(
    /layers\.mjs' would register its layers in another copy of @tensorflow\/tfjs-core than/,
  );
  expect(isFailure(refused)).toBe(true);
});

test('a module that fails, or is not there, costs one line', async () => {
  const start = vi.fn(async () => {});
  await loadModules([], start);
  expect(start).not.toHaveBeenCalled();
  await expect(loadModules(['./none.mjs'], start)).rejects.toThrow(/^cannot load '\.\/none\.mjs': /);
  expect(start).toHaveBeenCalledTimes(1);
  writeFileSync(folder.at('failing.mjs'), 'throw new Error("no such thing\\nat all");');
  await expect(loadModules([folder.at('failing.mjs')], start)).rejects.toThrow(
    /^cannot load '.*failing\.mjs': no such thing[^\n]*$/,
  );
});
