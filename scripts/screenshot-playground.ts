/**
 * Takes the pictures of the playground from the page itself: docs/playground.png, and docs/playground-phone.png.
 *
 *     npx tsx scripts/screenshot-playground.ts
 *
 * Needs Chromium: CHROMIUM names the program, default `/usr/bin/chromium`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build, preview } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const configFile = join(root, 'examples/playground/vite.config.ts');
const outDir = mkdtempSync(join(tmpdir(), 'playground-'));
await build({ configFile, logLevel: 'error', build: { outDir } });
const server = await preview({ configFile, build: { outDir } });
const address = server.resolvedUrls!.local[0]!;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
});

/** The page after a training with these settings, with a layer rescaled by 10 to the power of `exponent`. */
async function trained(hash: string, exponent: number, options: BrowserContextOptions): Promise<Page> {
  const page = await browser.newPage(options);
  await page.goto(`${address}#${hash}`);
  await page.click('#start:enabled');
  await page.waitForFunction(() => document.body.dataset.state === 'idle', null, { timeout: 300_000 });
  await page.fill('#factor-slider', String(exponent));
  await page.waitForFunction(() => document.querySelector('#rescaling-caption')!.textContent!.includes(' times '));
  await page.mouse.move(0, 0);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(1000); // bars grow
  return page;
}

try {
  const desk = await trained('epochs=20', 2, { viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const { y, height } = (await desk.locator('#rescaling').boundingBox())!;
  const clip = { x: 0, y: 0, width: 1280, height: Math.floor(y + height + 16) };
  await desk.screenshot({ path: join(root, 'docs/playground.png'), fullPage: true, clip });

  const phone = await trained('data=spirals&optimizer=sam&learningRate=0.3&batchSize=30&epochs=100&noise=0.05', 1, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
  });
  const from = (await phone.locator('#rescaling').boundingBox())!.y - 20;
  const scene = (await phone.locator('#scene-caption').boundingBox())!;
  await phone.screenshot({
    path: join(root, 'docs/playground-phone.png'),
    fullPage: true,
    clip: { x: 0, y: Math.floor(from), width: 390, height: Math.ceil(scene.y + scene.height + 20 - from) },
  });
} finally {
  await browser.close();
  await server.close();
  rmSync(outDir, { recursive: true });
}
