import { problemLine } from '../chart/reading-words.js';
import { xml } from '../chart/svg.js';
import { digits } from '../measure/digits.js';
import { halfInterval } from '../measure/half-interval.js';
import type { RunPoint } from './report-run.js';
import { flawWords, placeOf } from './run-words.js';
import type { ShownRun } from './shown-runs.js';

/** A cell: what it shows, and what it is sorted by where that is a number. */
interface Cell {
  readonly text: string;
  readonly value?: number;
}

interface Column {
  readonly title: string;
  /** Text that is short, or the name of something; else numbers. */
  readonly kind?: 'text' | 'name';
  cell(shown: ShownRun, point: RunPoint): Cell | undefined;
}

/** More columns of logs would leave no room. */
const LOGS = 6;

const numberCell = (value: unknown, count = 5): Cell | undefined =>
  typeof value === 'number' ? { text: digits(value, count), value } : undefined;
const textCell = (text: string | undefined): Cell | undefined =>
  text === undefined || text === '' ? undefined : { text };

/**
 * A table of the readings that are drawn, a row each; columns that no reading has are left out. Problems are rows too.
 *
 * @param runs all over steps, or all of checkpoints.
 */
export function reportTable(runs: readonly ShownRun[], caption: string): string {
  const { hasSteps } = runs[0]!.run;
  const columns: Column[] = [
    ...(runs.length > 1
      ? [{ title: 'Run', kind: 'name' as const, cell: ({ run }: ShownRun) => textCell(run.name) }]
      : []),
    hasSteps
      ? {
          title: runs.every(({ run }) => run.unit === 'batch') ? 'Batch' : 'Step',
          cell: (_, { at }) => numberCell(at, 15),
        }
      : { title: 'Number', cell: (_, { at }) => numberCell(at, 15) },
    hasSteps
      ? { title: 'Epoch', cell: (_, { reading: { epoch } }) => numberCell(epoch === undefined ? undefined : epoch + 1) }
      : { title: 'Checkpoint', kind: 'name', cell: ({ run }, point) => textCell(placeOf(run, point)) },
    { title: 'Minimum Sharpness', cell: (_, { reading }) => numberCell(reading.minimumSharpness) },
    {
      title: 'Half the 95% interval',
      cell: (_, { reading: { standardError }, high }) =>
        high === undefined || standardError === undefined ? undefined : numberCell(halfInterval({ standardError }), 3),
    },
    { title: 'Trace', cell: (_, { reading }) => numberCell(reading.trace) },
    { title: 'loss, measured', cell: (_, { reading }) => numberCell(reading.loss) },
    ...logColumns(runs),
    { title: 'Samples', cell: (_, { reading }) => numberCell(reading.samples, 15) },
    { title: 'Method', kind: 'text', cell: (_, { reading }) => textCell(reading.method) },
    {
      title: 'Remarks',
      kind: 'text',
      cell: (_, { flaws }) => textCell(flaws.map((flaw) => flawWords[flaw]).join(', ')),
    },
  ];
  const rows = runs.flatMap((shown) =>
    shown.shown.points.map((point) => columns.map(({ cell }) => cell(shown, point))),
  );
  const used = columns.map((_, i) => rows.some((row) => row[i] !== undefined));
  const of = <T>(list: readonly T[]) => list.filter((_, i) => used[i]);
  const kinds = columns.map(({ kind }) => kind);
  const head = of(columns).map(({ title, kind }) => `<th scope="col"${classOf(kind)}>${xml(title)}</th>`);
  const body = rows.map((row) => `<tr>${of(row.map((cell, i) => cellHtml(cell, kinds[i]))).join('')}</tr>`);
  const label = xml(caption);
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="sorted"><caption>${label}</caption>` +
    `<thead><tr>${head.join('')}</tr></thead>\n<tbody>${body.join('\n')}</tbody></table></div>`
  );
}

const classOf = (kind: Column['kind']) => (kind === undefined ? '' : ` class="${kind}"`);

function cellHtml(cell: Cell | undefined, kind: Column['kind']): string {
  const { text = '', value } = cell ?? {};
  const sort = value === undefined ? '' : ` data-value="${value}"`;
  return `<td${classOf(kind)}${sort}>${kind === 'name' ? `<bdi>${xml(text)}</bdi>` : xml(text)}</td>`;
}

/** What was logged at the steps of readings. */
function logColumns(runs: readonly ShownRun[]): Column[] {
  const names = [...new Set(runs.flatMap(({ run }) => [...run.logged.keys()]))].filter(
    (name) => name !== 'loss, measured',
  );
  const at = new Map(
    runs.map(({ run, index }) => [
      index,
      new Map([...run.logged].map(([name, points]) => [name, new Map(points.map((each) => [each.at, each.value]))])),
    ]),
  );
  return names.slice(0, LOGS).map((name) => ({
    title: name,
    cell: ({ index }, point) => numberCell(at.get(index)?.get(name)?.get(point.at)),
  }));
}

/** How many problems are listed. */
const PROBLEMS = 100;

/** What did not come about, in a list; empty where all did. */
export function problemList(runs: readonly ShownRun[]): string {
  const all = runs.flatMap(({ run }) => run.problems.map((problem) => ({ run, problem })));
  const items = all.slice(0, PROBLEMS).map(({ run, problem }) => {
    const when = run.hasSteps ? `${run.unit} ${digits(problem.at, 15)}: ` : '';
    const whose = runs.length > 1 ? `${run.name}, ` : '';
    return `<li>${xml(`${whose}${when}${problemLine(problem)}`)}</li>`;
  });
  const more = all.length > PROBLEMS ? `<li>And ${all.length - PROBLEMS} more.</li>` : '';
  return items.length === 0 ? '' : `<ul>${items.join('\n')}${more}</ul>`;
}
