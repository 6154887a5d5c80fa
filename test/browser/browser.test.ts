import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type Page as BrowserPage, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenCases, goldenInputs, goldenModel } from '../measure/golden-network.js';
import type { Page, PageCase } from './page.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const found = existsSync(executablePath);
if (!found && !process.env.CI) {
  console.warn("browser tests skipped: no Chromium. Install Debian's package chromium, or set CHROMIUM to its path.");
}

/** The package in a page, on the WebGL backend: bundled as an application would, in a headless Chromium without a GPU. */
describe.skipIf(!found && !process.env.CI)('in a browser, on WebGL', () => {
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
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
    tab = await browser.newPage();
    await tab.addScriptTag({ content: outputFiles[0].text });
    expect(await tab.evaluate(() => (globalThis as unknown as { page: Page }).page.backend())).toBe('webgl');
  }, 120_000);
  afterAll(() => browser?.close());

  // The paper's networks take minutes where the GPU is emulated.
  const cases = goldenCases().filter(({ name }) => !name.startsWith('paper-'));
  it.each(cases.map((golden) => [golden.name, golden] as const))('golden case %s', async (_, golden) => {
    const model = await goldenModel(golden);
    const inputs = goldenInputs(golden, model);
    const plain = (tensor: typeof inputs) => ({ shape: tensor.shape, values: [...tensor.dataSync()] });
    const pageCase: PageCase = {
      topology: golden.topology,
      loss: golden.loss,
      weights: model.getWeights().map(plain),
      inputs: plain(inputs),
    };
    const { reading, leaked } = await tab.evaluate(
      (given) => (globalThis as unknown as { page: Page }).page.measure(given),
      pageCase,
    );
    for (const { name, trace } of reading.parameters) {
      expect(Math.abs(trace / golden.expected.ggnTrace[name] - 1), name).toBeLessThan(1e-4);
    }
    expect(Math.abs(reading.minimumSharpness / golden.expected.minimumSharpness - 1)).toBeLessThan(1e-4);
    expect(leaked).toBe(0);
    model.dispose();
    inputs.dispose();
  });

  it('trains with the callback', async () => {
    const { logged, problems, leaked } = await tab.evaluate(() =>
      (globalThis as unknown as { page: Page }).page.train(2),
    );
    expect(problems).toEqual([]);
    expect(logged).toHaveLength(2);
    expect(logged.every((value) => value > 0 && Number.isFinite(value))).toBe(true);
    expect(leaked).toBe(0);
  });
});
