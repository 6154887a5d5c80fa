import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BackendName } from './backend.js';
import type { CountedReading } from './launch-settings.js';

/** Counts the readings of one backend in a process of its own; null where the backend is not there. */
export async function countedBackend(backend: BackendName, quick = false): Promise<CountedReading[] | null> {
  const program = fileURLToPath(new URL('./launches-reading.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', program, backend, ...(quick ? ['--quick'] : [])],
    { env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' }, maxBuffer: 2 ** 24 },
  );
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!).readings;
}

const place = new URL('./results/launches.json', import.meta.url);

/** The table that is under version control. */
export const committedCounts = (): CountedReading[] => JSON.parse(readFileSync(place, 'utf8'));
