import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('one run is told in words, several in short behind their colors, and in full where one points', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(() => {
      const place = document.querySelector<HTMLElement>('main')!;
      const values = page.parts.layerValuesIn(place);
      const sgd = { name: 'SGD', color: 'rgb(1, 2, 3)', values: { trace: 12.345, alpha: 0.98 } };
      const sam = { name: 'SAM', color: 'rgb(4, 5, 6)', values: { trace: 7 } };
      const seen = () => ({
        text: place.textContent,
        title: place.title,
        colors: [...place.querySelectorAll<HTMLElement>('.color:not([hidden])')].map((each) => each.style.background),
      });
      return [[sgd], [sgd, sam], [sam], []].map((runs) => {
        values.say(runs);
        return seen();
      });
    });
    expect(found).toEqual([
      { text: ' trace 12.3, alpha 0.98', title: 'trace 12.3, alpha 0.98', colors: [] },
      {
        text: ' 12.3, α 0.98 7',
        title: 'SGD: trace 12.3, alpha 0.98; SAM: trace 7',
        colors: ['rgb(1, 2, 3)', 'rgb(4, 5, 6)'],
      },
      { text: ' trace 7', title: 'trace 7', colors: [] },
      { text: '', title: '', colors: [] },
    ]);
  });
});
