import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { cudaReport } from '../../src/native/cuda.js';
import { ownFolder } from './own-folder.js';

const { folder, bin, command } = ownFolder();

test('the report on CUDA names what is missing and where to put it', () => {
  expect(cudaReport(folder(), true)).toEqual(['a GPU was found and is used']);
  vi.stubEnv('PATH', bin());
  vi.stubEnv('LD_LIBRARY_PATH', undefined);
  const lines = cudaReport(folder(), false);
  expect(lines).toHaveLength(4);
  expect(lines[1]).toContain('NVIDIA driver');
  expect(lines[2]).toContain('libcudnn.so.9');
  expect(lines[3]).toContain(`--target ${join(folder(), 'deps')}`);
  expect(lines[3]).toContain("'nvidia-cudnn-cu12>=9.3.0.75,<10'");
  mkdirSync(join(folder(), 'deps/nvidia/cudnn/lib'), { recursive: true });
  writeFileSync(join(folder(), 'deps/nvidia/cudnn/lib/libcudnn.so.9'), '');
  expect(cudaReport(folder(), false)[2]).not.toContain('libcudnn');
  command('ldconfig', "printf '\\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/libcuda.so.1\\n'");
  expect(cudaReport(folder(), false)).toHaveLength(3);
});
