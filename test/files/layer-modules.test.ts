import { expect, test, vi } from 'vitest';
import { loadModules } from '../../src/files/layer-modules.js';

test('a module is loaded after the backend, and one that is not there costs one line', async () => {
  const start = vi.fn(async () => {});
  await loadModules([], start);
  expect(start).not.toHaveBeenCalled();
  await expect(loadModules(['./none.mjs'], start)).rejects.toThrow(/^cannot load '\.\/none\.mjs': /);
  expect(start).toHaveBeenCalledTimes(1);
});
