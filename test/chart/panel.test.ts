import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('the plot is made anew only where it looks other than before, and fits its place', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(() => {
      const record = page.parts.recordedRuns({ trace: true, layers: true });
      const run = record.addRun('one');
      record.take([{ run, step: 1, reading: { minimumSharpness: 3 } }]);
      const place = document.querySelector<HTMLElement>('main')!;
      const fixed = { title: '', rows: record.rows, marks: [], size: { width: 300, height: 150 }, isSmall: false };
      const panel = page.parts.panelIn(place, { ...fixed, key: 'k' });
      const look = { lines: [{ column: run.columns.value, color: '#112233' }], isLog: false };
      const draw = (more = {}) => {
        panel.draw({ ...look, theme: page.parts.themes.light, ...more });
        return panel.plot;
      };
      const plots = [draw(), draw(), draw({ isLog: true }), draw({ theme: page.parts.themes.dark })];
      place.style.width = '500px';
      panel.fit();
      const { width, height } = panel.plot!.drawn();
      const stale = [panel.isStale];
      panel.dispose();
      stale.push(panel.isStale);
      return { which: plots.map((plot) => plots.indexOf(plot)), width, height, stale, left: place.children.length };
    });
    expect(found).toEqual({ which: [0, 0, 2, 3], width: 500, height: 150, stale: [false, true], left: 0 });
  });
});
