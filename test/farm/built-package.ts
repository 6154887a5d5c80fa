import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

/** The package as JavaScript, in a folder that finds the project's packages: its processes start in a third of the time that tsx takes. */
export interface BuiltPackage {
  /** Starts `tfjs-sharpness WORDS`. */
  start(...words: string[]): Started;
}

export interface Started {
  readonly process: ChildProcess;
  /** What it has written so far to standard error. */
  said(): string;
  /** Until it has said this. */
  saying(text: string): Promise<void>;
}

/** @param version of its package.json. Default: the project's. */
export function builtPackage(version?: string): BuiltPackage {
  let folder = '';
  const running: ChildProcess[] = [];
  beforeAll(async () => {
    mkdirSync('.cache', { recursive: true });
    folder = resolve(mkdtempSync(join('.cache', 'farm-')));
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
      /(?<!\.d)\.ts$/.test(name),
    );
    const entryPoints = sources.map((name) => join('src', name));
    await build({ entryPoints, outdir: join(folder, 'dist'), format: 'esm', logLevel: 'error' });
    const own = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...own, version: version ?? own.version }));
  });
  afterAll(() => {
    for (const each of running) {
      each.kill('SIGKILL');
    }
    rmSync(folder, { recursive: true });
  });
  return {
    start(...words) {
      const child = spawn(process.execPath, [join(folder, 'dist/cli.js'), ...words], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running.push(child);
      let text = '';
      const listeners = new Set<() => void>();
      child.stderr!.on('data', (chunk) => {
        text += chunk;
        for (const each of listeners) {
          each();
        }
      });
      return {
        process: child,
        said: () => text,
        saying: (wanted) =>
          new Promise((done) => {
            const look = () => {
              if (text.includes(wanted)) {
                listeners.delete(look);
                done();
              }
            };
            listeners.add(look);
            look();
          }),
      };
    },
  };
}
