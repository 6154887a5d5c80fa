import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launched } from '../browser/chromium.js';
import { expectGolden, expectTraining } from '../browser/golden-in-page.js';
import type { Page } from '../browser/page.js';
import { goldenCases } from '../measure/golden-network.js';
import { npmPage } from './npm-page.js';
import { type EveryDoor, everyDoor, expectSame, goldenCase } from './programs.js';

const root = join(import.meta.dirname, '../..');

/** Paths of npm's files, as a CDN has them. */
const TF = '@tensorflow/tfjs/dist/tf.min.js';
const OURS = 'tfjs-sharpness/dist/tfjs-sharpness.min.js';
const layered = ['core', 'layers', 'backend-cpu'].map((name) => `@tensorflow/tfjs-${name}/dist/tf-${name}.min.js`);
const backends: Readonly<Record<string, string[]>> = {
  cpu: [],
  wasm: ['@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js'],
  webgl: [],
  webgpu: ['@tensorflow/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js'],
};

const script = (text: string) => `<script>${text}</script>`;
const tags = (...paths: string[]) => paths.map((path) => `<script src="/npm/${path}"></script>`).join('\n');
const html = (...body: string[]) => `<!doctype html><meta charset="utf-8"><title>test</title>\n${body.join('\n')}`;
const importMap = (imports: ImportMap) => `<script type="importmap">${JSON.stringify({ imports })}</script>`;

/** A program of ES modules as one for script tags. */
const forScriptTag = (program: string) =>
  program
    .replace(/^import \* as tf from '.*';$/gm, '')
    .replace(/^import (\{.*\}) from 'tfjs-sharpness.*';$/gm, 'const $1 = tfSharpness;');

/** What the tests in a page call, on the globals of the page. */
const onGlobals: Plugin = {
  name: 'on-globals',
  setup(bundle) {
    bundle.onResolve({ filter: /^@tensorflow\// }, () => ({ path: 'tf', namespace: 'global' }));
    bundle.onResolve({ filter: /\/src\// }, () => ({ path: 'tfSharpness', namespace: 'global' }));
    bundle.onLoad({ filter: /.*/, namespace: 'global' }, ({ path }) => ({ contents: `module.exports = ${path};` }));
  },
};

describe.skipIf(!hasChromium && !process.env.CI)('the files for pages without a bundler', () => {
  let browser: Browser;
  let program: string;
  let inNode: EveryDoor;
  let ofPage: string;

  beforeAll(async () => {
    program = await everyDoor([goldenCase('cnn-batchnorm')]);
    const printing = `${program}\nconsole.log(JSON.stringify(await globalThis.outcome));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-'], {
      cwd: root,
      input: printing,
      encoding: 'utf8',
    });
    inNode = JSON.parse(said.trim().split('\n').at(-1)!) as EveryDoor;
    const { outputFiles } = await build({
      entryPoints: [join(root, 'test/browser/page.ts')],
      plugins: [onGlobals],
      bundle: true,
      write: false,
      format: 'iife',
      logLevel: 'error',
    });
    ofPage = outputFiles[0]!.text;
    browser = await launched();
  });
  afterAll(() => browser?.close());

  /** What the program of all entries finds in a page. */
  async function outcomeIn(page: string): Promise<{ found: EveryDoor; said: string[] }> {
    const { tab, said } = await npmPage(browser, page);
    try {
      await tab.waitForFunction('globalThis.outcome', undefined, { timeout: 60_000 }).catch(() => {
        throw new Error(`the page has no outcome. It said: ${said.join('\n')}`);
      });
      return { found: await tab.evaluate('globalThis.outcome'), said };
    } finally {
      await tab.close();
    }
  }

  /** What a page says as it loads. */
  async function saidBy(page: string): Promise<string[]> {
    const { tab, said } = await npmPage(browser, page);
    await tab.close();
    return said;
  }

  describe.each(Object.keys(backends))('a script tag, on %s', (backend) => {
    let tab: Awaited<ReturnType<typeof npmPage>>['tab'];
    let said: string[];

    beforeAll(async () => {
      ({ tab, said } = await npmPage(browser, html(tags(TF, ...backends[backend]!, OURS))));
      await tab.addScriptTag({ content: ofPage });
      const running = await tab.evaluate((name) => {
        const { tf, page } = globalThis as unknown as {
          tf: { wasm?: { setWasmPaths(folder: string): void } };
          page: Page;
        };
        tf.wasm?.setWasmPaths('/npm/@tensorflow/tfjs-backend-wasm/dist/');
        return page.backend(name);
      }, backend);
      expect(running).toBe(backend);
    });
    afterAll(() => tab?.close());

    // The paper's networks take minutes where the GPU is emulated.
    const cases = goldenCases().filter(({ name }) => !name.startsWith('paper-'));
    test('golden cases', async () => {
      expect(cases).not.toHaveLength(0);
      for (const golden of cases) {
        await expectGolden(tab, golden);
      }
    });

    // wasm cannot train convolutions, and the example trains on WebGL, which is first.
    test.runIf(backend === 'cpu')('trains with the callback', () => expectTraining(tab));

    test('the console has no error and no warning', () => {
      expect(said).toEqual([]);
    });
  });

  test('a script tag has what all entries for a page export, and no name twice', async () => {
    const { tab } = await npmPage(browser, html(tags(TF, OURS)));
    const names = await tab.evaluate<string[]>('Object.keys(tfSharpness)');
    await tab.close();
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      exports: Record<string, { default: string } | string>;
    };
    const files = Object.entries(exports).flatMap(([entry, each]) =>
      typeof each === 'object' && !['./files', './node', './report'].includes(entry) ? [each.default] : [],
    );
    const modules = await Promise.all(files.map((file): Promise<object> => import(join(root, file))));
    expect(names.sort()).toEqual(modules.flatMap((each) => Object.keys(each)).sort());
  });

  const doors: readonly [string, string, (text: string) => string][] = [
    ['tf.min.js', tags(TF, OURS), forScriptTag],
    ['the scripts of the parts of tf.js', tags(...layered, OURS), forScriptTag],
    ['the import map of docs/browser.md', importMap({ ...mapOfPage(), ...subpaths() }), (text) => text],
  ];
  test.each(doors)('every door, beside %s: the numbers of the ES modules in Node', async (_, head, adapted) => {
    const module = `<script type="module">${adapted(program)}</script>`;
    const { found, said } = await outcomeIn(html(head, module));
    expectSame(found, inNode);
    expect(said).toEqual([]);
  });

  test.each(['wasm', 'webgpu'])('an import map has %s as docs/browser.md says', async (backend) => {
    const name = `@tensorflow/tfjs-backend-${backend}`;
    const empty = 'data:text/javascript,export default {}';
    const map = {
      ...mapOfPage(),
      [name]: `/npm/${name}/dist/tf-backend-${backend}.fesm.min.js`,
      ...(backend === 'wasm' && { fs: empty, os: empty, path: empty, perf_hooks: empty }),
    };
    const text = `
      import * as tf from '@tensorflow/tfjs';
      import * as backend from '${name}';
      import { measureSharpness } from 'tfjs-sharpness';
      backend.setWasmPaths?.('/npm/${name}/dist/');
      await tf.setBackend('${backend}');
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [2], activation: 'softmax' })] });
      const { minimumSharpness } = await measureSharpness(model, tf.ones([3, 2]), { loss: 'categoricalCrossentropy' });
      globalThis.outcome = [tf.getBackend(), minimumSharpness > 0];`;
    const { found, said } = await outcomeIn(html(importMap(map), `<script type="module">${text}</script>`));
    expect(found).toEqual([backend, true]);
    expect(said).toEqual([]);
  });

  test('the operators of rxjs.umd.min.js work on its streams', async () => {
    const text = `
      tf.setBackend('cpu');
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [2], activation: 'softmax' })] });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
      const x = tf.tensor([[1, 2], [0.5, -1]]);
      const sharpness = tfSharpness.minimumSharpness({ data: x });
      const outcome = rxjs.firstValueFrom(
        sharpness.readings$.pipe(rxjs.map(({ epoch }) => epoch), rxjs.bufferCount(3), rxjs.take(1)));
      model.fit(x, tf.tensor([[1, 0], [0, 1]]), { epochs: 5, verbose: 0, callbacks: [sharpness] });`;
    const page = html(
      tags(TF, OURS, 'rxjs/dist/bundles/rxjs.umd.min.js'),
      script(text.replace('const outcome', 'globalThis.outcome')),
    );
    const { found, said } = await outcomeIn(page);
    expect(found).toEqual([0, 1, 2]);
    expect(said).toEqual([]);
  });

  test('examples/script-tag.html trains and charts with two script tags', async () => {
    const example = readFileSync(join(root, 'examples/script-tag.html'), 'utf8');
    expect(example.match(/<script src=/g)).toHaveLength(2);
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
    const { tab, said } = await npmPage(browser, example, 'npm/tfjs-sharpness/examples/script-tag.html');
    await tab.waitForFunction("document.querySelector('.when')?.textContent === 'batch 320, epoch 20'", undefined, {
      timeout: 120_000,
    });
    await tab.locator('summary').click();
    // The table is filled when it is opened, which the page hears of a moment later.
    await tab.locator('tbody tr').nth(19).waitFor();
    const rows = await tab.locator('tbody tr').allTextContents();
    const canvases = await tab.locator('canvas').count();
    const values = await tab.locator('.runs .value').textContent();
    await tab.close();
    expect(rows).toHaveLength(20);
    // Batch, epoch, Minimum Sharpness and trace.
    expect(rows[0]).toMatch(/^161\d\.\d+\.\d+$/);
    // The large plot, and one of each layer.
    expect(canvases).toBe(3);
    expect(values).toMatch(/^\d+\.?\d*, trace \d+\.?\d*$/);
    expect(said).toEqual([]);
  });

  test('a worker loads it by importScripts', async () => {
    const { tab, said } = await npmPage(browser, html());
    const names = await tab.evaluate(
      (paths) =>
        new Promise<string>((resolve, reject) => {
          const text = `importScripts(${paths.map((path) => `'${location.origin}/npm/${path}'`).join()});
            postMessage(typeof tfSharpness.measureSharpness);`;
          const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
          worker.onmessage = ({ data }) => resolve(data as string);
          worker.onerror = ({ message }) => reject(new Error(message));
        }),
      [TF, OURS],
    );
    await tab.close();
    expect(names).toBe('function');
    expect(said).toEqual([]);
  });

  const old = script("tf.version_core = '4.1.0';");
  test.each([
    ['no tf.js', tags(OURS), /no TensorFlow\.js as the global tf\. Load https:.* before this one/],
    ['tf.js behind it', tags(OURS, TF), /no TensorFlow\.js as the global tf\. Load https:.* before this one/],
    ['an element by the name tf', `<p id="tf"></p>${tags(OURS)}`, /no TensorFlow\.js as the global tf/],
    [
      'an AMD loader, which takes tf.js',
      `${script('window.define = () => {}; define.amd = {};')}${tags(TF, OURS)}`,
      /no TensorFlow\.js as the global tf\. An AMD loader such as RequireJS/,
    ],
    ['no layers', tags(layered[0]!, OURS), /has no layers\. Load https:/],
    ['tf.js of before 4.2', `${tags(TF)}${old}${tags(OURS)}`, /is 4\.1\.0, and 4\.2 or newer is needed: load https:/],
  ])('one line where the page has %s', async (_, head, line) => {
    const said = await saidBy(html(head));
    expect(said).toEqual([expect.stringMatching(line)]);
    expect(said[0]).not.toContain('\n');
  });
});

type ImportMap = Readonly<Record<string, string>>;

function mapOfPage(): ImportMap {
  const [, map] = /<script type="importmap">\n(.*?)<\/script>/s.exec(
    readFileSync(join(root, 'docs/browser.md'), 'utf8'),
  )!;
  return (JSON.parse(map!) as { imports: ImportMap }).imports;
}

/** Of the entries that run in a page, their subpaths. */
function subpaths(): ImportMap {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object };
  return Object.fromEntries(
    Object.keys(exports).flatMap((entry) =>
      ['.', './files', './node', './report', './package.json'].includes(entry)
        ? []
        : [[`tfjs-sharpness${entry.slice(1)}`, mapOfPage()['tfjs-sharpness']!]],
    ),
  );
}
