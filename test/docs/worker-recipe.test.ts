import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hasChromium, launched, ORIGIN } from '../browser/chromium.js';
import { blocksOf, root } from './pages.js';

/** The two programs of docs/browser.md, bundled, in a real page and its worker. */
const [worker, page] = blocksOf('docs/browser.md')
  .filter(({ title }) => title === 'In a worker')
  .map(({ code }) => code);

let files: Record<string, string> = {};
beforeAll(async () => {
  const bundled = async (contents: string) => {
    const { outputFiles } = await build({
      stdin: { contents, loader: 'ts', resolveDir: root },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      logLevel: 'error',
    });
    return outputFiles[0]!.text;
  };
  const [inWorker, inPage] = await Promise.all([bundled(worker!), bundled(page!)]);
  files = { 'worker.js': inWorker, 'page.js': inPage };
});

let browser: Awaited<ReturnType<typeof launched>> | undefined;
afterAll(() => browser?.close());

it.skipIf(!hasChromium && !process.env.CI)(
  'trains in a worker and charts in the page',
  async () => {
    // The page itself has no tf.js.
    expect(files['page.js']!.length).toBeLessThan(files['worker.js']!.length / 5);
    browser = await launched();
    const tab = await browser.newPage();
    const said: string[] = [];
    tab.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()));
    tab.on('pageerror', ({ message }) => said.push(message));
    await tab.route(`${ORIGIN}**`, (route) => {
      const body = files[new URL(route.request().url()).pathname.slice(1)];
      return body === undefined
        ? route.fulfill({
            contentType: 'text/html',
            body: '<!doctype html><link rel="icon" href="data:,"><main></main>',
          })
        : route.fulfill({ contentType: 'text/javascript', body });
    });
    await tab.goto(ORIGIN);
    await tab.addScriptTag({
      type: 'module',
      content: `
      import { trainInWorker } from './page.js';
      const labels = Int32Array.from({ length: 90 }, (_, i) => i % 3);
      const inputs = Float32Array.from({ length: 180 }, (_, i) => Math.sin(i) + (labels[i >> 1] - 1) * (i % 2));
      trainInWorker(document.querySelector('main'), { inputs, labels, width: 2, classes: 3 });`,
    });
    await tab.waitForFunction(() => document.querySelector('main .when')?.textContent?.includes('epoch 10'));
    expect(await tab.textContent('main .runs .value')).toMatch(/^\d.*, trace \d/);
    expect(said).toEqual([]);
  },
  60_000,
);
