import { layersOf } from '../chart/reading-words.js';
import { counted } from '../names.js';
import { color } from './chart-colors.js';
import { checkpointChart } from './checkpoint-chart.js';
import type { DrawChart } from './drawn-chart.js';
import { checkpointNames, flawWords, summaryOf } from './run-words.js';
import { besides, layerQuantities, type Quantity, type ShownRun } from './shown-runs.js';
import { type ChartLine, type Sign, stepChart } from './step-chart.js';
import { thinned } from './thinned.js';
import { valueAxis } from './value-axis.js';

/** A sign of a chart and what it means. */
export interface KeyItem {
  readonly shape: 'band' | 'bar' | Sign['shape'];
  /** Undefined: that of the run. */
  readonly color?: string;
  readonly words: string;
}

/** A drawn chart. */
export interface Figure {
  readonly title: string;
  /** For the width of a desk, and of a phone where that is to be another. */
  readonly wide: string;
  readonly narrow?: string;
  readonly key: readonly KeyItem[];
  /** What is not drawn. */
  readonly note?: string;
}

/** Charts of one kind under a heading. */
export interface FigureGroup {
  readonly title: string;
  readonly note?: string;
  readonly figures: readonly Figure[];
}

/** What a report draws. */
export interface Figures {
  /** Minimum Sharpness over steps, and of checkpoints: one of them at least. */
  readonly main: readonly Figure[];
  readonly groups: readonly FigureGroup[];
}

const WIDE = 880;
const NARROW = 350;
const SMALL = { width: 280, height: 150 };
/** With more of them, checkpoints are numbers on an axis instead of rows. */
const CHECKPOINT_ROWS = 60;
const SMALL_CHARTS = 24;
/** Problems of a run that are marked at most, twice that. */
const PROBLEM_PIECES = 100;

/** Draws all that runs have. */
export async function figuresOf(runs: readonly ShownRun[], draw: DrawChart): Promise<Figures> {
  const trained = runs.filter(({ run }) => run.hasSteps);
  const saved = runs.filter(({ run }) => !run.hasSteps);
  const isFew = rowsOf(saved).length <= CHECKPOINT_ROWS;
  const main: Figure[] = [];
  if (trained.length > 0) {
    const areBatches = trained.every(({ run }) => run.unit === 'batch');
    const [title, across] = areBatches ? ['training batches', 'Training batches'] : ['steps', 'Steps'];
    main.push(await overNumbers(trained, `Minimum Sharpness over ${title}`, across!, draw));
  }
  if (saved.length > 0) {
    main.push(
      isFew
        ? await ofCheckpoints(saved, draw)
        : await overNumbers(
            saved,
            'Minimum Sharpness of checkpoints',
            'Number of the checkpoint, in the order of its file',
            draw,
          ),
    );
  }
  const groups = [
    ...(await smallCharts(trained, saved.length > 0 ? ', of trainings' : '', draw)),
    ...(await smallCharts(saved, trained.length > 0 ? ', of checkpoints' : '', draw)),
  ];
  return { main, groups };
}

const rowsOf = (runs: readonly ShownRun[]) => [...new Set(checkpointNames(runs.map(({ run }) => run)).values())];

/** The ends of the axis on which all runs lie. */
function endsOf(points: Iterable<{ readonly at: number }>): [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { at } of points) {
    [from, to] = [Math.min(from, at), Math.max(to, at)];
  }
  return [from, to];
}

async function overNumbers(runs: readonly ShownRun[], title: string, across: string, draw: DrawChart): Promise<Figure> {
  const isJoined = runs[0]!.run.hasSteps;
  const problems = runs.map(({ run }) =>
    thinned(
      run.problems,
      PROBLEM_PIECES,
      () => 0,
      ({ kind }) => kind,
    ),
  );
  const shown = runs.flatMap((each) => each.shown.points);
  const [from, to] = endsOf([...shown, ...problems.flatMap(({ points }) => points)]);
  const lines = runs.map(
    ({ shown: { points }, color: own, dash }): ChartLine => ({
      color: own,
      dash,
      points: points.map(({ at, reading, low, high }) => ({
        at,
        value: reading.minimumSharpness,
        ...(low !== undefined && high !== undefined && { low, high }),
      })),
    }),
  );
  const intervals = shown.flatMap(({ low, high }) => (low === undefined || high === undefined ? [] : [low, high]));
  // Of exact readings the ends of the interval are the value.
  const hasWidth = shown.some(({ low, high }) => low !== high);
  const axis = valueAxis(
    shown.map(({ reading }) => reading.minimumSharpness),
    intervals,
    5,
  );
  const signs: Sign[] = [
    ...runs.flatMap(({ shown: { points }, color: own }) =>
      points.flatMap(({ at, reading: { minimumSharpness }, flaws: [flaw] }): Sign[] => {
        switch (flaw) {
          case 'infinite':
            return [{ at, value: axis.domain[1], shape: 'diamond', color: own }];
          case 'collapsed':
            return [{ at, value: minimumSharpness, shape: 'cross', color: own }];
          case 'unreliable':
            return [{ at, value: minimumSharpness, shape: 'circle', color: own }];
          default:
            return [];
        }
      }),
    ),
    ...problems.flatMap(({ points }) =>
      points.map(({ at, kind }): Sign => ({ at, value: axis.domain[0], shape: 'triangle-up', color: color(kind) })),
    ),
  ];
  const description = descriptionOf(runs);
  const chart = (width: number, height: number) =>
    draw({
      title,
      description,
      spec: stepChart({ size: { width, height }, lines, signs, across, axis, from, to, isJoined }),
    });
  const total = runs.reduce((sum, each) => sum + each.shown.total, 0);
  const drawn = shown.length;
  return {
    title,
    wide: await chart(WIDE, 360),
    narrow: await chart(NARROW, 260),
    key: keyOf(runs, !hasWidth ? [] : isJoined ? ['band'] : ['bar']),
    ...(drawn < total && {
      note: `Drawn and listed are ${drawn} of ${total} readings: those with the least and the greatest value of each short stretch, and of each kind that is marked.`,
    }),
  };
}

async function ofCheckpoints(runs: readonly ShownRun[], draw: DrawChart): Promise<Figure> {
  const names = checkpointNames(runs.map(({ run }) => run));
  const points = runs.flatMap((each) => each.run.points.map((point) => ({ each, point })));
  const intervals = points.flatMap(({ point: { low, high } }) =>
    low === undefined || high === undefined ? [] : [low, high],
  );
  const axis = valueAxis(
    points.map(({ point }) => point.reading.minimumSharpness),
    intervals,
    4,
  );
  const dots = points.map(
    ({ each, point: { reading, low, high, flaws }, point }) =>
      ({
        row: names.get(point)!,
        run: each.index,
        color: each.color,
        value: flaws.includes('infinite') ? axis.domain[1] : reading.minimumSharpness,
        shape: flaws.includes('infinite') ? 'diamond' : flaws.includes('collapsed') ? 'cross' : 'circle',
        isFilled: flaws.length === 0,
        ...(low !== undefined && high !== undefined && { low, high }),
      }) as const,
  );
  const title = 'Minimum Sharpness of checkpoints';
  const description = descriptionOf(runs);
  const chart = (width: number) =>
    draw({ title, description, spec: checkpointChart(width, [...new Set(names.values())], dots, axis) });
  return {
    title,
    wide: await chart(WIDE),
    narrow: await chart(NARROW),
    key: keyOf(runs, intervals.some((end, i) => i % 2 === 0 && end !== intervals[i + 1]) ? ['bar'] : []),
  };
}

function descriptionOf(runs: readonly ShownRun[]): string {
  const said = runs.slice(0, 10).map(({ run }) => `${run.name}: ${summaryOf(run)}.`);
  return [
    ...said,
    ...(runs.length > 10 ? [`And ${runs.length - 10} more.`] : []),
    'The table below has the numbers.',
  ].join(' ');
}

/** What the signs mean that are in the chart. */
function keyOf(runs: readonly ShownRun[], intervals: readonly ('band' | 'bar')[]): KeyItem[] {
  const has = (flaw: keyof typeof flawWords) =>
    runs.some(({ run }) => run.points.some(({ flaws }) => flaws[0] === flaw));
  const problem = (kind: 'failed' | 'skipped') =>
    runs.some(({ run }) => run.problems.some((each) => each.kind === kind));
  return [
    ...intervals.map((shape) => ({ shape, words: '95% interval' })),
    ...(has('unreliable') ? [{ shape: 'circle', words: `${flawWords.unreliable}, so no interval` } as const] : []),
    ...(has('collapsed')
      ? [{ shape: 'cross', words: 'collapsed: small, but no sign of a good minimum' } as const]
      : []),
    ...(has('infinite') ? [{ shape: 'diamond', words: flawWords.infinite } as const] : []),
    ...(['failed', 'skipped'] as const)
      .filter(problem)
      .map((kind) => ({ shape: 'triangle-up', color: color(kind), words: `reading ${kind}` }) as const),
  ];
}

async function smallCharts(runs: readonly ShownRun[], whose: string, draw: DrawChart): Promise<FigureGroup[]> {
  if (!runs.some(({ run }) => run.points.length > 1)) {
    return [];
  }
  const readings = runs.flatMap(({ run }) => [run.points[0]!, run.points.at(-1)!]);
  const { traces, alphas } = layerQuantities(runs);
  const groups: [string, Quantity[]][] = [
    [`Trace, loss and what was logged${whose}`, besides(runs)],
    [`Traces of layers${whose}`, traces],
    [`Alphas of layers${whose}`, alphas],
  ];
  const drawn: FigureGroup[] = [];
  for (const [title, all] of groups) {
    const chosen = chosenOf(all, runs);
    // Logs may begin before the first reading, and go on behind the last.
    const ends = endsOf([...readings, ...chosen.flatMap(({ lines }) => [...lines.values()].flat())]);
    const figures: Figure[] = [];
    for (const quantity of chosen) {
      figures.push(await smallChart(quantity, ends, title, draw));
    }
    if (figures.length > 0) {
      drawn.push({
        title,
        figures,
        ...(chosen.length < all.length && {
          note: `Drawn are ${chosen.length} of ${all.length}, those of the greatest traces at the end.`,
        }),
      });
    }
  }
  return drawn;
}

/** Of many, those of the layers with the greatest traces. */
function chosenOf(all: readonly Quantity[], runs: readonly ShownRun[]): readonly Quantity[] {
  if (all.length <= SMALL_CHARTS) {
    return all;
  }
  const traces = new Map<string, number>();
  for (const { run } of runs) {
    for (const [layer, { trace = 0 }] of layersOf(run.points.at(-1)!.reading)) {
      traces.set(layer, Math.max(traces.get(layer) ?? 0, Math.abs(trace)));
    }
  }
  const greatest = [...all].sort((a, b) => (traces.get(b.name) ?? 0) - (traces.get(a.name) ?? 0));
  const chosen = new Set(greatest.slice(0, SMALL_CHARTS));
  return all.filter((each) => chosen.has(each));
}

async function smallChart(
  { name, lines }: Quantity,
  [from, to]: readonly [number, number],
  group: string,
  draw: DrawChart,
): Promise<Figure> {
  const values = [...lines.values()].flat().map(({ value }) => value);
  const axis = valueAxis(values, [], 3);
  const infinite = values.filter((value) => !Number.isFinite(value)).length;
  const signs = [...lines].flatMap(([{ color: own }, points]) =>
    points
      .filter(({ value }) => !Number.isFinite(value))
      .map(({ at }): Sign => ({ at, value: axis.domain[1], shape: 'diamond', color: own })),
  );
  const wide = await draw({
    title: `${name}: ${group}`,
    description: [...lines]
      .slice(0, 10)
      .map(([{ run }, points]) => `${run.name}: ${Number(points.at(-1)!.value.toPrecision(4))} at the end.`)
      .join(' '),
    spec: stepChart({
      size: SMALL,
      lines: [...lines].map(([{ color: own, dash }, points]) => ({ color: own, dash, points })),
      signs,
      axis,
      from,
      to,
      isJoined: [...lines.keys()][0]!.run.hasSteps,
    }),
  });
  return {
    title: name,
    wide,
    key: infinite > 0 ? [{ shape: 'diamond', words: `${counted(infinite, 'value')} not finite` }] : [],
  };
}
