import { expect, it } from 'vitest';
import { problemList, reportTable } from '../../src/report/report-table.js';
import { reading, shownOf } from './readings.js';

const shown = (...lists: object[][]) => shownOf(lists, (i) => ['=HYPERLINK("x")', '</script><b>'][i]!);

const headsOf = (html: string) => [...html.matchAll(/<th\b[^>]*>([^<]*)/g)].map(([, title]) => title);

it('has the columns that readings have, and cells that sort as numbers', () => {
  const html = reportTable(shown([reading(10, 5, { loss: 0.5, logs: { acc: 0.9 } }), reading(20, 'Infinity')]), 'All');
  expect(headsOf(html)).toEqual([
    'Batch',
    'Epoch',
    'Minimum Sharpness',
    'Half the 95% interval',
    'Trace',
    'loss, measured',
    'acc',
    'Samples',
    'Method',
    'Remarks',
  ]);
  expect(html).toContain('<td data-value="Infinity">Infinity</td>');
  expect(html).toContain('no finite number');
});

it('names are text, whatever they are', () => {
  const html = reportTable(shown([reading(10, 5)], [reading(10, 6)]), 'A <caption>');
  expect(html).toContain('<bdi>=HYPERLINK(&quot;x&quot;)</bdi>');
  expect(html).toContain('<bdi>&lt;/script&gt;&lt;b&gt;</bdi>');
  expect(html).toContain('A &lt;caption&gt;');
});

it('lists problems, and counts what is beyond a hundred', () => {
  const problems = Array.from({ length: 120 }, (_, step) => ({ kind: 'failed', step, epoch: 0, message: '<b>' }));
  const html = problemList(shown([reading(10, 5), ...problems]));
  expect(html).toContain('<li>batch 7: failed: &lt;b&gt;</li>');
  expect(html).toContain('And 20 more.');
  expect(problemList(shown([reading(10, 5)]))).toBe('');
});
