import { digits, table } from '../report.js';
import { mean } from '../statistics.js';
import { bootstrap, bootstrapOfGroups, kendall, partial, pearson } from './correlation.js';
import { atAccuracy, atLoss, type Column, gapOf } from './levels.js';
import type { Lines, Look, SweepRun } from './lines.js';
import {
  base,
  datasets,
  EPOCHS,
  factors,
  IMAGES,
  isCompared,
  SEEDS,
  sweep,
  sweepRatios,
  type Way,
  wayName,
  ways,
} from './sweep.js';

/** Correlations of fewer networks, or of fewer settings, say nothing. */
const FEWEST_NETWORKS = 8;
const FEWEST_SETTINGS = 3;
const FEWEST_SEEDS = 3;
/** Networks are compared where they first had these: that of a loss of 0.5 has begun to learn shuffled labels, too. */
const LOSSES = [0.5, 0.1] as const;
const ACCURACY = 0.9;
/** A network that has learned next to nothing. */
const UNLEARNED = 0.5;

/** The question whether MS tells more than the training loss does. */
const MORE_THAN_LOSS = 'size of tau of MS less that of training loss, at the end';

const atLossTitle = (column: string, level: number) => `tau of ${column}, at loss ${level}`;
const MS_AT_LOSS = LOSSES.map((level) => atLossTitle('MS', level));

/** What measures are to tell: of each, more is worse. */
const targets: readonly { readonly title: string; readonly of: (look: Look) => number }[] = [
  { title: 'gap', of: gapOf },
  { title: 'test loss', of: ({ testLoss }) => Math.log(testLoss) },
  { title: 'test error', of: ({ testAccuracy }) => 1 - testAccuracy },
];
type Target = (typeof targets)[number];

const sharpness: Column = { title: 'MS', of: (look) => look.minimumSharpness };
const trace: Column = { title: 'trace', of: (look) => look.trace };
const loss: Column = { title: 'training loss', of: (look) => look.loss };
const eigenvalue: Column = { title: 'eigenvalue', of: (look) => look.eigenvalue1 };
const balancedEigenvalue: Column = { title: 'eigenvalue, balanced', of: (look) => look.balancedEigenvalue1 };

const last = ({ snapshots }: SweepRun) => snapshots.at(-1)!;
const hasEnded = (run: SweepRun) => last(run).epoch === EPOCHS;

/** A network in a correlation. */
interface Point {
  readonly measure: number;
  readonly target: number;
  readonly loss: number;
}
/** Networks of each setting. */
type Groups<T> = readonly (readonly T[])[];

const ends = (of: Column) => (runs: readonly SweepRun[], target: Target) =>
  runs
    .map(last)
    .map((look) => ({ measure: of.of(look) ?? Number.NaN, target: target.of(look), loss: look.loss }))
    .filter(({ measure }) => Number.isFinite(measure));
/** Those whose measure and loss have a logarithm. */
const endsWithLogs = (column: Column) => (runs: readonly SweepRun[], target: Target) =>
  ends(column)(runs, target).filter(({ measure, loss }) => measure > 0 && loss > 0);
const atTheLoss = (level: number, of: Column) => (runs: readonly SweepRun[], target: Target) =>
  atLoss(runs, level, of, target.of).map((found) => ({ ...found, loss: level }));
const atTheAccuracy = (level: number, of: Column) => (runs: readonly SweepRun[], target: Target) =>
  atAccuracy(runs, level, of, target.of).map((found) => ({ ...found, loss: Number.NaN }));

const of = (points: readonly Point[], name: keyof Point) => points.map((point) => point[name]);
const logs = (points: readonly Point[], name: keyof Point) => points.map((point) => Math.log(point[name]));
const tau = (points: readonly Point[]) => kendall(of(points, 'measure'), of(points, 'target'));
const tauOfLoss = (points: readonly Point[]) => kendall(of(points, 'loss'), of(points, 'target'));

/** A way of asking what a measure tells, of networks that vary in something. */
interface Question {
  readonly title: string;
  readonly points: (runs: readonly SweepRun[], target: Target) => readonly Point[];
  readonly compute: (points: readonly Point[]) => number;
  /** In the tables of every factor, and not only in the one that counts. */
  readonly shown?: boolean;
}

const question = (
  title: string,
  points: Question['points'],
  compute: Question['compute'],
  shown = false,
): Question => ({
  title,
  points,
  compute,
  shown,
});

const questions: readonly Question[] = [
  ...[sharpness, trace, loss].map((column) => question(`tau of ${column.title}, at the end`, ends(column), tau, true)),
  ...[eigenvalue, balancedEigenvalue].map((column) =>
    question(`tau of ${column.title}, at the end`, ends(column), tau),
  ),
  question(MORE_THAN_LOSS, ends(sharpness), (points) => Math.abs(tau(points)) - Math.abs(tauOfLoss(points))),
  ...[sharpness, trace].map((column) =>
    question(`r of log ${column.title}, at the end`, endsWithLogs(column), (points) =>
      pearson(logs(points, 'measure'), of(points, 'target')),
    ),
  ),
  ...[sharpness, trace].map((column) =>
    question(
      `partial r of log ${column.title}, at the end`,
      endsWithLogs(column),
      (points) => partial(logs(points, 'measure'), of(points, 'target'), logs(points, 'loss')),
      column === sharpness,
    ),
  ),
  ...LOSSES.flatMap((level) =>
    [sharpness, trace].map((column) =>
      question(atLossTitle(column.title, level), atTheLoss(level, column), tau, column === sharpness),
    ),
  ),
  ...[sharpness, trace].map((column) =>
    question(`tau of ${column.title}, at accuracy ${ACCURACY}`, atTheAccuracy(ACCURACY, column), tau),
  ),
];

/** An answer; undefined where too few networks have one. */
interface Answer {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly networks: number;
}

function answer(groups: Groups<SweepRun>, target: Target, { points, compute }: Question): Answer | undefined {
  const found = groups.map((runs) => points(runs, target)).filter(({ length }) => length > 0);
  const networks = found.flat().length;
  if (found.length < FEWEST_SETTINGS || networks < FEWEST_NETWORKS) {
    return undefined;
  }
  const value = compute(found.flat());
  const [low, high] = bootstrapOfGroups(found, compute);
  return Number.isNaN(value) ? undefined : { value, low, high, networks };
}

/** Networks of the same seeds of every setting of a factor. */
const groupsOf = (runs: readonly SweepRun[], varied: readonly Way[]): Groups<SweepRun> =>
  varied.map((way) => runs.filter((run) => run.seed <= SEEDS && wayName(run) === wayName(way)));

/** The networks of a data set with a share of their labels shuffled, which vary in a factor. */
interface Case {
  readonly dataset: string;
  readonly ratio: number;
  readonly factor: string;
  readonly groups: Groups<SweepRun>;
}

const ALL = 'all of them';

function cases({ sweep: runs }: Lines): Case[] {
  return datasets.flatMap((dataset) =>
    sweepRatios.flatMap((ratio) => {
      const there = runs.filter((run) => run.dataset === dataset && run.ratio === ratio && hasEnded(run));
      return Object.entries({ ...factors, [ALL]: ways }).map(([factor, varied]) => ({
        dataset,
        ratio,
        factor,
        groups: groupsOf(there, varied),
      }));
    }),
  );
}

const signed = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(2));
const withInterval = ({ value, low, high }: Answer) => `${signed(value)} (${signed(low)} to ${signed(high)})`;

/** How often each measure goes along with each target, and then the answers themselves. */
function answers(lines: Lines): string[] {
  const all = cases(lines);
  const found = targets.map((target) => ({
    ...target,
    rows: all.map((each) => ({
      ...each,
      answers: questions.map((asked) =>
        asked.shown || each.factor !== ALL ? answer(each.groups, target, asked) : undefined,
      ),
    })),
  }));
  if (found.every(({ rows }) => rows.every((row) => row.answers.every((each) => each === undefined)))) {
    return [`Fewer than ${FEWEST_NETWORKS} networks of every factor are there, which is too few for a correlation.`];
  }
  const counts = questions.map(({ title }, i) => ({
    title,
    cells: found.map(({ rows }) => {
      const told = rows.filter(({ factor }) => factor !== ALL).flatMap((row) => row.answers[i] ?? []);
      const above = told.filter(({ low }) => low > 0).length;
      const below = told.filter(({ high }) => high < 0).length;
      return { above, below, open: told.length - above - below };
    }),
  }));
  const counted = counts.map(({ title, cells }) => [
    title,
    ...cells.map(({ above, below, open }) => `${above} / ${below} / ${open}`),
  ]);
  const said = counts
    .find(({ title }) => title === MORE_THAN_LOSS)!
    .cells.map(({ above, below, open }, i) => {
      const of = above + below + open;
      return `with the ${targets[i]!.title} more closely in ${above} of ${of} cases and less closely in ${below}`;
    });
  const verdict =
    `Compared with the training loss at the end of training, MS goes along ${said.join('; ')}. In the others the interval of the ` +
    'difference holds 0. One of 20 such intervals lies beside 0 by chance.';
  const besides = found.flatMap(({ title, rows }) =>
    rows.flatMap((row) =>
      questions.flatMap((asked, i) => {
        const each = row.answers[i];
        return row.factor !== ALL && MS_AT_LOSS.includes(asked.title) && each && (each.low > 0 || each.high < 0)
          ? [
              `- ${row.dataset}, ${row.ratio} shuffled, ${row.factor}, with the ${title}: ${asked.title}: ${withInterval(each)}`,
            ]
          : [];
      }),
    ),
  );
  const atEqualLoss =
    besides.length === 0
      ? ['At equal loss, no interval of MS lies beside 0.']
      : ['At equal loss, the intervals of MS that lie beside 0:', '', ...besides];
  const shown = questions.flatMap((asked, i) => (asked.shown ? [i] : []));
  const tables = found.flatMap(({ title, rows }) => [
    '',
    `With the ${title}:`,
    '',
    ...table(
      ['', 'shuffled', 'varied', 'networks', ...shown.map((i) => questions[i]!.title)],
      rows
        .filter((row) => row.answers.some((each) => each !== undefined))
        .map((row) => {
          const networks = row.groups.flat().length;
          const cells = shown.map((i) => {
            const each = row.answers[i];
            return each ? withInterval(each) + (each.networks < networks ? `, ${each.networks}` : '') : '-';
          });
          return [row.dataset, `${row.ratio}`, row.factor, `${networks}`, ...cells];
        }),
    ),
  ]);
  const header = ['above 0 / below 0 / open', ...targets.map(({ title }) => title)];
  return [verdict, '', ...table(header, counted), '', ...atEqualLoss, ...tables];
}

/** How many networks there are, and what became of them. */
function networks({ sweep: runs }: Lines): string[] {
  const count = (is: (run: SweepRun) => boolean) => runs.filter(is).length;
  const diverged = count((run) => !hasEnded(run));
  const unlearned = count((run) => hasEnded(run) && last(run).accuracy < UNLEARNED);
  return [
    `${runs.length} of ${sweep().length} networks are in (${IMAGES} images, ${EPOCHS} epochs). ${diverged} of them diverged to weights that are no numbers; ` +
      `${unlearned} more ended with a training accuracy below ${100 * UNLEARNED}%, and count like all others.`,
  ];
}

/** The value of each factor's settings, for the page. */
function settings(): string[] {
  const strengths = factors.optimizer!.map(({ optimizer, rate, strength }) =>
    strength
      ? `${optimizer} with ${optimizer === 'penalty' ? 'lambda' : 'rho'} ${strength}`
      : `${optimizer} at ${rate}`,
  );
  const values = (factor: string, name: keyof Way) =>
    `${factor} ${[...new Set(factors[factor]!.map((way) => `${way[name]}`))].join(', ')}`;
  return [
    `Learning rate and batch size also together: rates ${[...new Set(factors['rate and batch']!.map(({ rate }) => rate))].join(', ')} with batches of ` +
      `${[...new Set(factors['rate and batch']!.map(({ batch }) => batch))].join(', ')}. By itself: ${values('learning rate', 'rate')}; ${values('batch size', 'batch')}; ` +
      `${values('width', 'width')} (units of the first hidden layer, the second has half of them); ${values('weight decay', 'decay')}; ` +
      `optimizer ${strengths.join(', ')}. Around ${base.optimizer} at ${base.rate}, batches of ${base.batch}, width ${base.width}, no weight decay.`,
  ];
}

/** Optimizers that look for flat minima against the base, where labels are shuffled: seeds are drawn anew for the intervals. */
function optimizers({ sweep: runs }: Lines): string[] {
  const shuffled = Math.max(...sweepRatios);
  const compared = factors.optimizer!.filter((way) => isCompared({ ...way, ratio: shuffled }));
  const rows = datasets.flatMap((dataset) => {
    const there = runs.filter((run) => run.dataset === dataset && run.ratio === shuffled && hasEnded(run));
    const ofWay = (way: Way) =>
      new Map(there.filter((run) => wayName(run) === wayName(way)).map((run) => [run.seed, last(run)]));
    const plain = ofWay(base);
    return compared.flatMap((way) => {
      const own = ofWay(way);
      const percent = [...own.values()].map(({ testAccuracy }) => 100 * testAccuracy);
      const more = [...own].flatMap(([seed, { testAccuracy }]) =>
        plain.has(seed) ? [100 * (testAccuracy - plain.get(seed)!.testAccuracy)] : [],
      );
      const interval = (values: readonly number[]) => {
        const [low, high] = bootstrap(values, mean);
        return `${mean(values).toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
      };
      const average = (of: (look: Look) => number) => digits(mean([...own.values()].map(of)));
      return own.size < FEWEST_SEEDS
        ? []
        : [
            [
              dataset,
              way.strength ? `${way.optimizer}, ${way.strength}` : way.optimizer,
              `${own.size}`,
              interval(percent),
              way === compared[0] ? '-' : interval(more),
              average((look) => look.loss),
              average((look) => look.minimumSharpness),
            ],
          ];
    });
  });
  const header = ['', 'optimizer', 'networks', 'test accuracy, %', 'more than momentum, points', 'training loss', 'MS'];
  return rows.length === 0 ? [`Fewer than ${FEWEST_SEEDS} seeds of each are there.`] : table(header, rows);
}

/** The generated parts of the page that come from the sweep, by name. */
export const sweepSections: Readonly<Record<string, (lines: Lines) => string[]>> = {
  sweep: networks,
  settings,
  answers,
  optimizers,
};
