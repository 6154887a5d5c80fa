import type { SampledMethod } from '../src/measure/options.js';
import { type Coverage, faultsOf } from './coverage-study.js';
import { table } from './report.js';

/** What was found of one network. */
export interface NetworkCoverage {
  readonly kind: string;
  readonly name: string;
  readonly truth: number;
  /** Samples times columns. */
  readonly pairs: number;
  readonly of: Readonly<Record<string, Coverage>>;
}

/** The methods that are put to the test, by their titles. */
export const methods: Readonly<Record<string, SampledMethod>> = {
  '{ tolerance: 0.02 }': { tolerance: 0.02 },
  '{ tolerance: 0.05 }': { tolerance: 0.05 },
  '{ pairs: 256 }': { pairs: 256 },
  '{ pairs: 1024 }': { pairs: 1024 },
};

export const percent = (share: number) =>
  Number.isNaN(share) ? '-' : `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;

/** One line for each network: what its readings by one method are worth. */
function tableOf(rows: readonly NetworkCoverage[], title: string): string[] {
  const tolerance = (methods[title] as { tolerance?: number }).tolerance;
  return table(
    [
      'network',
      'reliable',
      'of these covered',
      'by 1.96 standard errors',
      tolerance === undefined ? 'worst of these' : 'worst of these, in tolerances',
      'pairs',
      'ran exactly',
      'mean value / exact',
      'error',
      ...(tolerance === undefined ? [] : ['as promised']),
    ],
    rows.map(({ kind, name, pairs, of }) => {
      const found = of[title]!;
      const demand = kind === 'trained' ? 'trained' : 'hidden';
      const faults = tolerance === undefined ? [] : faultsOf(found, tolerance, demand);
      return [
        `${kind}: ${name}`,
        percent(found.reliable),
        percent(found.covered),
        percent(found.coveredBy196),
        found.reliable === 0
          ? '-'
          : tolerance === undefined
            ? percent(found.worst)
            : (found.worst / tolerance).toFixed(1),
        `${found.pairs.toFixed(0)} of ${pairs}`,
        percent(found.exact),
        found.ratio.toFixed(3),
        percent(found.error),
        ...(tolerance === undefined ? [] : [faults.join(', ') || 'yes']),
      ];
    }),
  );
}

/** The report in Markdown. @param run lines on the machine. */
export function coverageReport(rows: readonly NetworkCoverage[], run: readonly string[]): string[] {
  const readings = Object.values(rows[0]!.of)[0]!.readings;
  return [
    '# Coverage',
    '',
    `What \`measureSharpness\` states of its error, against the exact value, over ${readings} seeds for each network and method.`,
    '"Reliable" is the share of readings that say `reliable: true`; of these, "covered" is the share whose 95% interval holds the',
    'exact value, by t times `standardError` and by 1.96 times, and "worst" the largest error. Pairs, the mean value and its root mean',
    'square error are of all readings. "As promised" asks for at least half reliable, at least 88% of these covered (trained: 91% to',
    '98.5% of those that did not run exactly) and none of them more than 5 tolerances off. The traces of all pairs are measured once,',
    'and every reading is then made from them by the code that real ones run.',
    '',
    ...run,
    ...Object.keys(methods).flatMap((title) => ['', `## \`${title}\``, '', ...tableOf(rows, title)]),
  ];
}
