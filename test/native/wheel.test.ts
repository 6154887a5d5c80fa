import { expect, test } from 'vitest';
import { wheels } from '../../src/native/wheel.js';

test.each(Object.entries(wheels))('the wheel of %s is named after what pip is told to pick', (_, wheel) => {
  const python = `cp${wheel.python.replace('.', '')}`;
  const project = wheel.project.replace('-', '_');
  expect(wheel.file).toBe(`${project}-${wheel.version}-${python}-${python}-${wheel.platform}.whl`);
  expect(wheel.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(wheel.unpackedBytes).toBeGreaterThan(wheel.bytes);
});
