import { digits, HALF_INTERVAL, problemLine } from '../chart/reading-words.js';
import { xml } from '../chart/svg.js';
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
  readonly isText?: boolean;
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
    ...(runs.length > 1 ? [{ title: 'Run', isText: true, cell: ({ run }: ShownRun) => textCell(run.name) }] : []),
    hasSteps
      ? { title: 'Batch', cell: (_, { at }) => numberCell(at, 15) }
      : { title: 'Number', cell: (_, { at }) => numberCell(at, 15) },
    hasSteps
      ? { title: 'Epoch', cell: (_, { reading: { epoch } }) => numberCell(epoch === undefined ? undefined : epoch + 1) }
      : { title: 'Checkpoint', isText: true, cell: ({ run }, point) => textCell(placeOf(run, point)) },
    { title: 'Minimum Sharpness', cell: (_, { reading }) => numberCell(reading.minimumSharpness) },
    {
      title: 'Half the 95% interval',
      cell: (_, { reading: { standardError }, high }) =>
        high === undefined || standardError === undefined ? undefined : numberCell(HALF_INTERVAL * standardError, 3),
    },
    { title: 'Trace', cell: (_, { reading }) => numberCell(reading.trace) },
    { title: 'Loss', cell: (_, { reading }) => numberCell(reading.loss) },
    ...logColumns(runs),
    { title: 'Samples', cell: (_, { reading }) => numberCell(reading.samples, 15) },
    { title: 'Method', isText: true, cell: (_, { reading }) => textCell(reading.method) },
    {
      title: 'Remarks',
      isText: true,
      cell: (_, { flaws }) => textCell(flaws.map((flaw) => flawWords[flaw]).join(', ')),
    },
  ];
  const rows = runs.flatMap((shown) =>
    shown.shown.points.map((point) => columns.map(({ cell }) => cell(shown, point))),
  );
  const used = columns.map((_, i) => rows.some((row) => row[i] !== undefined));
  const of = <T>(list: readonly T[]) => list.filter((_, i) => used[i]);
  const isText = columns.map((column) => column.isText === true);
  const head = of(columns).map(
    ({ title, isText: text }) => `<th scope="col"${text ? ' class="text"' : ''}>${xml(title)}</th>`,
  );
  const body = rows.map((row) => `<tr>${of(row.map((cell, i) => cellHtml(cell, isText[i]!))).join('')}</tr>`);
  const label = xml(caption);
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="sorted"><caption>${label}</caption>` +
    `<thead><tr>${head.join('')}</tr></thead>\n<tbody>${body.join('\n')}</tbody></table></div>`
  );
}

function cellHtml(cell: Cell | undefined, isText: boolean): string {
  const kind = isText ? ' class="text"' : '';
  if (cell === undefined) {
    return `<td${kind}></td>`;
  }
  const sort = cell.value === undefined ? '' : ` data-value="${cell.value}"`;
  return `<td${kind}${sort}>${isText ? `<bdi>${xml(cell.text)}</bdi>` : xml(cell.text)}</td>`;
}

/** What was logged at the steps of readings. */
function logColumns(runs: readonly ShownRun[]): Column[] {
  const names = [...new Set(runs.flatMap(({ run }) => [...run.logged.keys()]))].filter(
    (name) => !name.startsWith('loss of '),
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
    const when = run.hasSteps ? `batch ${digits(problem.at, 15)}: ` : '';
    const whose = runs.length > 1 ? `${run.name}, ` : '';
    return `<li>${xml(`${whose}${when}${problemLine(problem)}`)}</li>`;
  });
  const more = all.length > PROBLEMS ? `<li>And ${all.length - PROBLEMS} more.</li>` : '';
  return items.length === 0 ? '' : `<ul>${items.join('\n')}${more}</ul>`;
}
