import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';
import { type EveryDoor, everyDoor, expectSame, goldenCase, outcomeInNode } from './programs.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const isArm = process.arch === 'arm64';

/** Packages that hold nothing but a runtime, and how it runs a module. */
const runtimes: Readonly<Record<string, { readonly packed: string; readonly command: readonly string[] }>> = {
  'Node 20': { packed: `node20@npm:node-linux-${process.arch}@20.20.2`, command: ['node20/bin/node'] },
  'Node 22': { packed: `node22@npm:node-linux-${process.arch}@22.23.3`, command: ['node22/bin/node'] },
  'Node 24': { packed: `node24@npm:node-linux-${process.arch}@24.21.0`, command: ['node24/bin/node'] },
  Bun: { packed: `bun@npm:@oven/bun-linux-${isArm ? 'aarch64' : 'x64-baseline'}@1.4.4`, command: ['bun/bin/bun'] },
  Deno: {
    packed: `deno@npm:@deno/linux-${isArm ? 'arm64' : 'x64'}-glibc@2.9.5`,
    command: ['deno/deno', 'run', '--allow-all', '--node-modules-dir=manual', '--no-lock'],
  },
};

/** That of the tests, which need not be installed. */
const here = `Node ${process.versions.node.split('.')[0]}`;

/** What engines of phones and browsers of some years ago do not have, and React Native not either. */
const bare = `
for (const name of ['any', 'timeout', 'abort']) delete AbortSignal[name];
for (const name of ['throwIfAborted', 'reason']) delete AbortSignal.prototype[name];
for (const name of ['toSorted', 'toReversed', 'toSpliced', 'with', 'findLast', 'findLastIndex']) delete Array.prototype[name];
for (const name of ['structuredClone', 'setImmediate', 'DOMException']) delete globalThis[name];
for (const [owner, name] of [[Object, 'groupBy'], [Promise, 'withResolvers'], [Array, 'fromAsync']]) delete owner[name];
`;

let project: PackedProject;
let expected: EveryDoor;

beforeAll(async () => {
  const packed = Object.entries(runtimes).flatMap(([name, runtime]) => (name === here ? [] : [runtime.packed]));
  project = packedProject('@tensorflow/tfjs@4.22.0', 'rxjs@7.8.2', 'esbuild@0.28.2', ...packed);
  const program = await everyDoor([goldenCase('cnn-batchnorm')]);
  project.write('every-door.mjs', program);
  project.write('bare.mjs', bare);
  project.write('bare-door.mjs', `import './bare.mjs';\n${program}`);
  for (const name of ['every-door', 'bare-door']) {
    project.write(
      `${name}-said.mjs`,
      `import './${name}.mjs';\nconsole.log(JSON.stringify(await globalThis.outcome));`,
    );
  }
  project.write(
    'written.mjs',
    `import { mkdirSync } from 'node:fs';
     import { tensorBoardWriter } from 'tfjs-sharpness/node';
     const writer = tensorBoardWriter(process.argv[2]);
     const parameters = [{ name: 'dense/kernel', layer: 'dense', trace: 2, standardError: 0 }];
     const reading = { minimumSharpness: 1.5, standardError: 0.1, trace: 2, parameters, scales: [], samples: 4, pairs: 8 };
     for (let step = 1; step < 4; step++) {
       writer.next({ ...reading, step, epoch: step, exact: true, reliable: true, method: 'exact', assumptions: [], durationMs: 1 });
     }
     writer.complete();`,
  );
  expected = outcomeInNode<EveryDoor>(project, 'every-door.mjs');
});
afterAll(() => project?.remove());

test.each(Object.keys(runtimes))('%s trains and measures with the same numbers, and writes the same events', (name) => {
  const [packed, ...args] = runtimes[name]!.command;
  const binary = name === here ? process.execPath : join('node_modules', packed!);
  const run = (...rest: string[]) => project.run(binary, ...args, ...rest);
  const { minimumSharpness } = goldenCase('cnn-batchnorm').expected;
  const found = JSON.parse(run('every-door-said.mjs').trim().split('\n').at(-1)!) as EveryDoor;
  expect(Math.abs(found.golden['cnn-batchnorm'] / minimumSharpness - 1)).toBeLessThan(1e-4);
  expectSame(found, expected);
  const folder = `events of ${name}`;
  run('written.mjs', folder);
  const [file, ...others] = readdirSync(join(project.folder, folder));
  expect(others).toEqual([]);
  expect(statSync(join(project.folder, folder, file!)).size).toBeGreaterThan(300);
});

test('it needs no more of a runtime than ES2022 has', () => {
  const said = project.run(process.execPath, 'bare-door-said.mjs').trim().split('\n').at(-1)!;
  expectSame(JSON.parse(said) as EveryDoor, expected);
});

describe.skipIf(!existsSync(executablePath) && !process.env.CI)('in a worker of a page', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-first-run'] });
  });
  afterAll(() => browser?.close());

  test.each([
    ['with what Chromium has', 'every-door'],
    ['with no more than ES2022', 'bare-door'],
  ])('trains and measures with the same numbers, %s', async (_, name) => {
    project.run('npx', '--no-install', 'esbuild', `${name}.mjs`, '--bundle', `--outfile=${name}.js`);
    const bundled = readFileSync(join(project.folder, `${name}.js`), 'utf8');
    const page = await browser.newPage();
    try {
      const found = await page.evaluate(
        (text) =>
          new Promise<EveryDoor>((resolve, reject) => {
            const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
            worker.onmessage = ({ data }) => resolve(JSON.parse(data));
            worker.onerror = ({ message }) => reject(new Error(message));
          }),
        `${bundled}\nglobalThis.outcome.then((found) => postMessage(JSON.stringify(found)), (error) => { setTimeout(() => { throw error; }); });`,
      );
      expectSame(found, expected);
    } finally {
      await page.close();
    }
  });
});
