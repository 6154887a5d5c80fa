import { describe, expect, it } from 'vitest';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();

  it('the last two hundred readings and problems, newest at the end', async () => {
    const tab = await browser.open();
    const found = await tab.evaluate(() => {
      const record = page.parts.recordedRuns({ trace: true, layers: true });
      const run = record.addRun('one');
      const place = document.querySelector<HTMLElement>('main')!;
      const cells = () => [...place.querySelectorAll('tr')].map((row) => [...row.children].map((c) => c.textContent));
      record.take([
        { run, step: 3, reading: { minimumSharpness: 2.5, standardError: 0.1, reliable: true, epoch: 0, trace: 3 } },
        { run, step: 4, problem: { kind: 'skipped', message: '<none>' } },
      ]);
      page.parts.fillTable(place, record);
      const few = cells();
      const caption = place.querySelector('caption')!.textContent;
      record.addRun('two');
      record.take(Array.from({ length: 300 }, (_, i) => ({ run, step: 5 + i, reading: { minimumSharpness: i } })));
      page.parts.fillTable(place, record);
      return { few, caption, last: cells().at(-1), rows: cells().length, total: place.textContent!.slice(0, 22) };
    });
    expect(found).toEqual({
      few: [
        ['Batch', 'Epoch', 'Minimum Sharpness', 'Trace', 'Problem'],
        ['3', '1', '2.5 ± 0.21', '3', ''],
        ['4', '', '', '', 'skipped: <none>'],
      ],
      caption: 'All readings, with half the 95% interval',
      last: ['one', '304', '', '299', '', ''],
      rows: 201,
      total: 'The last 200 of 302, w',
    });
  });
});
