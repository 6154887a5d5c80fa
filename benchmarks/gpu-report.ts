import type { TopLevelSpec } from 'vega-lite';
import { timesChart } from './kernel-chart.js';
import { digits, duration, table } from './report.js';

/** What one contestant took on a GPU. */
export interface GpuRow {
  /** One reading, or the trace over all images to 1%. */
  readonly part: 'reading' | 'one-percent';
  readonly network: string;
  readonly samples: number;
  /** Epochs of training before. */
  readonly epochs: number;
  readonly title: string;
  readonly exact: boolean;
  /** Median; missing where it was not measured. */
  readonly ms?: number;
  /** Quartiles. */
  readonly low?: number;
  readonly high?: number;
  /** Whether `ms` follows from fewer repetitions than it takes. */
  readonly extrapolated?: boolean;
  /** Why it was not measured. */
  readonly absent?: string;
}

/** What `gpu.ts` found, as it lies in `gpu.json`. */
export interface GpuReport {
  /** Name of the card; null where there was none. */
  readonly card: string | null;
  readonly driver: string | null;
  readonly date: string;
  /** The state of this package. */
  readonly package: string;
  readonly versions: Readonly<Record<string, string>>;
  /** What else has to be known of the figures. */
  readonly note?: string;
  readonly rows: readonly GpuRow[];
}

const NOT_MEASURED = 'not measured';

/** A cell for a time. */
export function gpuCell(row: GpuRow | undefined): string {
  if (row?.ms === undefined) {
    return row?.absent ? `${NOT_MEASURED}: ${row.absent}` : NOT_MEASURED;
  }
  // No more digits than are known.
  const ms = row.low === undefined ? `${row.ms}` : digits(row.ms);
  const time = row.part === 'reading' ? `${ms} ms` : duration(row.ms / 1000);
  const spread = row.low === undefined ? '' : ` (${digits(row.low)} to ${digits(row.high!)})`;
  return `${row.extrapolated ? '≈ ' : ''}${time}${spread}`;
}

export const settingOf = ({ network, samples, epochs }: GpuRow) =>
  epochs === 0 ? `${network}, ${samples}` : `${network}, ${samples}, ${epochs} epochs`;

/** The rows of a part, with a column a setting. */
function tableOf(rows: readonly GpuRow[]): string[] {
  const settings = [...new Set(rows.map(settingOf))];
  const titles = [...new Set(rows.map(({ title }) => title))];
  return table(
    ['', ...settings],
    titles.map((title) => [
      title,
      ...settings.map((setting) => gpuCell(rows.find((row) => row.title === title && settingOf(row) === setting))),
    ]),
  );
}

/** The card, the date and what ran on it. */
export function gpuMachine({ card, driver, date, package: state, versions }: GpuReport): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const where = card ? `${card}${driver ? `, driver ${driver}` : ''}` : 'No GPU was found: a dry run on the processor';
  return `${where}, ${date}. ${[state, ...named].join(', ')}.`;
}

/** `gpu.md`. */
export function gpuLines(report: GpuReport): string[] {
  const part = (name: GpuRow['part']) => report.rows.filter((row) => row.part === name);
  const toOnePercent = part('one-percent');
  return [
    '# On a GPU, against PyTorch on the same card',
    '',
    'Float32 without TF32. Every contestant runs in a process of its own; the times are medians, in brackets the quartiles where they',
    'are known. A turn of ours goes from images on the card to the reading, one of the others gives the trace alone.',
    `"${NOT_MEASURED}" says what did not run, and why. "≈" is extrapolated from the spread between fewer repetitions.`,
    '',
    gpuMachine(report),
    ...(report.note ? ['', report.note] : []),
    '',
    '![Time of one reading](gpu.svg)',
    '',
    '## One reading',
    '',
    ...tableOf(part('reading')),
    '',
    '## The trace over all images, known to 1%',
    '',
    ...(toOnePercent.length > 0
      ? tableOf(toOnePercent)
      : [`${NOT_MEASURED[0]!.toUpperCase()}${NOT_MEASURED.slice(1)}.`]),
  ];
}

/** The largest setting of each network. */
export function gpuChart({ rows }: GpuReport): TopLevelSpec {
  const readings = rows.filter(({ part }) => part === 'reading');
  const largest = new Map(readings.map((row) => [row.network, settingOf(row)]));
  return timesChart(
    readings.flatMap((row) =>
      row.ms !== undefined && largest.get(row.network) === settingOf(row)
        ? [
            {
              network: `${row.network}, ${row.samples} images`,
              contestant: row.title,
              ours: row.title.startsWith('tfjs-sharpness'),
              exact: row.exact,
              median: row.ms,
              low: row.low ?? row.ms,
              high: row.high ?? row.ms,
            },
          ]
        : [],
    ),
  );
}
