import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('is twice as large, and a PNG file', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(async () => {
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20"/></svg>';
      const blob = await page.parts.pictureOf(svg, document);
      const { width, height } = await createImageBitmap(blob);
      const failed = await page.parts.pictureOf('<svg', document).catch((error: Error) => error.message);
      return { type: blob.type, width, height, failed };
    });
    expect(found).toMatchObject({ type: 'image/png', width: 60, height: 40 });
    expect(found.failed).toMatch(/^sharpnessChart: the browser could not make a picture of the chart\. [^\n]*$/);
  });
});
