import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launched, ORIGIN } from '../browser/chromium.js';

/** Pages of a headless Chromium with charts in them. */
export interface ChartBrowser {
  /** An empty page with what `chart-page.ts` has, or another module, as `page`. */
  open(options?: BrowserContextOptions, head?: string): Promise<Page>;
  /** What pages have said on the console as errors or warnings, and errors that nothing caught. */
  readonly said: string[];
}

const html = (head: string) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>A training</title>${head}
<style>body{margin:24px;font-family:system-ui,sans-serif}@media (max-width:500px){body{margin:8px}}</style>
<h1>A training</h1><main></main><p id="below">Below the chart.</p>`;

/**
 * A browser for the tests of a file.
 *
 * @param module which sets the global `page`, beside this file.
 */
export function chartBrowser(module = 'chart-page.ts', plugins: Plugin[] = []): ChartBrowser {
  let browser: Browser;
  let text: string;
  const said: string[] = [];
  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(module, import.meta.url))],
      plugins,
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
      // Its own d3 and vega come in many files.
      alias: { '@tensorflow/tfjs-vis': '@tensorflow/tfjs-vis/dist/tfjs-vis.umd.min.js' },
      define: { global: 'globalThis' },
      logLevel: 'error',
    });
    text = outputFiles[0]!.text;
    browser = await launched('none');
  });
  afterAll(() => browser?.close());
  return {
    said,
    async open(options = {}, head = '') {
      // axe asks for a context of its own.
      const context = await browser.newContext({ viewport: { width: 900, height: 1000 }, ...options });
      const tab = await context.newPage();
      tab.on('pageerror', (error) => said.push(String(error)));
      tab.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
          said.push(message.text());
        }
      });
      await tab.route('**/*', (route) =>
        route.request().url() === ORIGIN
          ? route.fulfill({ contentType: 'text/html', body: html(head) })
          : route.request().url().endsWith('/page.js')
            ? route.fulfill({ contentType: 'text/javascript', body: text })
            : route.fulfill({ status: 204 }),
      );
      await tab.goto(ORIGIN);
      await tab.addScriptTag({ url: `${ORIGIN}page.js` });
      return tab;
    },
  };
}
