import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';

/** Gives every test of a file an empty folder, with a `bin` for commands in it, and an environment that names no tools. */
export function ownFolder() {
  let folder: string;
  const bin = () => join(folder, 'bin');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'native-test-'));
    mkdirSync(bin());
    vi.stubEnv('PYTHON', undefined);
    vi.stubEnv('npm_config_python', undefined);
    vi.stubEnv('CXX', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  return {
    folder: () => folder,
    bin,
    /** Puts a shell script into `bin`. */
    command(name: string, script: string): void {
      writeFileSync(join(bin(), name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin(), name), 0o755);
    },
  };
}
