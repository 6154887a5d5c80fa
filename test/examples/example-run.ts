import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Runs a command in the repository, as a reader of the README would. */
export function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

/** Runs a script of the repository as `npx tsx` does, less the time that npx takes to find tsx. */
export function runScript(args: readonly string[], env: Record<string, string> = {}) {
  return run(process.execPath, ['--import', 'tsx', ...args], env);
}

/** The first group of every match, as numbers: all must be finite. */
export function numbers(text: string, pattern: RegExp): number[] {
  const found = [...text.matchAll(pattern)].map(([, digits]) => Number(digits));
  for (const value of found) {
    expect(value).toSatisfy(Number.isFinite);
  }
  return found;
}

/** The numbers of the lines that an example prints, one an epoch, from the epoch's own up to the last before the time. */
export function epochLines(stdout: string): number[][] {
  const lines = stdout.split('\n').filter((line) => /^ +\d+ .*±.* s$/.test(line));
  const rows = lines.map((line) => line.replaceAll('±', '').trim().split(/\s+/).slice(0, -2).map(Number));
  for (const row of rows) {
    for (const value of row) {
      expect(value).toSatisfy(Number.isFinite);
    }
  }
  expect(rows.map(([epoch]) => epoch)).toEqual(rows.map((_, i) => i + 1));
  return rows;
}
