import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharpnessChart } from '../../src/chart/sharpness-chart.js';
import { hasChromium } from '../browser/chromium.js';
import type { ChartPage } from './chart-page.js';
import { chartBrowser } from './charts-in-chromium.js';

describe('without a page', () => {
  it('the subpath is imported, and a chart says what it lacks', async () => {
    expect(Object.keys(await import('../../src/chart.js'))).toEqual(['sharpnessChart', 'halfInterval']);
    expect(() => sharpnessChart(null)).toThrow(/^sharpnessChart: the element is missing\..*$/);
    const place = { append() {}, ownerDocument: {} } as unknown as HTMLElement;
    expect(() => sharpnessChart(place, undefined, { colour: 'red' } as never)).toThrow("there is no option 'colour'");
  });
});

declare const page: ChartPage;

describe.skipIf(!hasChromium && !process.env.CI)('in a page', () => {
  const browser = chartBrowser();
  let tab: Page;
  const text = (selector: string) => tab.locator(selector).first().textContent();

  beforeAll(async () => {
    tab = await browser.open();
  });

  it('draws readings in the next frame, moves nothing, and leaves nothing behind', async () => {
    const found = await tab.evaluate(async () => {
      const below = document.querySelector('#below')!;
      page.begin();
      await page.drawn();
      let shift = 0;
      const shifts = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          shift += (entry as unknown as { value: number }).value;
        }
      });
      shifts.observe({ type: 'layout-shift' });
      const before = below.getBoundingClientRect().top;
      const empty = document.querySelector('canvas')!.toDataURL();
      page.feed(50);
      page.problems$.next(page.problemAt(20));
      await page.drawn();
      return {
        shift,
        moved: below.getBoundingClientRect().top - before,
        isDrawn: document.querySelector('canvas')!.toDataURL() !== empty,
        canvases: document.querySelectorAll('canvas').length,
        subscribed: page.subscribed,
        when: document.querySelector('.when')!.textContent,
        value: document.querySelector('.runs .value')!.textContent,
        layers: [...document.querySelectorAll('.layer p')].map((each) => each.textContent),
      };
    });
    expect(found).toMatchObject({
      shift: 0,
      moved: 0,
      isDrawn: true,
      canvases: 4,
      subscribed: 2,
      when: 'batch 500, epoch 5',
    });
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

  it('a nudge of the mouse beside the plot goes back from where the keys were, as readings go on', async () => {
    const slider = tab.locator('[role=slider]');
    await slider.focus();
    await slider.press('Home');
    expect(await text('.when')).toBe('batch 10, epoch 1');
    const title = (await tab.locator('figcaption').boundingBox())!;
    await tab.mouse.move(title.x + 5, title.y + 5);
    expect(await text('.when')).toBe('batch 600, epoch 6');
    await tab.evaluate(async () => {
      page.feed(1, 60);
      await page.drawn();
    });
    expect(await text('.when')).toBe('batch 610, epoch 7');
    expect(await tab.locator('.main .u-cursor-x').getAttribute('style')).toContain('translate(-10px');
  });

  it('exports: the picture decodes, the SVG file parses, the table has every reading', async () => {
    const found = await tab.evaluate(async () => {
      const names = ['SAM <"1">', 'a, b'];
      page.chart.addRun(names[0]!);
      page.feed(2, 61);
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
      page.chart.update(page.readingAt(1), 'new');
      page.chart.addRun('later', page.readings$);
      await page.drawn();
      const rows = page.chart.toCSV().trimEnd().split('\n').length - 1;
      const isFile = page.chart.toSVG().startsWith('<svg');
      page.chart.dispose();
      const observers = [page.readings$, page.problems$].map((stream) => stream.observed);
      return [document.querySelector('main')!.childNodes.length, page.subscribed, rows, isFile, ...observers];
    });
    expect(left).toEqual([0, 0, 65, true, false, false]);
  });

  it.each([
    ['noisy', 10_000],
    ['sparse', 150],
    ['with gaps', 3000],
    ['dashed', 5000],
  ])('a line of many values covers the pixels that it would cover value by value: %s', async (kind, count) => {
    const found = await tab.evaluate(
      async ([name, values]) => {
        const record = page.parts.recordedRuns({ trace: true, layers: true });
        const run = record.addRun('one');
        const valueAt = (i: number) =>
          name === 'with gaps' && i % 97 < 5
            ? Number.NaN
            : 50 + 20 * Math.sin((9 * i) / values) + 6 * Math.sin(1.7 * i);
        record.take(
          Array.from({ length: values }, (_, i) => ({ run, step: i, reading: { minimumSharpness: valueAt(i) } })),
        );
        const place = document.querySelector<HTMLElement>('main')!;
        const panel = page.parts.panelIn(place, {
          title: '',
          rows: record.rows,
          marks: [],
          size: { width: 700, height: 280 },
          isSmall: false,
          key: 'k',
        });
        const theme = { ...page.parts.themes.light, grid: 'transparent', quiet: 'transparent' };
        const dash = name === 'dashed' ? { dash: [5, 4] } : {};
        const line = { column: run.columns.value, color: '#000000', ...dash };
        panel.draw({ lines: [line], isLog: false, theme });
        await page.drawn();
        const canvas = place.querySelector('canvas')!;
        const { left, top, width: across, height } = panel.plot!.drawn().area;
        const all = record.rows.columns[run.columns.value]!;
        const finite = all.filter((value): value is number => typeof value === 'number');
        const [min, max] = page.parts.paddedRange(Math.min(...finite), Math.max(...finite));
        const plain = document.createElement('canvas');
        [plain.width, plain.height] = [canvas.width, canvas.height];
        const to = plain.getContext('2d')!;
        Object.assign(to, { lineWidth: 2, lineJoin: 'round' });
        let isOn = false;
        for (const [i, value] of all.entries()) {
          if (typeof value === 'number') {
            const x = Math.round(left + (i * across) / (values - 1));
            const y = Math.round(top + height * (1 - (value - min) / (max - min)));
            to[isOn ? 'lineTo' : 'moveTo'](x, y);
          }
          isOn = typeof value === 'number';
        }
        to.stroke();
        // The first and the last row of pixels with ink, of each column of them.
        const ends = (of: HTMLCanvasElement) => {
          const { data } = of.getContext('2d')!.getImageData(0, 0, of.width, of.height);
          return Array.from({ length: of.width }, (_, x) => {
            let [first, last] = [-1, -1];
            for (let y = 0; y < of.height; y++) {
              if (data[4 * (y * of.width + x) + 3]! > 60) {
                first = first < 0 ? y : first;
                last = y;
              }
            }
            return [first, last] as const;
          });
        };
        const [ours, theirs] = [ends(canvas), ends(plain)];
        const off = ours.filter(([first, last], x) =>
          [first - theirs[x]![0], last - theirs[x]![1]].some((difference) => Math.abs(difference) > 2),
        ).length;
        const inked = theirs.filter(([first]) => first >= 0).length;
        panel.dispose();
        return { off, inked };
      },
      [kind, count] as const,
    );
    expect(found.inked).toBeGreaterThan(500);
    expect(found.off).toBeLessThanOrEqual(kind === 'with gaps' || kind === 'dashed' ? 6 : 0);
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

  it('nothing in the page moves while readings, problems, layers and decades come', async () => {
    const { shift, control } = await tab.evaluate(async () => {
      page.begin();
      await page.drawn();
      let sum = 0;
      const shifts = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          sum += (entry as unknown as { value: number }).value;
        }
      });
      shifts.observe({ type: 'layout-shift' });
      for (let i = 0; i < 20; i++) {
        page.feed(10, 10 * i, i < 10 ? 1 : 1e7);
        page.problems$.next({ ...page.problemAt(i), message: 'a long message. '.repeat(50) });
        page.chart.update({ ...page.readingAt(i), step: 10_000 + i, minimumSharpness: i % 2 ? Number.NaN : -1e12 });
        await page.drawn(1);
      }
      await page.drawn();
      const shift = sum;
      // That it would be seen.
      page.chart.element.style.marginTop = '200px';
      await page.drawn(5);
      shifts.disconnect();
      page.chart.dispose();
      return { shift, control: sum };
    });
    expect(shift).toBe(0);
    expect(control).toBeGreaterThan(0);
  });

  it('ten thousand readings of every kind, more than once at a step: a picture, a file and a table', async () => {
    const found = await tab.evaluate(async () => {
      const kinds = [
        (i: number) => ({ minimumSharpness: Number.NaN, standardError: Number.NaN, trace: i }),
        () => ({ minimumSharpness: Number.POSITIVE_INFINITY, standardError: Number.POSITIVE_INFINITY }),
        () => ({ minimumSharpness: Number.NEGATIVE_INFINITY }),
        () => ({ minimumSharpness: 0, standardError: 0, trace: 0 }),
        () => ({ minimumSharpness: -0, standardError: 1 }),
        (i: number) => ({ minimumSharpness: 10 ** ((i % 25) - 12), standardError: 10 ** ((i % 25) - 10) }),
        (i: number) => ({ minimumSharpness: 5 + 1e-9 * i, standardError: 1e-12, reliable: i % 2 > 0 }),
        (i: number) => ({ minimumSharpness: -(i % 7), trace: Number.MAX_VALUE }),
        () => ({ minimumSharpness: Number.MIN_VALUE, standardError: Number.MAX_VALUE }),
        (i: number) => ({ minimumSharpness: i, step: Number.NaN, epoch: i }),
        (i: number) => ({ minimumSharpness: i, step: 7000 - i }),
      ];
      const odd: string[] = [];
      for (const scale of ['auto', 'log', 'linear'] as const) {
        page.begin({ scale });
        for (let i = 0; i < 10_000; i++) {
          const { minimumSharpness, ...more } = kinds[(i * 7 + (i >> 5)) % kinds.length]!(i);
          page.readings$.next({ ...page.readingAt(i), step: i, minimumSharpness, ...more });
        }
        await page.drawn(12);
        const svg = page.chart.toSVG();
        if (/[ "LM](NaN|undefined)|[ "LM]-?Infinity/.test(svg.replace(/>[^<]*</g, '><'))) {
          odd.push(scale);
        }
        const rows = page.chart.toCSV().trimEnd().split('\n').length - 1;
        if (rows !== 10_000) {
          odd.push(`${rows} rows`);
        }
        page.chart.dispose();
      }
      return odd;
    });
    expect(found).toEqual([]);
  });

  it('a reading whose error is not reliable has a ring, in the page and in files', async () => {
    const rings = await tab.evaluate(async () => {
      page.begin({ layers: false, trace: false });
      const drawn = async (reliable: boolean) => {
        for (let i = 0; i < 20; i++) {
          page.readings$.next({ ...page.readingAt(i), standardError: 0, reliable });
        }
        await page.drawn();
        const canvas = document.querySelector('canvas')!.toDataURL();
        return { canvas, circles: page.chart.toSVG().split('<circle').length - 1 };
      };
      const [without, rings] = [await drawn(true), await drawn(false)];
      page.chart.dispose();
      return { before: without.circles, after: rings.circles, isSame: without.canvas === rings.canvas };
    });
    expect(rings).toEqual({ before: 0, after: 20, isSame: false });
  });

  it('a reading between two that are not finite is seen, however many there are', async () => {
    const ink = await tab.evaluate(async () => {
      page.begin({ layers: false, trace: false });
      for (let i = 0; i < 1000; i++) {
        page.readings$.next({ step: i, minimumSharpness: i % 2 ? Number.NaN : 5 });
      }
      await page.drawn();
      const canvas = document.querySelector('canvas')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height / 2 + 10);
      page.chart.dispose();
      // Of the first color, which marks and axes do not have.
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        count += data[i]! === 0x0b && data[i + 1]! === 0x6e && data[i + 2]! === 0x69 ? 1 : 0;
      }
      return count;
    });
    expect(ink).toBeGreaterThan(500);
  });

  it('in a page that is scaled, pointing finds the reading under the pointer', async () => {
    for (const css of ['transform: scale(0.5); transform-origin: 0 0', 'zoom: 1.4', 'zoom: 0.7']) {
      await tab.evaluate(async (style) => {
        document.querySelector('main')!.setAttribute('style', `width: 600px; ${style}`);
        page.begin({ layers: false });
        page.feed(101);
        await page.drawn();
      }, css);
      const box = (await tab.locator('.main .u-over').boundingBox())!;
      await tab.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
      await tab.mouse.move(box.x + 0.75 * box.width, box.y + box.height / 2);
      expect(await text('.when'), css).toMatch(/^batch 7[56]0, /);
      await tab.mouse.move(1, 1);
      await tab.evaluate(() => {
        page.chart.dispose();
        document.querySelector('main')!.removeAttribute('style');
      });
    }
  });

  it('a page that is written from right to left has its words there, and its numbers as they are', async () => {
    const found = await tab.evaluate(async () => {
      const drawn = async (dir: string) => {
        document.documentElement.dir = dir;
        page.begin({ layers: false });
        page.chart.update({ minimumSharpness: -2, step: 10 });
        page.chart.update({ minimumSharpness: 5, step: 20 });
        await page.drawn();
        const canvas = document.querySelector('canvas')!.toDataURL();
        const align = getComputedStyle(document.querySelector('figcaption')!).textAlign;
        const numbers = getComputedStyle(document.querySelector('canvas')!).direction;
        page.chart.dispose();
        return { canvas, align, numbers };
      };
      const [rtl, ltr] = [await drawn('rtl'), await drawn('ltr')];
      document.documentElement.removeAttribute('dir');
      return { isSame: rtl.canvas === ltr.canvas, align: rtl.align, numbers: rtl.numbers };
    });
    expect(found).toEqual({ isSame: true, align: 'start', numbers: 'ltr' });
  });

  it('is light on paper, where the page is dark', async () => {
    await tab.emulateMedia({ colorScheme: 'dark' });
    const found = await tab.evaluate(async () => {
      page.begin({ layers: false });
      page.feed(20);
      await page.drawn();
      const picture = () => document.querySelector('canvas')!.toDataURL();
      const dark = picture();
      dispatchEvent(new Event('beforeprint'));
      const paper = picture();
      dispatchEvent(new Event('afterprint'));
      await page.drawn();
      return { isOther: paper !== dark, isBack: picture() === dark };
    });
    expect(found).toEqual({ isOther: true, isBack: true });
    await tab.emulateMedia({ colorScheme: 'dark', media: 'print' });
    const background = await tab.evaluate(() => getComputedStyle(page.chart.element).backgroundColor);
    expect(background).toBe('rgb(253, 252, 250)');
    await tab.emulateMedia({ colorScheme: 'light', media: 'screen' });
    await tab.evaluate(() => page.chart.dispose());
  });

  it('a page may forbid styles and pictures of its own: the chart is as high as it should be, and the picture says what it lacks', async () => {
    const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; style-src 'self'">`;
    const strict = await browser.open({}, policy);
    const found = await strict.evaluate(async () => {
      page.begin();
      page.feed(5);
      await page.drawn();
      const picture = await page.chart.toPNG().then(
        () => 'a picture',
        (error: Error) => error.message,
      );
      const { height } = document.querySelector('.main')!.getBoundingClientRect();
      return { height, picture, padding: getComputedStyle(page.chart.element).padding };
    });
    expect(found).toMatchObject({ height: 280, padding: '16px' });
    expect(found.picture).toMatch(
      /^sharpnessChart: the browser could not make a picture .*img-src of its Content-Security-Policy\)\.$/,
    );
    // The page's own style, and the picture.
    expect(browser.said.splice(0).filter((line) => !/Content Security Policy/.test(line))).toEqual([]);
    await strict.context().close();
  });

  describe('leaves nothing behind', () => {
    it.each([
      ['disposed', 'page.chart.dispose()'],
      ['taken out of the page while readings come, of a stream that ends later', 'page.chart.element.remove()'],
    ])('twenty charts, %s', async (_, end) => {
      const fresh = await browser.open();
      const session = await fresh.context().newCDPSession(fresh);
      await session.send('HeapProfiler.enable');
      const nodes = async () => {
        await fresh.evaluate(() => page.drawn(3));
        await session.send('HeapProfiler.collectGarbage');
        await session.send('HeapProfiler.collectGarbage');
        const { nodes: count, jsEventListeners } = await session.send('Memory.getDOMCounters');
        return { count, jsEventListeners };
      };
      const cycle = (times: number) =>
        fresh.evaluate(
          async ([count, text]) => {
            for (let i = 0; i < count; i++) {
              page.begin();
              page.feed(30);
              page.problems$.next(page.problemAt(2));
              await page.drawn(2);
              // biome-ignore lint/security/noGlobalEval: one of the two lines above.
              eval(text);
              page.feed(30, 30);
              await page.drawn(2);
              page.readings$.complete();
              page.problems$.complete();
              page.chart = undefined as never;
            }
          },
          [times, end] as const,
        );
      // What engines make once.
      await cycle(5);
      const before = await nodes();
      await cycle(20);
      const after = await nodes();
      expect(after.count - before.count).toBeLessThan(20);
      expect(after.jsEventListeners - before.jsEventListeners).toBeLessThanOrEqual(0);
      await fresh.context().close();
    });
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
    await tab.evaluate(() => {
      page.chart.dispose();
      document.querySelector('main')!.removeAttribute('style');
    });
    await tab.emulateMedia({ colorScheme: 'light' });
  });

  it('put elsewhere in the page, it is drawn there, with what came meanwhile', async () => {
    const canvases = (count: number) =>
      tab.waitForFunction((n) => page.chart.element.querySelectorAll('canvas').length === n, count);
    await tab.evaluate(() => {
      page.begin();
      page.feed(5);
    });
    await canvases(4);
    await tab.evaluate(() => page.chart.element.remove());
    await canvases(0);
    await tab.evaluate(() => {
      page.feed(5, 5);
      document.querySelector('main')!.append(page.chart.element);
    });
    await canvases(4);
    expect(await text('.when')).toBe('batch 100, epoch 1');
    await tab.evaluate(() => page.chart.dispose());
  });

  it('prints in the light what is out of sight, and leaves nothing behind where that is taken out of the page', async () => {
    const found = await tab.evaluate(async () => {
      const main = document.querySelector('main')!;
      main.style.marginTop = '5000px';
      page.begin({ layers: false, theme: 'dark' });
      page.feed(20);
      await page.drawn();
      const picture = () => document.querySelector('canvas')!.toDataURL();
      const dark = picture();
      dispatchEvent(new Event('beforeprint'));
      const isOther = picture() !== dark;
      dispatchEvent(new Event('afterprint'));
      page.chart.element.remove();
      await page.drawn();
      const left = page.chart.element.querySelectorAll('canvas').length;
      page.chart.dispose();
      main.removeAttribute('style');
      return { isOther, left };
    });
    expect(found).toEqual({ isOther: true, left: 0 });
  });

  it('a layer that comes back into sight, and one in print, tell the batch that the heading names', async () => {
    const found = await tab.evaluate(async () => {
      page.begin();
      page.feed(50);
      await page.drawn();
      const layer = document.querySelector<HTMLElement>('.layer')!;
      const words = () => layer.querySelector('p')!.textContent;
      const press = (key: string) =>
        document.querySelector('[role=slider]')!.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      const move = async (isAway: boolean) => {
        layer.style.transform = isAway ? 'translateY(9000px)' : '';
        await page.drawn(6);
      };
      const latest = words();
      press('Home');
      const first = words();
      await move(true);
      press('Escape');
      await move(false);
      const afterEscape = words();
      await move(true);
      press('Home');
      await move(false);
      const afterHome = words();
      press('Escape');
      await move(true);
      press('Home');
      dispatchEvent(new Event('beforeprint'));
      const printed = words();
      dispatchEvent(new Event('afterprint'));
      page.chart.dispose();
      return { latest, first, afterEscape, afterHome, printed };
    });
    const { latest, first } = found;
    expect(latest).not.toBe(first);
    expect(found).toEqual({ latest, first, afterEscape: latest, afterHome: first, printed: first });
  });

  it('a layer that comes first while the chart is out of the page makes no plot there', async () => {
    const canvases = await tab.evaluate(async () => {
      page.begin();
      await page.drawn();
      page.chart.element.remove();
      await page.drawn();
      page.feed(3);
      await page.drawn();
      const before = page.chart.element.querySelectorAll('canvas').length;
      const file = page.chart.toSVG().includes('conv');
      const after = page.chart.element.querySelectorAll('canvas').length;
      page.chart.dispose();
      return { before, file, after };
    });
    expect(canvases).toEqual({ before: 0, file: true, after: 0 });
  });

  // What users of live charts have met: a slow series beside a fast one vanishes, a page that comes back from hidden
  // draws all that it missed, labels stay from an earlier training.
  it('a run with few readings is drawn beside one with many, and told in each layer', async () => {
    const found = await tab.evaluate(async () => {
      page.begin({ trace: false });
      for (let i = 0; i < 3000; i++) {
        page.chart.update({ ...page.readingAt(i), step: i });
      }
      for (const step of [0, 1500.5, 2999]) {
        page.chart.update({ ...page.readingAt(0, 3), step }, 'sparse');
      }
      await page.drawn(8);
      const canvas = document.querySelector('canvas')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      const columns = new Set<number>();
      for (let i = 0; i < data.length; i += 4) {
        // Its orange, which the band over it may change by a little.
        if (data[i]! - data[i + 2]! > 140) {
          columns.add((i / 4) % canvas.width);
        }
      }
      const layer = document.querySelector('.layer p span:last-child')!.parentElement!;
      const words = { text: layer.textContent, title: layer.querySelector('span')!.title };
      page.chart.dispose();
      return { columns: columns.size, ...words };
    });
    expect(found.columns).toBeGreaterThan(500);
    expect(found.title).toMatch(/^run 1: trace [\d.]+, alpha [\d.]+; sparse: trace [\d.]+, alpha [\d.]+$/);
  });

  it('a network that has collapsed is marked and told; nothing is announced where that is not wanted', async () => {
    const found = await tab.evaluate(async () => {
      page.begin({ layers: false, announce: false });
      page.feed(5);
      page.readings$.next({ ...page.readingAt(5, 1e-9), collapsed: true });
      await page.drawn();
      const value = document.querySelector('.runs .value')!.textContent;
      const said = document.querySelector('.said')!.textContent;
      const svg = page.chart.toSVG();
      page.chart.dispose();
      return { value, said, marks: svg.split('has collapsed').length - 1 };
    });
    expect(found.value).toContain(', collapsed');
    expect(found).toMatchObject({ said: '', marks: 1 });
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

  it('nothing was an error or a warning', () => {
    expect(browser.said).toEqual([]);
  });
});
