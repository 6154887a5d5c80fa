import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharpnessChart } from '../../src/chart/sharpness-chart.js';
import { type Chromium, chromiumWithCharts, hasChromium } from './in-chromium.js';
import type { ChartPage } from './page.js';

describe('without a page', () => {
  it('the subpath is imported, and a chart says what it lacks', async () => {
    expect(Object.keys(await import('../../src/chart.js'))).toEqual(['sharpnessChart']);
    expect(() => sharpnessChart(null)).toThrow(/^sharpnessChart: the element is missing\..*$/);
    const place = { append() {}, ownerDocument: {} } as unknown as HTMLElement;
    for (const [options, message] of [
      [{ colour: 'red' }, "there is no option 'colour'"],
      [{ height: 20 }, 'height must be a finite number of at least 120, but it is 20'],
      [{ scale: 'logarithmic' }, "scale must be 'auto', 'linear' or 'log'"],
      [{ name: '' }, 'name must be a non-empty string'],
    ] as const) {
      expect(() => sharpnessChart(place, undefined, options as never)).toThrow(message);
    }
  });
});

declare const page: ChartPage;

describe.skipIf(!hasChromium)('in a page', () => {
  let chromium: Chromium;
  let tab: Page;
  const errors: string[] = [];

  const open = async (options: Parameters<Chromium['open']>[0] = {}) => {
    const opened = await chromium.open(options);
    opened.on('pageerror', (error) => errors.push(String(error)));
    opened.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) {
        errors.push(message.text());
      }
    });
    return opened;
  };
  const text = (selector: string) => tab.locator(selector).first().textContent();

  beforeAll(async () => {
    chromium = await chromiumWithCharts();
    tab = await open();
  });
  afterAll(() => chromium?.close());

  it('draws readings in the next frame, moves nothing, and leaves nothing behind', async () => {
    const found = await tab.evaluate(async () => {
      const below = document.querySelector('#below')!;
      page.begin();
      await page.drawn();
      const before = below.getBoundingClientRect().top;
      const empty = document.querySelector('canvas')!.toDataURL();
      page.feed(50);
      page.problems$.next(page.problemAt(20));
      await page.drawn();
      return {
        moved: below.getBoundingClientRect().top - before,
        isDrawn: document.querySelector('canvas')!.toDataURL() !== empty,
        canvases: document.querySelectorAll('canvas').length,
        subscribed: page.subscribed,
        when: document.querySelector('.when')!.textContent,
        value: document.querySelector('.runs .value')!.textContent,
        layers: [...document.querySelectorAll('.layer p')].map((each) => each.textContent),
      };
    });
    expect(found).toMatchObject({ moved: 0, isDrawn: true, canvases: 4, subscribed: 2, when: 'batch 500, epoch 5' });
    expect(found.value).toMatch(/^[\d.]+ ± [\d.]+, trace [\d.]+$/);
    expect(found.layers[0]).toMatch(/^conv trace [\d.]+, alpha [\d.]+$/);
    expect(found.layers[2]).toMatch(/^head trace [\d.]+$/);
  });

  it('axe finds nothing serious, with the table open', async () => {
    await tab.locator('summary').click();
    await tab.locator('tbody tr').first().waitFor();
    const { violations } = await new AxeBuilder({ page: tab as never }).include('figure').analyze();
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    expect(serious.map(({ id, help }) => `${id}: ${help}`)).toEqual([]);
    expect(await tab.locator('tbody tr').count()).toBe(51);
    expect(await text('.said')).toContain('Minimum Sharpness');
    await tab.locator('summary').click();
  });

  it('keys move over readings and problems, and say them; escape goes back to the last', async () => {
    const slider = tab.locator('[role=slider]');
    await slider.focus();
    await slider.press('Home');
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^batch 10, epoch 1; Minimum Sharpness [\d.]+ ± /);
    await slider.press('ArrowRight');
    expect(await text('.when')).toBe('batch 20, epoch 1');
    await slider.press('End');
    await slider.press('PageDown');
    expect(await slider.getAttribute('aria-valuenow')).toBe('46');
    await slider.press('Home');
    for (let i = 0; i < 21; i++) {
      await slider.press('ArrowRight');
    }
    expect(await text('.when')).toBe('batch 215, epoch 3: failed: the data has a value that is not finite.');
    // Readings that come meanwhile leave the cursor where it is.
    await tab.evaluate(async () => {
      page.feed(10, 50);
      await page.drawn();
    });
    expect(await text('.when')).toContain('batch 215');
    await slider.press('Escape');
    expect(await text('.when')).toBe('batch 600, epoch 6');
  });

  it('pointing shows the values there', async () => {
    const box = (await tab.locator('.main .u-over').boundingBox())!;
    await tab.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    expect(await text('.when')).toMatch(/^batch (29|30|31)\d, epoch [34]$/);
    await tab.mouse.move(5, 5);
    await tab.evaluate(() => page.drawn());
    expect(await text('.when')).toBe('batch 600, epoch 6');
  });

  it('exports: the picture decodes, the SVG file parses, the table has every reading', async () => {
    const found = await tab.evaluate(async () => {
      const names = ['SAM <"1">', 'a, b'];
      page.chart.addRun(names[0]!);
      page.feed(3, 60);
      page.chart.update({ ...page.readingAt(0, 0.5), step: 7 }, names[0]);
      page.chart.update({ minimumSharpness: 4 }, names[1]);
      const csv = page.chart.toCSV();
      const svg = new DOMParser().parseFromString(page.chart.toSVG(), 'image/svg+xml');
      const { width, height } = await createImageBitmap(await page.chart.toPNG());
      return {
        csv,
        fault: svg.querySelector('parsererror')?.textContent ?? null,
        paths: svg.querySelectorAll('path').length,
        words: [...svg.querySelectorAll('text')].map((each) => each.textContent),
        odd: /["L ](NaN|undefined)/.test(svg.documentElement.outerHTML),
        picture: [width, height],
      };
    });
    const lines = found.csv.trimEnd().split('\n');
    expect(lines).toHaveLength(1 + 63 + 2);
    expect(lines[0]).toMatch(/^run,step,epoch,minimumSharpness,.*,alpha\/conv,.*,trace\/head\/kernel,assumptions$/);
    expect(lines[64]).toMatch(/^"SAM <""1"">",7,0,/);
    expect(lines[65]).toMatch(/^"a, b",1,,4,/);
    expect(found.fault).toBe(null);
    expect(found.odd).toBe(false);
    expect(found.paths).toBeGreaterThan(20);
    expect(found.words).toEqual(expect.arrayContaining(['Minimum Sharpness', 'SAM <"1">', 'conv']));
    expect(found.picture.every((side) => side > 400)).toBe(true);
    expect(await tab.evaluate(() => document.querySelectorAll('.runs li').length)).toBe(3);
  });

  it('disposed, it has no node and no subscription, and later readings are nothing', async () => {
    const left = await tab.evaluate(async () => {
      page.chart.dispose();
      page.feed(1);
      page.chart.update(page.readingAt(1));
      await page.drawn();
      return [document.querySelector('main')!.childNodes.length, page.subscribed];
    });
    expect(left).toEqual([0, 0]);
  });

  it('takes what is not finite, nothing at all, and many decades; the axis becomes one of logarithms', async () => {
    const words = await tab.evaluate(async () => {
      const given = [Number.NaN, 1e-3, Number.NaN, Number.POSITIVE_INFINITY, 0, 5, 5.1, 1e6];
      const all: string[][] = [];
      for (const values of [[], [3], [0], [0, 0], [-2, 3e5], [Number.NaN], [5, 5.0000001], [1e-20, 3e-20], given]) {
        for (const scale of ['auto', 'log', 'linear'] as const) {
          page.begin({ scale });
          for (const [step, minimumSharpness] of values.entries()) {
            page.readings$.next({ minimumSharpness, step });
          }
          await page.drawn(1);
          const svg = new DOMParser().parseFromString(page.chart.toSVG(), 'image/svg+xml');
          if (/NaN [^i]|Infinity [^i]/.test(svg.querySelector('path')?.getAttribute('d') ?? '')) {
            all.push(['odd', String(values), scale]);
          }
          if (values.length === 8) {
            all.push([...svg.querySelectorAll('text')].map((each) => each.textContent!));
          }
          page.chart.dispose();
        }
      }
      return all;
    });
    expect(words).toHaveLength(3);
    expect(words[0]).toEqual(expect.arrayContaining(['0.01', '1e6']));
    expect(words[2]).not.toContain('0.01');
  });

  it('takes in a thousand readings a frame, and appends', async () => {
    const counts = await tab.evaluate(async () => {
      page.begin();
      page.feed(3500);
      const shown: string[] = [];
      for (let i = 0; i < 5; i++) {
        await page.drawn(1);
        shown.push(document.querySelector('.when')!.textContent!);
      }
      const rows = page.chart.toCSV().trimEnd().split('\n').length - 1;
      page.chart.dispose();
      return { shown, rows };
    });
    expect(new Set(counts.shown)).toEqual(
      new Set(['batch 10000, epoch 100', 'batch 20000, epoch 200', 'batch 30000, epoch 300', 'batch 35000, epoch 350']),
    );
    expect(counts.rows).toBe(3500);
  });

  it('follows the system into the dark, and the element in its width, from hidden too', async () => {
    await tab.evaluate(async () => {
      const main = document.querySelector('main')!;
      main.style.display = 'none';
      page.begin();
      page.feed(5);
      await page.drawn();
      main.style.display = '';
      main.style.width = '400px';
      await page.drawn();
    });
    const background = () => tab.evaluate(() => getComputedStyle(document.querySelector('figure')!).backgroundColor);
    expect(await tab.evaluate(() => document.querySelector('.main .uplot')!.clientWidth)).toBe(368);
    const light = await background();
    const drawn = () => tab.evaluate(() => page.drawn().then(() => document.querySelector('canvas')!.toDataURL()));
    const before = await drawn();
    await tab.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).not.toBe(light);
    expect(await drawn()).not.toBe(before);
    await tab.evaluate(() => page.chart.dispose());
    await tab.emulateMedia({ colorScheme: 'light' });
  });

  it('a stream that fails is a mark', async () => {
    const when = await tab.evaluate(async () => {
      page.begin();
      page.feed(2);
      page.readings$.error(new Error('the worker is gone'));
      await page.drawn();
      const words = document.querySelector('.when')!.textContent;
      page.chart.dispose();
      return words;
    });
    expect(when).toBe('batch 20, epoch 1: failed: the worker is gone');
  });

  it('stands in the visor of tfjs-vis, beside its fitCallbacks', async () => {
    const found = await tab.evaluate(async () => {
      const { tf, tfvis } = page;
      await tf.setBackend('cpu');
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, activation: 'softmax', inputShape: [3] })] });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['acc'] });
      const x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
      const y = tf.oneHot(
        tf.tensor1d(
          Array.from({ length: 12 }, (_, i) => i % 2),
          'int32',
        ),
        2,
      );
      const sharpness = page.minimumSharpness({ data: x });
      const chart = page.sharpnessChart(tfvis.visor().surface({ name: 'Sharpness' }), sharpness, { theme: 'light' });
      const { onEpochEnd } = tfvis.show.fitCallbacks({ name: 'Training' }, ['loss', 'minimumSharpness'], {
        callbacks: ['onEpochEnd'],
      }) as { onEpochEnd: (epoch: number, logs?: object) => Promise<void> };
      await model.fit(x, y, { epochs: 3, callbacks: [sharpness, new tf.CustomCallback({ onEpochEnd })] });
      await page.drawn();
      const result = {
        isInside: tfvis.visor().el.contains(chart.element),
        rows: chart.toCSV().trimEnd().split('\n').length - 1,
        marks: document.querySelectorAll('.tfjs-sharpness-chart .u-wrap').length > 0,
        // One for loss and one for MS.
        charts: document.querySelectorAll('.vega-embed, .tfjs-visor canvas.marks').length,
      };
      chart.dispose();
      sharpness.dispose();
      return result;
    });
    expect(found).toMatchObject({ isInside: true, rows: 3, marks: true });
    expect(found.charts).toBeGreaterThanOrEqual(2);
  });

  it('nothing was an error or a warning', () => {
    expect(errors).toEqual([]);
  });
});
