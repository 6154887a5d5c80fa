import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('an element comes last, with its text as text and its attributes', async () => {
    const tab = await browser.open();
    const html = await tab.evaluate(() => {
      const list = document.createElement('ul');
      const item = page.parts.appendedElement(list, 'li', '<b>', { class: 'a', title: '"' });
      page.parts.appendedElement(list, 'li');
      return [list.outerHTML, item.tagName];
    });
    expect(html).toEqual(['<ul><li class="a" title="&quot;">&lt;b&gt;</li><li></li></ul>', 'LI']);
  });
});
