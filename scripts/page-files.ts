/*
 * Makes the two files for pages without a bundler out of the modules in dist/, as the last step of `npm run build`:
 *
 * - tfjs-sharpness.min.js for a script tag: the global tfSharpness, on the page's global tf;
 * - tfjs-sharpness.esm.js for an import map: an ES module on what the page maps @tensorflow/tfjs-core and tfjs-layers to.
 *
 * Each has what all entries for a browser export, and RxJS and uPlot within.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, { readonly default: string } | string>>;
}
const { version, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const versionOf = (name: string) =>
  (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;

/** What neither is a module nor runs in a page. */
const elsewhere = ['./node', './package.json'];
const entries = Object.entries(exports).flatMap(([entry, files]) =>
  typeof files === 'object' && !elsewhere.includes(entry) ? [`export * from './${basename(files.default)}';`] : [],
);

/** The modules of tf.js are the page's global. */
const globalTf: Plugin = {
  name: 'global-tf',
  setup(bundle) {
    bundle.onResolve({ filter: /^@tensorflow\/tfjs-(core|layers)$/ }, () => ({ path: 'tf', namespace: 'page' }));
    bundle.onLoad({ filter: /.*/, namespace: 'page' }, () => ({
      // As CommonJS: its functions are looked up when they are called, as by the page's own scripts.
      contents: "module.exports = require('./tfjs/page-global.js').pageGlobal();",
      resolveDir: dist,
    }));
  },
};

const modules = `import { version_core } from '@tensorflow/tfjs-core';
import { checkVersion } from './tfjs/page-global.js';
checkVersion(version_core);
`;

const files: Readonly<Record<string, BuildOptions>> = {
  'tfjs-sharpness.min.js': {
    stdin: { contents: entries.join('\n'), resolveDir: dist },
    format: 'iife',
    globalName: 'tfSharpness',
    plugins: [globalTf],
  },
  'tfjs-sharpness.esm.js': {
    stdin: { contents: modules + entries.join('\n'), resolveDir: dist },
    format: 'esm',
    external: ['@tensorflow/*'],
  },
};

/** A source map that leaves out the texts of files which are packed beside it. */
function withoutPackedSources(text: string): string {
  const map = JSON.parse(text) as { sources: string[]; sourcesContent: (string | null)[] };
  const sourcesContent = map.sources.map((path, i) => (path.startsWith('../src/') ? null : map.sourcesContent[i]));
  return JSON.stringify({ ...map, sourcesContent });
}

for (const [name, options] of Object.entries(files)) {
  const { outputFiles } = await build({
    ...options,
    outfile: join(dist, name),
    write: false,
    bundle: true,
    minify: true,
    platform: 'browser',
    target: 'es2022',
    // RxJS without what ES5 would need.
    conditions: ['es2015'],
    sourcemap: 'linked',
    legalComments: 'none',
    banner: {
      js: `/*! tfjs-sharpness ${version}, MIT licence; with RxJS ${versionOf('rxjs')}, https://www.apache.org/licenses/LICENSE-2.0, and uPlot ${versionOf('uplot')}, (c) Leon Sorokin, MIT licence, https://github.com/leeoniya/uPlot/blob/master/LICENSE */`,
    },
    logLevel: 'warning',
  });
  for (const { path, text } of outputFiles) {
    writeFileSync(path, path.endsWith('.map') ? withoutPackedSources(text) : text);
  }
  const { contents } = outputFiles.find(({ path }) => path.endsWith('.js'))!;
  const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  console.log(
    `${basename(dirname(outputFiles[0]!.path))}/${name}: ${kB(contents.length)}, ${kB(brotliCompressSync(contents).length)} by Brotli`,
  );
}
