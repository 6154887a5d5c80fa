import { describe, expect, it } from 'vitest';
import { css, themes } from '../../src/chart/style.js';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

/** Relative luminance of WCAG 2. */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe.each(Object.entries(themes))('in the %s theme', (_, theme) => {
  it('text and lines can be seen', () => {
    for (const text of [theme.ink, theme.quiet, theme.failed, theme.skipped]) {
      expect(contrast(text, theme.background), text).toBeGreaterThan(4.5);
    }
    for (const run of theme.runs) {
      expect(contrast(run, theme.background), run).toBeGreaterThan(3);
    }
    expect(new Set(theme.runs).size).toBe(6);
  });
});

it('nothing outside a chart is styled', () => {
  const selectors = [...css.replace(/@media[^{]*\{/g, '').matchAll(/([^{}]+)\{/g)].flatMap(([, list]) =>
    list!.split(','),
  );
  expect(selectors.length).toBeGreaterThan(20);
  expect(selectors.filter((selector) => !selector.trim().startsWith('.tfjs-sharpness-chart'))).toEqual([]);
});

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('the style is there once, in shadow trees and before the element is in the page', async () => {
    const tab = await browser.open();
    const heights = await tab.evaluate(async () => {
      const { page } = globalThis as unknown as { page: ChartPage };
      const place = document.querySelector('main')!;
      page.sharpnessChart(place);
      page.sharpnessChart(place);
      const host = document.createElement('div');
      place.append(host);
      const inner = document.createElement('div');
      host.attachShadow({ mode: 'open' }).append(inner);
      page.sharpnessChart(inner);
      const later = document.createElement('div');
      page.sharpnessChart(later);
      place.append(later);
      await page.drawn();
      const figures = [...place.querySelectorAll('figure'), inner.firstElementChild as HTMLElement];
      return [document.adoptedStyleSheets.length, ...figures.map((figure) => figure.clientHeight)];
    });
    expect(heights[0]).toBe(1);
    expect(heights.length).toBe(5);
    expect(heights[1]).toBeGreaterThan(500);
    expect(new Set(heights.slice(1)).size).toBe(1);
    await tab.close();
  });
});
