import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { pageOf } from '../../src/report/page.js';
import { runRecorder } from '../../src/report/report-run.js';
import { shownRuns } from '../../src/report/shown-runs.js';
import { reading } from './readings.js';

function page(assumptions: string[][], names: string[] = []) {
  const runs = assumptions.map((sentences, i) => {
    const recorder = runRecorder();
    recorder.take(reading(10, 5, { assumptions: sentences }));
    return recorder.run(names[i] ?? `run ${i}`);
  });
  return pageOf({
    title: 'A </title><script>alert(1)</script>',
    runs: shownRuns(runs),
    figures: { main: [], groups: [] },
    sources: [{ path: 'a&b.jsonl', kind: 'JSON lines', runs, notes: ['1 broken line left out'] }],
    command: "npx tfjs-sharpness report 'a&b.jsonl'",
    version: '1.2.3',
    date: new Date(0),
  });
}

it('runs its own script alone and loads nothing', () => {
  const html = page([['a']], ['</script><img src=x onerror=alert(1)>']);
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text!);
  expect(scripts).toHaveLength(1);
  const hash = createHash('sha256').update(scripts[0]!).digest('base64');
  expect(html).toContain(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`);
  expect(html).not.toMatch(/<(?:img|link|iframe)|<[^>]*\b(?:src|href)=/);
});

it('says each assumption once, and whose it is where not all have it', () => {
  const html = page([['all', 'some'], ['all']]);
  expect(html).toContain('<li>all</li>');
  expect(html).toContain('<li>some <small>(1 of 1 of run 0)</small></li>');
});

it('says what was read, what was left out and by which command', () => {
  const html = page([[]]);
  expect(html).toContain('a&amp;b.jsonl');
  expect(html).toContain('1 broken line left out.');
  expect(html).toContain('npx tfjs-sharpness report');
  expect(html).toContain('The readings say nothing of it.');
  expect(html).toContain('1970-01-01 00:00 UTC');
});
