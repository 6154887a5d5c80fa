import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launched, ORIGIN } from './chromium.js';
import type { LongReadingPage } from './long-reading-page.js';
import { tasksDuring } from './page-tasks.js';

const wasmFolder = join(import.meta.dirname, '../../node_modules/@tensorflow/tfjs-backend-wasm/dist');

describe.skipIf(!hasChromium && !process.env.CI)(
  'a reading of a convolutional network and 2,000 images in a page',
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launched('none');
    });
    afterAll(() => browser?.close());

    it('leaves it free again within 50 ms on wasm, the first one as well', async () => {
      const { outputFiles } = await build({
        entryPoints: [join(import.meta.dirname, 'long-reading-page.ts')],
        bundle: true,
        write: false,
        format: 'iife',
        platform: 'browser',
        logLevel: 'error',
      });
      const tab = await browser.newPage();
      await tab.route(`${ORIGIN}**`, (route) => {
        const name = basename(route.request().url());
        return name.endsWith('.wasm')
          ? route.fulfill({ contentType: 'application/wasm', body: readFileSync(join(wasmFolder, name)) })
          : route.fulfill({ contentType: 'text/html', body: '<!doctype html>' });
      });
      await tab.goto(ORIGIN);
      await tab.addScriptTag({ content: outputFiles[0]!.text });
      await tab.evaluate(
        (folder) => (globalThis as unknown as { page: LongReadingPage }).page.setUp(2000, folder),
        `${ORIGIN}wasm/`,
      );
      for (let i = 0; i < 2; i++) {
        let found = Number.NaN;
        const tasks = await tasksDuring(tab, async () => {
          found = await tab.evaluate(() => (globalThis as unknown as { page: LongReadingPage }).page.reading());
        });
        expect(found).toBeGreaterThan(0);
        expect(tasks.length).toBeGreaterThan(5);
        expect(Math.max(...tasks)).toBeLessThan(50);
      }
    });
  },
);
