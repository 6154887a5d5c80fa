import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('a run has a line with its color, its name and its values', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(() => {
      const list = document.createElement('ul');
      const legend = page.parts.legendIn(list);
      const record = page.parts.recordedRuns({ trace: true, layers: true });
      const runs = ['<one>', 'two'].map((name) => record.addRun(name));
      for (const run of runs) {
        legend.add(run, 'rgb(1, 2, 3)');
      }
      legend.paint(runs[1]!, 'rgb(4, 5, 6)');
      legend.say(runs[0]!, '27.4');
      const swatches = [...list.querySelectorAll<HTMLElement>('.swatch')];
      return [[...list.children].map((item) => item.textContent), swatches.map(({ style }) => style.color)];
    });
    expect(found).toEqual([
      ['<one>27.4', 'twono reading yet'],
      ['rgb(1, 2, 3)', 'rgb(4, 5, 6)'],
    ]);
  });
});
