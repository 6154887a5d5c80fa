/**
 * Takes a picture of a log folder in a real TensorBoard.
 *
 *     npx tsx scripts/screenshot-tensorboard.ts <logdir> <out.png> [width height] [page]
 *
 * The page is `timeseries`, or `custom_scalars` with Minimum Sharpness in its interval.
 *
 * Needs TensorBoard (scripts/tensorboard-venv.sh) and Chromium: CHROMIUM names the program, default `chromium`.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { startTensorBoard } from './tensorboard-server.js';

const [logdir, out, width = '1440', height = '1160', shown = 'timeseries'] = process.argv.slice(2);
if (!logdir || !out) {
  console.error('usage: npx tsx scripts/screenshot-tensorboard.ts <logdir> <out.png> [width height] [page]');
  process.exit(2);
}

const program = process.env.CHROMIUM ?? 'chromium';
const executablePath = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
if (!executablePath) {
  console.error(`screenshot-tensorboard: no ${program} found: install Chromium, or name it in CHROMIUM`);
  process.exit(1);
}

const server = await startTensorBoard(logdir);
let browser: Browser | undefined;
try {
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  // A page that is opened before TensorBoard has read the files stays empty.
  for (let tags = {}; Object.keys(tags).length === 0; ) {
    await sleep(500);
    tags = await (await fetch(`${server.url}data/plugin/scalars/tags`)).json();
  }
  const page = await browser.newPage({
    viewport: { width: Number(width), height: Number(height) },
    colorScheme: 'light',
  });
  await page.goto(`${server.url}?smoothing=0&forceSVG=true&darkMode=false#${shown}`);
  if (shown === 'timeseries') {
    await page.locator('scalar-card line-chart path').first().waitFor();
    await page.getByText('Ignore outliers in chart scaling').click();
    await page.getByRole('button', { name: 'Settings' }).last().click();
  } else {
    await page.locator('tf-custom-scalar-margin-chart-card path').first().waitFor();
    await page.getByText('Ignore outliers in chart scaling').click();
  }
  await sleep(2000);
  await page.screenshot({ path: out });
} finally {
  await browser?.close();
  await server.stop();
}
