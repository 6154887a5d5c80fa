import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Whether there is one; on a machine that tests every commit there has to be. */
export const hasChromium = existsSync(executablePath) || process.env.CI !== undefined;

/** Pages of a headless Chromium with charts in them. */
export interface Chromium {
  /** An empty page with what `page.ts` has, as `page`. */
  open(options?: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

const BODY = `<!doctype html><html lang="en"><title>A training</title>
<style>body{margin:24px;font-family:system-ui,sans-serif}@media (max-width:500px){body{margin:8px}}</style><h1>A training</h1><main></main><p id="below">Below the chart.</p>`;

export async function chromiumWithCharts(): Promise<Chromium> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    // Its own d3 and vega come in many files.
    alias: { '@tensorflow/tfjs-vis': '@tensorflow/tfjs-vis/dist/tfjs-vis.umd.min.js' },
    define: { global: 'globalThis' },
    logLevel: 'error',
  });
  const browser: Browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
  });
  return {
    async open(options = {}) {
      // axe asks for a context of its own.
      const context = await browser.newContext({ viewport: { width: 900, height: 1000 }, ...options });
      const tab = await context.newPage();
      await tab.route('http://localhost/', (route) => route.fulfill({ contentType: 'text/html', body: BODY }));
      await tab.goto('http://localhost/');
      await tab.addScriptTag({ content: outputFiles[0]!.text });
      return tab;
    },
    close: () => browser.close(),
  };
}
