import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './packed-project.js';
import {
  type EveryDoor,
  everyDoor,
  expectSame,
  goldenCase,
  type Loaded,
  loadSaved,
  outcomeInNode,
} from './programs.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
let project: PackedProject;

beforeAll(() => {
  project = packedProject(
    '@tensorflow/tfjs@4.22.0',
    'rxjs@7.8.2',
    'esbuild@0.28.2',
    'parcel@2.16.4',
    // Parcel installs these two by itself when tf.js is bundled for a page.
    'buffer@6.0.3',
    'process@0.11.10',
    'rollup@4.68.8',
    '@rollup/plugin-commonjs@29.0.3',
    '@rollup/plugin-node-resolve@16.0.3',
    'vite@8.3.8',
    'webpack@5.113.0',
    'webpack-cli@7.3.1',
  );
});
afterAll(() => project?.remove());

/** How each bundler makes `out/NAME.js` of `NAME.js` for a page; three of them minify it. */
const bundlers: Readonly<Record<string, (name: string) => string[]>> = {
  esbuild: (name) => ['esbuild', `${name}.js`, '--bundle', '--minify', `--outfile=out/${name}.js`],
  Parcel: (name) => ['parcel', 'build', `${name}.js`, '--dist-dir', 'out', '--no-source-maps', '--no-cache'],
  Rollup: (name) => {
    const plugins = ['node-resolve', 'commonjs'];
    project.write(
      'rollup.config.mjs',
      `${plugins.map((plugin, i) => `import plugin${i} from '@rollup/plugin-${plugin}';`).join('\n')}
       const plugins = [plugin0({ browser: true }), plugin1()];
       export default { input: '${name}.js', output: { file: 'out/${name}.js', format: 'es' }, plugins };`,
    );
    return ['rollup', '--config', '--silent'];
  },
  Vite: (name) => {
    const rollupOptions = { input: `${name}.js`, output: { entryFileNames: '[name].js' } };
    const options = { logLevel: 'error', build: { outDir: 'out', emptyOutDir: false, rollupOptions } };
    project.write('vite.config.mjs', `export default ${JSON.stringify(options)};`);
    return ['vite', 'build'];
  },
  webpack: (name) => [
    'webpack',
    ...[
      '--mode',
      'production',
      '--no-optimization-minimize',
      '--entry',
      `./${name}.js`,
      '--output-path',
      'out',
      '--output-filename',
      `${name}.js`,
    ],
  ],
};

describe.skipIf(!existsSync(executablePath) && !process.env.CI)('in a page', () => {
  let browser: Browser;
  let unbundled: EveryDoor;
  let loaded: Loaded;

  beforeAll(async () => {
    project.write('every-door.mjs', await everyDoor([goldenCase('cnn-batchnorm')]));
    unbundled = outcomeInNode(project, 'every-door.mjs');
    project.write('load-saved.mjs', loadSaved(unbundled.saved));
    loaded = outcomeInNode(project, 'load-saved.mjs');
    // tf.js as for a small page: without the backends and loaders that it does not use.
    project.write(
      'tf.js',
      `import '@tensorflow/tfjs-backend-cpu';
       export * from '@tensorflow/tfjs-core';
       export * from '@tensorflow/tfjs-layers';`,
    );
    project.write('every-door.js', await everyDoor([goldenCase('cnn-batchnorm')], './tf.js'));
    project.write('load-saved.js', loadSaved(unbundled.saved, './tf.js'));
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-first-run'] });
  });
  afterAll(() => browser?.close());

  /** Bundles a program, runs it in an empty page and gives what it found there. */
  async function outcome<Outcome>(bundler: string, name: string): Promise<Outcome> {
    project.run('npx', '--no-install', ...bundlers[bundler](name));
    const page = await browser.newPage();
    try {
      await page.addScriptTag({
        content: readFileSync(join(project.folder, `out/${name}.js`), 'utf8'),
        type: 'module',
      });
      await page.waitForFunction('globalThis.outcome');
      return await page.evaluate('globalThis.outcome');
    } finally {
      await page.close();
    }
  }

  test.each(Object.keys(bundlers))(
    '%s bundles every door, with the numbers of the unbundled package',
    async (bundler) => {
      expectSame(await outcome<EveryDoor>(bundler, 'every-door'), unbundled);
    },
  );

  test.each(Object.keys(bundlers))(
    '%s: a bundle that registers the optimizers loads models saved with them',
    async (bundler) => {
      const found = await outcome<Loaded>(bundler, 'load-saved');
      expect(found.optimizer).toBe('SAM');
      expectSame(found, loaded);
    },
  );
});
test('esbuild bundles the main entry for a browser', async () => {
  const result = await build({
    stdin: { contents: "export * from 'tfjs-sharpness'", resolveDir: project.folder },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const inputs = Object.entries(result.metafile.inputs);
  expect(inputs.some(([path]) => path.includes('tfjs-sharpness/dist/index.js'))).toBe(true);
  expect(inputs.some(([path]) => path.includes('tfjs-sharpness/dist/node.js'))).toBe(false);
  const ours = inputs.filter(([path]) => path.includes('node_modules/tfjs-sharpness/'));
  expect(
    ours.flatMap(([, { imports }]) => imports.map(({ path }) => path)).filter((p) => p.startsWith('node:')),
  ).toEqual([]);
  expect(result.warnings).toEqual([]);
});
