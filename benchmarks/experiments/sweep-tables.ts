import { digits, fixed, table, withEnds } from '../report.js';
import { mean, median } from '../statistics.js';
import { BESIDE_BY_CHANCE, bootstrap, bootstrapOfGrid, kendall, partial, partialOfParabola } from './correlation.js';
import { FITTED } from './label-tables.js';
import { atAccuracy, atLoss, type Column, gapOf } from './levels.js';
import type { Lines, Look, SweepRun } from './lines.js';
import {
  base,
  datasets,
  EPOCHS,
  factors,
  IMAGES,
  isCompared,
  PAIRS,
  SEEDS,
  sweep,
  sweepRatios,
  type Way,
  wayName,
  ways,
} from './sweep.js';

/** Correlations of fewer networks, or of fewer settings, say nothing. */
const FEWEST_NETWORKS = 8;
const FEWEST_SETTINGS = 4;
const FEWEST_SEEDS = 5;
/** Networks are compared where they first had these: that of a loss of 0.5 has begun to learn shuffled labels, too. */
const LOSSES = [0.5, 0.1] as const;
const ACCURACY = 0.9;
/** A network that has learned next to nothing. */
const UNLEARNED = 0.5;

const AT_END = 'at the end';
const OF_LEARNED = `${AT_END}, without those that learned nothing`;
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
  /** What the measure is compared with. */
  readonly other: number;
}
/** Networks of each setting. */
type Groups<T> = readonly (readonly T[])[];

/** When training has ended. @param least the training accuracy of those that count. */
const ends =
  (of: Column, other: Column = loss, least = 0) =>
  (runs: readonly SweepRun[], target: Target): Point[] =>
    runs
      .map(last)
      .filter(({ accuracy }) => accuracy >= least)
      .map((look) => ({
        measure: of.of(look) ?? Number.NaN,
        target: target.of(look),
        loss: look.loss,
        other: other.of(look) ?? Number.NaN,
      }))
      .filter(({ measure }) => Number.isFinite(measure));
/** Those whose measure and loss have a logarithm. */
const endsWithLogs = (column: Column) => (runs: readonly SweepRun[], target: Target) =>
  ends(column)(runs, target).filter(({ measure, loss }) => measure > 0 && loss > 0);
const atTheLoss = (level: number, of: Column) => (runs: readonly SweepRun[], target: Target) =>
  atLoss(runs, level, of, target.of).map((found) => ({ ...found, loss: level, other: level }));
const atTheAccuracy = (level: number, of: Column) => (runs: readonly SweepRun[], target: Target) =>
  atAccuracy(runs, level, of, target.of).map((found) => ({ ...found, loss: Number.NaN, other: Number.NaN }));

const of = (points: readonly Point[], name: keyof Point) => points.map((point) => point[name]);
const logs = (points: readonly Point[], name: keyof Point) => points.map((point) => Math.log(point[name]));
const tau = (points: readonly Point[]) => kendall(of(points, 'measure'), of(points, 'target'));
const tauLessOther = (points: readonly Point[]) => tau(points) - kendall(of(points, 'other'), of(points, 'target'));
const atEqualLogLoss = (coefficient: typeof partial) => (points: readonly Point[]) =>
  coefficient(logs(points, 'measure'), of(points, 'target'), logs(points, 'loss'));

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
  ...[sharpness, trace, loss].map((column) => question(`tau of ${column.title}, ${AT_END}`, ends(column), tau, true)),
  ...[eigenvalue, balancedEigenvalue].map((column) => question(`tau of ${column.title}, ${AT_END}`, ends(column), tau)),
  ...(
    [
      [sharpness, loss],
      [trace, loss],
      [trace, sharpness],
    ] as const
  ).map(([column, other]) =>
    question(
      `tau of ${column.title} less that of ${other.title}, ${AT_END}`,
      ends(column, other),
      tauLessOther,
      column === sharpness,
    ),
  ),
  ...[sharpness, loss].map((column) =>
    question(`tau of ${column.title}, ${OF_LEARNED}`, ends(column, loss, UNLEARNED), tau, true),
  ),
  question(
    `tau of ${sharpness.title} less that of ${loss.title}, ${OF_LEARNED}`,
    ends(sharpness, loss, UNLEARNED),
    tauLessOther,
    true,
  ),
  ...[sharpness, trace].flatMap((column) => [
    question(
      `partial r of log ${column.title}, ${AT_END}`,
      endsWithLogs(column),
      atEqualLogLoss(partial),
      column === sharpness,
    ),
    question(
      `partial r of log ${column.title}, parabola, ${AT_END}`,
      endsWithLogs(column),
      atEqualLogLoss(partialOfParabola),
      column === sharpness,
    ),
  ]),
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
  const grid = groups
    .map((runs) =>
      seeds.map(
        (seed) =>
          points(
            runs.filter((run) => run.seed === seed),
            target,
          )[0],
      ),
    )
    .filter((row) => row.some((point) => point));
  const all = grid.flatMap((row) => row.flatMap((point) => point ?? []));
  if (grid.length < FEWEST_SETTINGS || all.length < FEWEST_NETWORKS) {
    return undefined;
  }
  const value = compute(all);
  const [low, high] = bootstrapOfGrid(grid, compute);
  return Number.isNaN(value) ? undefined : { value, low, high, networks: all.length };
}

const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

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

const withInterval = ({ value, low, high }: Answer, decimals?: number) => withEnds(value, [low, high], decimals);

/** All answers, by target and case: undefined where they were not asked for, or too few networks have one. */
function askedOf(lines: Lines) {
  const all = cases(lines);
  return targets.map((target) => ({
    ...target,
    rows: all.map((each) => ({
      ...each,
      answers: questions.map((asked) =>
        asked.shown || each.factor !== ALL ? answer(each.groups, target, asked) : undefined,
      ),
    })),
  }));
}
type Asked = ReturnType<typeof askedOf>;

/** Those of lines that were asked before: there are a thousand draws to each. */
const kept = new WeakMap<Lines, Asked>();
function askedOnce(lines: Lines): Asked {
  const found = kept.get(lines) ?? askedOf(lines);
  kept.set(lines, found);
  return found;
}

const above = (each: Answer | undefined) => each !== undefined && each.low > 0;
const below = (each: Answer | undefined) => each !== undefined && each.high < 0;
const isBeside = (each: Answer) => above(each) || below(each);
const isAnswered = (asked: Asked) =>
  asked.some(({ rows }) => rows.some(({ answers }) => answers.some((each) => each !== undefined)));
const tooFew = [
  `Fewer than ${FEWEST_NETWORKS} networks of every factor are there, which is too few for a correlation.`,
];

/** What chance alone puts beside 0. */
const byChance = (count: number) => `about ${(BESIDE_BY_CHANCE * count).toFixed(1)}`;

/** Intervals of MS at equal loss over the settings of a factor, how many there are, and a line of each that lies beside 0. */
function atEqualLoss(asked: Asked) {
  const looked = asked.flatMap(({ title, rows }) =>
    rows
      .filter(({ factor }) => factor !== ALL)
      .flatMap((row) =>
        questions.flatMap(({ title: question }, i) => {
          const each = row.answers[i];
          return MS_AT_LOSS.includes(question) && each ? [{ title, row, question, each }] : [];
        }),
      ),
  );
  const beside = looked.filter(({ each }) => isBeside(each));
  return {
    count:
      `${beside.length} of the ${looked.length} intervals of MS at equal loss lie beside 0; ${byChance(looked.length)} would by chance, ` +
      'and not independently of each other: the targets are those of the same networks, and "rate and batch" has settings of ' +
      '"learning rate" and "batch size".',
    beside: beside.map(
      ({ title, row, question, each }) =>
        `- ${row.dataset}, ${row.ratio} shuffled, ${row.factor}, with the ${title}: ${question}: ${withInterval(each, 3)}`,
    ),
  };
}

/** How often each measure goes along with each target over the settings of a factor. */
function counts(lines: Lines): string[] {
  const asked = askedOnce(lines);
  if (!isAnswered(asked)) {
    return tooFew;
  }
  const rows = questions.map(({ title }, i) => [
    title,
    ...asked.map((target) => {
      const told = target.rows.filter(({ factor }) => factor !== ALL).flatMap(({ answers }) => answers[i] ?? []);
      const [more, less] = [told.filter(above).length, told.filter(below).length];
      const width = told.length === 0 ? '' : `, ± ${fixed(median(told.map(({ low, high }) => (high - low) / 2)))}`;
      return `${more} / ${less} / ${told.length - more - less}${width}`;
    }),
  ]);
  const most = datasets.length * sweepRatios.length * Object.keys(factors).length;
  return [
    `Of ${most} intervals ${byChance(most)} would lie beside 0 by chance. ${atEqualLoss(asked).count}`,
    '',
    ...table(['above 0 / below 0 / open, ± median half width', ...targets.map(({ title }) => title)], rows),
  ];
}

/** A cell, with the number of networks where it is not that of the row. */
const cell = (each: Answer | undefined, networks: number) =>
  each ? withInterval(each) + (each.networks < networks ? `, ${each.networks}` : '') : '-';
const shownQuestions = questions.flatMap((asked, i) => (asked.shown ? [i] : []));
const shownTitles = shownQuestions.map((i) => questions[i]!.title);

const answerTo = ({ answers }: Asked[number]['rows'][number], title: string) =>
  answers[questions.findIndex((each) => each.title === title)];

const [msTitle, lossTitle, lessTitle] = ['tau of MS', 'tau of training loss', 'tau of MS less that of training loss'];

/** The figures of the answer: a column a target. */
function others(lines: Lines): string[] {
  const asked = askedOnce(lines);
  if (!isAnswered(asked)) {
    return tooFew;
  }
  const range = (title: string) =>
    asked.map(({ rows }) => {
      const values = rows.filter(({ factor }) => factor === ALL).flatMap((row) => answerTo(row, title)?.value ?? []);
      return `${fixed(Math.min(...values))} to ${fixed(Math.max(...values))}`;
    });
  const beside = (title: string) =>
    asked.map(({ rows }) => {
      const told = rows.flatMap((row) => answerTo(row, title) ?? []);
      const [more, less] = [told.filter(above).length, told.filter(below).length];
      return `${more} / ${less} / ${told.length - more - less}`;
    });
  // A larger tau is a closer one only where it is above 0 itself.
  const closer = (when: string) =>
    asked.map(({ rows }) => {
      const told = rows.filter((row) => answerTo(row, `${lessTitle}, ${when}`));
      const is = (sign: typeof above, title: string) =>
        told.filter((row) => sign(answerTo(row, `${lessTitle}, ${when}`)) && above(answerTo(row, `${title}, ${when}`)))
          .length;
      const [ms, loss] = [is(above, msTitle), is(below, lossTitle)];
      return `${ms} / ${loss} / ${told.length - ms - loss}`;
    });
  const networks = lines.sweep.filter((run) => run.seed <= SEEDS).length;
  return table(
    [`${networks} networks of ${ways.length} settings`, ...asked.map(({ title }) => `with the ${title}`)],
    [
      [`${msTitle}, ${AT_END}`, ...range(`${msTitle}, ${AT_END}`)],
      [`${lossTitle}, ${AT_END}`, ...range(`${lossTitle}, ${AT_END}`)],
      [`cases in which MS / the loss / neither is shown to do better, ${AT_END}`, ...closer(AT_END)],
      ['the same, without those that learned nothing', ...closer(OF_LEARNED)],
      [MS_AT_LOSS[0]!, ...range(MS_AT_LOSS[0]!)],
      ['cases in which it is above 0 / below 0 / open', ...beside(MS_AT_LOSS[0]!)],
    ],
  );
}

/** A page of all answers. */
export function sweepReport(lines: Lines): string[] {
  const asked = askedOnce(lines);
  const { beside } = atEqualLoss(asked);
  const tables = asked.flatMap(({ title, rows }) => [
    '',
    `## With the ${title}`,
    '',
    ...table(
      ['', 'shuffled', 'varied', 'networks', ...shownTitles],
      rows
        .filter((row) => row.answers.some((each) => each !== undefined))
        .map((row) => {
          const networks = row.groups.flat().length;
          const cells = shownQuestions.map((i) => cell(row.answers[i], networks));
          return [row.dataset, `${row.ratio}`, row.factor, `${networks}`, ...cells];
        }),
    ),
  ]);
  return [
    '# What sharpness tells: all answers',
    '',
    ...networks(lines),
    '',
    'What was asked, and what the answers mean, is in docs/what-sharpness-tells.md. In brackets 95% intervals, by drawing settings anew',
    `and seeds, the same of each setting; of 4 to 8 settings about ${100 * BESIDE_BY_CHANCE}% of them miss the true value, since these draws are careful.`,
    'All have the same images, to train on and to test: what others would do is not in the intervals. Behind an interval the number of',
    `networks where not all of a row count. "-" is where fewer than ${FEWEST_SETTINGS} settings or ${FEWEST_NETWORKS} networks have an answer.`,
    '',
    '## What was varied',
    '',
    ...settings(),
    '',
    '## How often beside 0',
    '',
    'Over the data sets, with and without shuffled labels, and over the six factors that were varied. The largest eigenvalues are estimates from',
    `${PAIRS} drawn pairs, whose error makes tau smaller.`,
    '',
    ...counts(lines),
    '',
    'At equal loss these lie beside 0:',
    ...(beside.length === 0 ? [] : ['', ...beside]),
    ...tables,
  ];
}

/** How many networks there are, and what became of them. */
function networks({ sweep: runs }: Lines): string[] {
  const count = (is: (run: SweepRun) => boolean) => runs.filter(is).length;
  const more = count(({ seed }) => seed > SEEDS);
  const diverged = count((run) => !hasEnded(run));
  const unlearned = count((run) => hasEnded(run) && last(run).accuracy < UNLEARNED);
  const fitted = datasets.flatMap((dataset) =>
    sweepRatios.map((ratio) => {
      const there = runs.filter((run) => run.dataset === dataset && run.ratio === ratio && run.seed <= SEEDS);
      const learned = there.filter((run) => hasEnded(run) && last(run).accuracy >= FITTED);
      return `${learned.length} of ${there.length} (${dataset}, ${ratio} shuffled)`;
    }),
  );
  return [
    `${runs.length} of ${sweep().length} networks are in (${IMAGES} images, ${EPOCHS} epochs), ${more} of them by more seeds of optimizers. ` +
      `${diverged === 0 ? 'None' : diverged} diverged to weights that are no numbers; ${unlearned} learned next to nothing (a training accuracy ` +
      `below ${100 * UNLEARNED}%), and count all the same where nothing else is said. Those that have learned ${100 * FITTED}% of their labels or more: ${fitted.join(', ')}.`,
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
  const ofWay = (dataset: string, way: Way) => {
    const found = runs.filter((run) => run.dataset === dataset && run.ratio === shuffled && hasEnded(run));
    return new Map(found.filter((run) => wayName(run) === wayName(way)).map((run) => [run.seed, last(run)]));
  };
  const interval = (values: readonly number[]) =>
    values.length < FEWEST_SEEDS ? '-' : withEnds(mean(values), bootstrap(values, mean), 1);
  const cells = (dataset: string, way: Way) => {
    const [own, plain] = [ofWay(dataset, way), ofWay(dataset, base)];
    const more = [...own].flatMap(([seed, { testAccuracy }]) =>
      plain.has(seed) ? [100 * (testAccuracy - plain.get(seed)!.testAccuracy)] : [],
    );
    const looks = [...own.values()];
    const average = (of: (look: Look) => number) => (looks.length === 0 ? '-' : digits(mean(looks.map(of))));
    return [
      `${own.size}`,
      interval(looks.map(({ testAccuracy }) => 100 * testAccuracy)),
      way === compared[0] ? '-' : interval(more),
      average((look) => look.loss),
      average((look) => look.minimumSharpness),
    ];
  };
  const there = compared.filter((way) => datasets.some((dataset) => ofWay(dataset, way).size > 0));
  const rows = there.map((way) => [
    way.strength ? `${way.optimizer}, ${way.strength}` : way.optimizer,
    ...datasets.flatMap((dataset) => cells(dataset, way)),
  ]);
  const header = datasets.flatMap((dataset) => [
    `${dataset}: networks`,
    'test accuracy, %',
    'more than momentum, points',
    'training loss',
    'MS',
  ]);
  return rows.length === 0 ? ['None of them are there.'] : table(['optimizer', ...header], rows);
}

/** The generated parts of the page that come from the sweep, by name. */
export const sweepSections: Readonly<Record<string, (lines: Lines) => string[]>> = {
  sweep: networks,
  others,
  optimizers,
};
