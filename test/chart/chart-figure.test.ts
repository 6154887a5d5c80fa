import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('its parts have names for screen readers, and only the layers that are wanted', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(() => {
      const settings = { title: 'MS & more', height: 200, trace: false, layers: true, theme: 'dark' } as const;
      const figure = page.parts.chartFigure(document, settings, 'x');
      document.querySelector('main')!.append(figure.element);
      const layer = figure.addLayer('conv <1>');
      const without = page.parts.chartFigure(document, { ...settings, layers: false, theme: 'auto' }, 'y');
      return {
        theme: [figure.element.dataset.theme, without.element.dataset.theme ?? 'none'],
        caption: document.getElementById(figure.element.getAttribute('aria-labelledby')!)?.textContent,
        slider: figure.main.getAttribute('aria-label'),
        height: figure.main.style.height,
        layer: [layer.place.getAttribute('aria-label'), layer.place.parentElement!.textContent],
        live: figure.said.getAttribute('aria-live'),
        key: figure.element.querySelector('.key')!.textContent!.includes('plain trace'),
        strips: [figure, without].map(({ element }) => element.querySelectorAll('.layers').length),
      };
    });
    expect(found).toEqual({
      theme: ['dark', 'none'],
      caption: 'MS & more',
      slider: 'MS & more, reading',
      height: '200px',
      layer: ['Trace and alpha of the layer conv <1>', 'conv <1>'],
      live: 'polite',
      key: false,
      strips: [1, 0],
    });
  });
});
