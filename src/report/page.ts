import { createHash } from 'node:crypto';
import { xml } from '../chart/svg.js';
import { counted, enumerate } from '../names.js';
import type { Figure, Figures, KeyItem } from './figures.js';
import { pageStyle } from './page-style.js';
import type { ReportRun } from './report-run.js';
import { problemList, reportTable } from './report-table.js';
import { summaryOf } from './run-words.js';
import type { ShownRun } from './shown-runs.js';
import { tableSorting } from './table-sorting.js';

/** A file or folder that was read. */
export interface ReadFrom {
  readonly path: string;
  readonly kind: string;
  readonly runs: readonly ReportRun[];
  readonly notes: readonly string[];
}

/** All that a page shows. */
export interface PageContent {
  readonly title: string;
  readonly runs: readonly ShownRun[];
  readonly figures: Figures;
  readonly sources: readonly ReadFrom[];
  readonly command?: string;
  readonly version: string;
  readonly date: Date;
}

/** How many sentences are listed. */
const SENTENCES = 60;

/** One page of HTML that needs nothing else, and may load nothing else. */
export function pageOf({ title, runs, figures, sources, command, version, date }: PageContent): string {
  const trained = runs.filter(({ run }) => run.hasSteps);
  const saved = runs.filter(({ run }) => !run.hasSteps);
  const hash = createHash('sha256').update(tableSorting).digest('base64');
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const problems = problemList(runs);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta name="generator" content="tfjs-sharpness ${xml(version)}">`,
    `<title>${xml(title)}</title>`,
    `<style>${pageStyle}</style>`,
    '</head>',
    '<body>',
    `<header><h1>${xml(title)}</h1>`,
    `<p class="lead">${xml(lead(trained, saved))} Minimum Sharpness is the trace of the loss Hessian, minimised over all rescalings of the layers ` +
      'that leave the network’s function unchanged: lower is flatter.</p>',
    `<ul class="runs">${runs.map(runItem).join('\n')}</ul></header>`,
    '<main>',
    ...figures.main.map((figure) => `<section><h2>${xml(figure.title)}</h2>${figureHtml(figure, true)}</section>`),
    ...figures.groups.map(
      ({ title: heading, note, figures: all }) =>
        `<section><h2>${xml(heading)}</h2>${noteHtml(note)}<div class="small">${all.map((each) => figureHtml(each, false)).join('\n')}</div></section>`,
    ),
    ...(trained.length > 0 ? [section('Readings', reportTable(trained, tableCaption(trained, 'reading')))] : []),
    ...(saved.length > 0 ? [section('Checkpoints', reportTable(saved, tableCaption(saved, 'checkpoint')))] : []),
    ...(problems === '' ? [] : [section('Problems', problems.replace('<ul>', '<ul class="plain">'))]),
    section('Taken for granted', assumptionsHtml(runs)),
    section(
      'Where it comes from',
      `${filesHtml(sources)}${command === undefined ? '' : `<p class="note">Made by</p><pre><code>${xml(command)}</code></pre>`}`,
    ),
    '</main>',
    `<footer>tfjs-sharpness ${xml(version)}, <time datetime="${date.toISOString()}">${date.toISOString().slice(0, 16).replace('T', ' ')} UTC</time></footer>`,
    `<script>${tableSorting}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

const section = (title: string, content: string) => `<section><h2>${xml(title)}</h2>${content}</section>`;
const noteHtml = (note: string | undefined) => (note === undefined ? '' : `<p class="note">${xml(note)}</p>`);

function lead(trained: readonly ShownRun[], saved: readonly ShownRun[]): string {
  const sum = (runs: readonly ShownRun[]) => runs.reduce((total, { run }) => total + run.points.length, 0);
  const parts = [
    ...(trained.length > 0 ? [`${counted(sum(trained), 'reading')} of ${counted(trained.length, 'training')}`] : []),
    ...(saved.length > 0
      ? [`${counted(sum(saved), 'checkpoint')}${saved.length > 1 ? ` in ${counted(saved.length, 'set')}` : ''}`]
      : []),
  ];
  return `${enumerate(parts)}.`;
}

function runItem({ run, color, dash }: ShownRun): string {
  const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(' ')}"` : '';
  return (
    `<li><svg viewBox="0 0 26 25" aria-hidden="true"><path d="M1 12.5h24" stroke="${color}" stroke-width="3"${dashes}/></svg>` +
    `<div><b><bdi>${xml(run.name)}</bdi></b> <span>${xml(summaryOf(run))}</span></div></li>`
  );
}

function figureHtml({ title, wide, narrow, key, note }: Figure, isMain: boolean): string {
  const chart = narrow === undefined ? wide : `<div class="wide">${wide}</div><div class="narrow">${narrow}</div>`;
  const caption = isMain ? '' : `<figcaption><bdi>${xml(title)}</bdi></figcaption>`;
  return `<figure>${caption}${chart}${keyHtml(key)}${noteHtml(note)}</figure>`;
}

const shapes: Readonly<Record<KeyItem['shape'], string>> = {
  band: '<path d="M0 2h18v10H0z" fill="currentColor" opacity=".25"/>',
  bar: '<path d="M1 7h16" stroke="currentColor" stroke-width="2" opacity=".6"/>',
  circle: '<circle cx="9" cy="7" r="4.4"/>',
  cross: '<path d="M7.5 3h3v2.5H13v3h-2.5V11h-3V8.5H5v-3h2.5z"/>',
  diamond: '<path d="M9 2l4 5-4 5-4-5z"/>',
  'triangle-up': '<path d="M9 2.5l5 9H4z"/>',
};

function keyHtml(key: readonly KeyItem[]): string {
  const items = key.map(({ shape, color, words }) => {
    const paint = `fill="none" stroke="${color ?? 'currentColor'}" stroke-width="1.6"`;
    const own = shape === 'band' || shape === 'bar' ? '' : paint;
    return `<li><svg viewBox="0 0 18 14" aria-hidden="true" ${own}>${shapes[shape]}</svg>${xml(words)}</li>`;
  });
  return items.length === 0 ? '' : `<ul class="key">${items.join('')}</ul>`;
}

function tableCaption(runs: readonly ShownRun[], what: string): string {
  const total = runs.reduce((sum, { shown }) => sum + shown.total, 0);
  const listed = runs.reduce((sum, { shown }) => sum + shown.points.length, 0);
  const all = listed < total ? `${listed} of ${total} ${what}s, those that are drawn` : `All ${counted(total, what)}`;
  return `${all}. A column’s head sorts by it.`;
}

/** Each sentence once, with the readings that have it. */
function assumptionsHtml(runs: readonly ShownRun[]): string {
  const sentences = new Map<string, Map<ReportRun, number>>();
  for (const { run } of runs) {
    for (const { reading } of run.points) {
      for (const sentence of reading.assumptions ?? []) {
        const counts = sentences.get(sentence) ?? new Map<ReportRun, number>();
        sentences.set(sentence, counts.set(run, (counts.get(run) ?? 0) + 1));
      }
    }
  }
  if (sentences.size === 0) {
    return '<p class="note">The readings say nothing of it.</p>';
  }
  const total = runs.reduce((sum, { run }) => sum + run.points.length, 0);
  const items = [...sentences].slice(0, SENTENCES).map(([sentence, counts]) => {
    const count = [...counts.values()].reduce((a, b) => a + b, 0);
    const where = [...counts].slice(0, 5).map(([{ name, points }, own]) => `${own} of ${points.length} of ${name}`);
    const whose =
      runs.length > 1 ? where.join(', ') + (counts.size > 5 ? ', ...' : '') : `${count} of ${total} readings`;
    return `<li>${xml(sentence)}${count === total ? '' : ` <small>(${xml(whose)})</small>`}</li>`;
  });
  const more = sentences.size > SENTENCES ? `<li>And ${sentences.size - SENTENCES} more.</li>` : '';
  return `<ul class="plain">${items.join('\n')}${more}</ul>`;
}

function filesHtml(sources: readonly ReadFrom[]): string {
  const items = sources.map(({ path, kind, runs, notes }) => {
    const count = runs.reduce((sum, { points }) => sum + points.length, 0);
    const names = runs.length === 1 ? '' : ` in ${counted(runs.length, 'run')}`;
    const left = notes.length === 0 ? '' : ` <small>${xml(`${notes.join('; ')}.`)}</small>`;
    return `<li><bdi>${xml(path)}</bdi>: ${xml(`${kind}, ${counted(count, 'reading')}${names}.`)}${left}</li>`;
  });
  return `<ul class="plain files">${items.join('\n')}</ul>`;
}
