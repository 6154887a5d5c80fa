import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharpnessReport } from '../../src/report.js';
import { launched } from '../browser/chromium.js';
import { falling, lines, reading, testFolder } from './readings.js';

const folder = testFolder();

it('makes a page of files and of readings, by name', async () => {
  const path = folder.write('a.jsonl', lines(falling(3)));
  const { html, svg, readings, notes } = await sharpnessReport({ A: path, B: falling(2) }, { title: 'Both' });
  expect([...readings]).toEqual([
    ['A', 3],
    ['B', 2],
  ]);
  expect(notes).toEqual([]);
  expect(html).toContain('<h1>Both</h1>');
  expect(svg).toMatch(/^<svg xmlns/);
  expect(html.match(/<svg [^>]*role="img"/g)!.length).toBe(html.match(/<desc /g)!.length);
});

it('refuses what is no run in one line, and lists all that is wrong', async () => {
  await expect(sharpnessReport([])).rejects.toThrow('there are no runs');
  await expect(sharpnessReport({ a: [] })).rejects.toThrow(/^sharpnessReport: 'a' has no readings\.$/);
  await expect(sharpnessReport({ a: [{}], b: 7 as never })).rejects.toThrow(/'a' has no readings\.\n.*'b' is neither/);
  await expect(sharpnessReport('x', { titel: '' } as never)).rejects.toThrow("no option 'titel'");
});

it('many readings make a page of bounded size, with the least and the greatest', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => reading(i, 10 + Math.sin(i), { assumptions: ['a'] }));
  many[14_321] = reading(14_321, 99.5, { assumptions: ['a'] });
  many[12_345] = reading(12_345, 3.25, { reliable: false, assumptions: ['b'] });
  const { html } = await sharpnessReport({ many });
  expect(html.length).toBeLessThan(500_000);
  expect(html).toContain('data-value="99.5"');
  expect(html).toContain('data-value="3.25"');
  expect(html).toMatch(/Drawn and listed are \d+ of 20000 readings/);
  expect(html).toContain('1 of 20000 readings');
});

describe('in a browser', () => {
  let browser: Browser;
  let html: string;
  const said: string[] = [];
  beforeAll(async () => {
    const names = ['<b>bold</b></script>', 'SAM'];
    const bad = [reading(200, 'Infinity'), reading(210, 3, { reliable: false }), reading(220, 0, { collapsed: true })];
    const problem = { kind: 'failed', step: 215, epoch: 2, message: '<img src=x onerror=console.error(1)>' };
    const checkpoints = [9, 2, 10].map((value, i) =>
      reading(undefined, value, { model: `c/epoch-${i + 1}/model.json` }),
    );
    html = (
      await sharpnessReport({
        [names[0]!]: [...falling(12), ...bad, problem],
        [names[1]!]: falling(12, 9),
        saved: checkpoints,
      })
    ).html;
    browser = await launched('none');
  });
  afterAll(() => browser?.close());

  async function open(options: BrowserContextOptions): Promise<Page> {
    const tab = await (await browser.newContext(options)).newPage();
    tab.on('pageerror', (error) => said.push(String(error)));
    tab.on('console', (message) => said.push(message.text()));
    tab.on('request', (request) => said.push(request.url()));
    await tab.setContent(html);
    return tab;
  }

  it.each([
    ['on a desk', { viewport: { width: 1200, height: 900 } }],
    ['in the dark', { viewport: { width: 1200, height: 900 }, colorScheme: 'dark' }],
    ['on a phone', { viewport: { width: 360, height: 740 } }],
  ] satisfies [string, BrowserContextOptions][])('everybody can read it, %s', async (_, options) => {
    const page = await open(options);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(options.viewport.width);
    expect(said).toEqual([]);
  });

  it('tables sort by the keyboard: numbers as numbers, both ways, and empty cells last', async () => {
    const page = await open({});
    const table = page.locator('table').last();
    const column = (place: number) => table.locator(`tbody td:nth-child(${place})`).allTextContents();
    const head = table.getByRole('columnheader', { name: 'Minimum Sharpness' });
    await head.getByRole('button').press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await column(3)).toEqual(['2', '9', '10']);
    await head.getByRole('button').press('Space');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await column(3)).toEqual(['10', '9', '2']);
    const interval = page.locator('table').first().getByRole('columnheader', { name: /Half/ });
    await interval.getByRole('button').press('Enter');
    expect((await page.locator('table').first().locator('tbody tr:last-child td').allTextContents()).at(4)).toBe('');
  });

  it('is light on paper, with all rows', async () => {
    const page = await open({ colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const look = await page.evaluate(() => ({
      background: getComputedStyle(document.body).backgroundColor,
      height: getComputedStyle(document.querySelector('.scroll')!).maxHeight,
    }));
    expect(look).toEqual({ background: 'rgb(255, 255, 255)', height: 'none' });
  });
});
