import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page as BrowserPage } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../measure/golden-network.js';
import { valueCases } from '../measure/value-cases.js';
import { hasChromium, launched, ORIGIN } from './chromium.js';
import { expectGolden, expectTraining } from './golden-in-page.js';
import type { Page } from './page.js';

if (!hasChromium && !process.env.CI) {
  console.warn("browser tests skipped: no Chromium. Install Debian's package chromium, or set CHROMIUM to its path.");
}

/** The package in a page, bundled as an application would, in a headless Chromium without a GPU: SwiftShader emulates it. */
describe.skipIf(!hasChromium && !process.env.CI).each(['webgl', 'webgpu'])('in a browser, on %s', (backend) => {
  let browser: Browser;
  let tab: BrowserPage;

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('./page.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
      logLevel: 'error',
    });
    browser = await launched();
    tab = await browser.newPage();
    await tab.route(ORIGIN, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    await tab.goto(ORIGIN);
    await tab.addScriptTag({ content: outputFiles[0].text });
    const running = await tab.evaluate((name) => (globalThis as unknown as { page: Page }).page.backend(name), backend);
    expect(running).toBe(backend);
  }, 120_000);
  afterAll(() => browser?.close());

  it.each(valueCases.map(({ name, within = 1e-4 }) => [name, within] as const))(
    'value case: %s',
    async (name, within) => {
      const { deviation, leaked } = await tab.evaluate(
        (given) => (globalThis as unknown as { page: Page }).page.valueCase(given),
        name,
      );
      expect(deviation).toBeLessThan(within);
      expect(leaked).toBe(0);
    },
  );

  // The paper's networks take minutes where the GPU is emulated.
  const cases = goldenCases().filter(({ name }) => !name.startsWith('paper-'));
  it.each(cases.map((golden) => [golden.name, golden] as const))('golden case %s', (_, golden) =>
    expectGolden(tab, golden),
  );

  describe.skipIf(backend !== 'webgpu')("a WebGPU device's buffers", () => {
    const watched = (...given: Parameters<Page['watched']>) =>
      tab.evaluate((all) => (globalThis as unknown as { page: Page }).page.watched(...all), given);
    const MB = 2 ** 20;

    it.each(['exact', { pairs: 60 }, { tolerance: 0.3 }] as const)(
      'stay within 1.25 times the budget, those that tf.js keeps included: %o',
      async (method) => {
        const plenty = await watched(method, 64, null);
        const tight = await watched(method, 0.5, null);
        expect(plenty.peak).toBeGreaterThan(1.25 * 0.5 * MB);
        expect(plenty.peak).toBeLessThanOrEqual(1.25 * 64 * MB);
        expect(tight.peak).toBeLessThanOrEqual(1.25 * 0.5 * MB);
        // Pairs are drawn by means over the chunks before.
        const within = method === 'exact' ? 1e-5 : 0.3;
        expect(Math.abs(tight.minimumSharpness / plenty.minimumSharpness - 1)).toBeLessThan(within);
      },
      120_000,
    );

    it.each(['exact', { pairs: 60 }] as const)(
      'may not be made: the chunk is run again in halves: %o',
      async (method) => {
        const right = await watched(method, 64, null);
        const failing = await watched(method, 64, 30_000);
        expect(failing.failures).toBeGreaterThan(0);
        const within = method === 'exact' ? 1e-5 : 0.3;
        expect(Math.abs(failing.minimumSharpness / right.minimumSharpness - 1)).toBeLessThan(within);
        expect(failing.leaked).toBe(0);
      },
      120_000,
    );
  });

  it('trains with the callback', () => expectTraining(tab));
});
