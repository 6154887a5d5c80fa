import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { expect, it } from 'vitest';

/** At the root of src/, only what every room uses; the entries beside it are tested as the package's exports. */
const atRoot = /^(abort-signals|checks|names|warnings)\.ts$/;

/** Whether anything of a module is left to run once its types are gone. */
function isTypesOnly(source: string): boolean {
  return !/^export\b/m.test(transformSync(source, { loader: 'ts', format: 'esm' }).code);
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .filter((file) => file.includes('/') || atRoot.test(file))
  .sort();

it('each file of src/ has a test of its name', () => {
  const missing = sources.filter((file) => {
    const source = readFileSync(join('src', file), 'utf8');
    const isGenerated = /^\/\/ @generated\b/m.test(source);
    return !isGenerated && !isTypesOnly(source) && !existsSync(join('test', file.replace(/\.ts$/, '.test.ts')));
  });
  expect(missing).toEqual([]);
});

it('files of types alone are told from those that run', () => {
  expect(sources.length).toBeGreaterThan(100);
  expect(isTypesOnly('export interface A { b: number }\nexport type { C } from "./c.js";')).toBe(true);
  expect(isTypesOnly('export type A = 1;\nexport const a: A = 1;')).toBe(false);
  expect(isTypesOnly('export function f(): void {}')).toBe(false);
});
