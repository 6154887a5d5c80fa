/**
 * Counts what a warm reading asks of each backend: launches, reads, bytes and memory, by network and method. No times, so that
 * the table is the same on every machine; a test compares the code with it. Writes `launches.md` and `launches.json`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { backendNames } from './backend.js';
import { countedBackend } from './counted-backend.js';
import { type CountedReading, launchTables } from './launch-settings.js';
import { named } from './named.js';
import { resultsFolder, writeReport } from './report.js';

const usage = `usage: npm run bench:launches -- [options]

Counts launches, reads, bytes and memory of a warm reading. npm test compares a part of them with benchmarks/results.

  --backends NAMES  which of ${backendNames.join(', ')}, with commas between (default: all); the others' rows stay
  --quick           what npm test counts, alone; to .cache/bench-quick unless told otherwise
  --out FOLDER      where the report goes (default ${resultsFolder})
  --help            show this text`;

async function run(names: readonly (typeof backendNames)[number][], out: string, quick: boolean): Promise<void> {
  const file = resolve(out, 'launches.json');
  const earlier: CountedReading[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const readings: CountedReading[] = [];
  for (const backend of backendNames) {
    if (!names.includes(backend)) {
      readings.push(...earlier.filter((reading) => reading.backend === backend));
      continue;
    }
    const found = await countedBackend(backend, quick);
    if (!found) {
      throw new Error(`The backend ${backend} is not there: name the others with --backends.`);
    }
    readings.push(...found);
    console.log(launchTables(found).join('\n'));
  }
  const lines = [
    '# Launches',
    '',
    'What the second reading of a network asks of a backend, counted. A launch is an operation of the C library on tfjs-node, a',
    'dispatch on WebGPU, and on the others a kernel that computes (Reshape is free). A read waits for the numbers of a tensor. Up: tensors made',
    'of numbers in JavaScript. Peak: tensor memory above what was there before. The networks have the weights of the golden cases or, where it',
    'says so, are trained on the same images; images are few where the backend is slow. memoryMB is 1024 on tfjs-node, else 256. As on a',
    'GPU: tfjs-node is told that a GPU computes, as tfjs-node-gpu is, and memoryMB is 8192; the processor does the work, and launches, reads and',
    'bytes are those of a card.',
    '',
    'Nothing is timed: `npm test` counts again and fails where a number has grown by more than 3%.',
    '`npm run bench:launches` writes the table anew.',
    ...launchTables(readings),
  ];
  await writeReport(out, 'launches', lines);
  writeFileSync(file, `[\n${readings.map((reading) => JSON.stringify(reading)).join(',\n')}\n]\n`);
}

try {
  const { values } = parseArgs({
    options: {
      backends: { type: 'string', default: backendNames.join() },
      out: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
  } else {
    const out = values.out ?? (values.quick ? '.cache/bench-quick' : resultsFolder);
    await run(named('backends', values.backends, backendNames), out, values.quick);
  }
} catch (error) {
  console.error(`${(error as Error).message} (npm run bench:launches -- --help lists the options)`);
  process.exitCode = 1;
}
