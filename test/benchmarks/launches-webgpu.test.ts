import { expect, test } from 'vitest';
import { committedCounts, countedBackend } from '../../benchmarks/counted-backend.js';
import { grown } from '../../benchmarks/launch-settings.js';

test('a reading on WebGPU costs no more than the table says', { timeout: 300_000 }, async () => {
  const found = await countedBackend('webgpu', true);
  if (!found && !process.env.CI) {
    console.warn("launches on WebGPU were not counted: no GPU, nor the SwiftShader of Debian's package chromium.");
    return;
  }
  expect(found).not.toBeNull();
  expect(grown(found!, committedCounts()), 'On purpose? npm run bench:launches writes the table anew.').toEqual([]);
});
