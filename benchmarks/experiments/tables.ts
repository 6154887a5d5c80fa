import { digits, table } from '../report.js';
import { mean, median, variance } from '../statistics.js';
import { bootstrap, type Coefficient, kendall, partial, partialOfParabola, pearson } from './correlation.js';
import { protocols, ratios, seeds } from './grid.js';
import { type AtLevel, atAccuracy, atLoss, type Column, gapOf } from './levels.js';
import type { Lines, Look, Run } from './lines.js';
import { NOISE } from './measures.js';
import { architectures } from './networks.js';
import { signed, sweepInShort, sweepSections } from './sweep-tables.js';

/** Losses and accuracies that networks are compared at. */
export const LOSSES = [1, 0.3, 0.1, 0.03, 0.01] as const;
const ACCURACIES = [0.5, 0.8, 0.95] as const;
/** Correlations of fewer networks say nothing. */
const FEWEST = 8;
/** A network that has learned its labels. */
const FITTED = 0.99;

const own: readonly Column[] = [
  { title: 'Minimum Sharpness', of: (look) => look.minimumSharpness },
  { title: 'trace of the Hessian', of: (look) => look.trace },
  { title: 'training loss', of: (look) => look.loss },
];

const titles: Readonly<Record<string, string>> = {
  eigenvalue1: 'largest eigenvalue',
  balancedEigenvalue1: 'largest eigenvalue, balanced',
  farNoise: 'rise of the loss under noise, balanced',
  adaptive: 'adaptive sharpness',
  normalized: 'normalized sharpness',
  frobenius: 'Frobenius norm',
  path: 'path norm',
};
/** What is measured for other tables, or is an error. */
const isAside = (name: string) => /Error$|igenvalue[2-9]|LossRise$/.test(name);

/** All that correlates: what stands in the lines of trainings, and then whatever was measured besides, by its name. */
function columnsOf(runs: readonly Run[]): Column[] {
  const ownNames = ['epoch', 'loss', 'accuracy', 'testLoss', 'testAccuracy', 'minimumSharpness', 'trace'];
  const measured = new Set(runs.flatMap(({ snapshots }) => snapshots.flatMap((look) => Object.keys(look))));
  return [
    ...own,
    ...[...measured]
      .filter((name) => !ownNames.includes(name) && !isAside(name))
      .map((name) => ({ title: titles[name] ?? name, of: (look: Look) => look[name] })),
  ];
}

const last = ({ snapshots }: Run) => snapshots.at(-1)!;

const withInterval = <T>(things: readonly T[], compute: (of: readonly T[]) => number) => {
  const [low, high] = bootstrap(things, compute);
  return `${signed(compute(things))} (${signed(low)} to ${signed(high)})`;
};

/** Mean, and its standard error where there are several. */
const meanAndError = (values: readonly number[]) =>
  values.length < 2
    ? digits(mean(values))
    : `${digits(mean(values))} ± ${digits(Math.sqrt(variance(values) / values.length))}`;

/** How many networks there are of those that the grid has. */
function count({ runs }: Lines): string[] {
  const parts = architectures.map((architecture) => {
    const there = runs.filter((run) => run.architecture === architecture);
    const { images, batch, epochs } = protocols[architecture];
    const fitted = there.filter((run) => last(run).accuracy >= FITTED);
    return (
      `${there.length} of ${ratios.length * seeds[architecture]} ${architecture}s are in (${images} images, batches of ${batch}, ` +
      `${epochs} epochs); ${fitted.length} of them have learned ${100 * FITTED}% of their labels or more.`
    );
  });
  return parts;
}

/** What became of the networks of each ratio. */
function networks({ runs }: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    [...ratios]
      .sort((a, b) => a - b)
      .flatMap((ratio) => {
        const of = runs.filter((run) => run.architecture === architecture && run.ratio === ratio).map(last);
        const cells = [
          (look: Look) => look.loss,
          (look: Look) => 100 * look.accuracy,
          (look: Look) => 100 * look.testAccuracy,
          (look: Look) => 100 * gapOf(look),
          (look: Look) => look.minimumSharpness,
          (look: Look) => look.trace,
        ].map((value) => meanAndError(of.map(value)));
        return of.length === 0 ? [] : [[architecture, `${ratio}`, `${of.length}`, ...cells]];
      }),
  );
  return table(
    ['', 'shuffled', 'networks', 'training loss', 'training accuracy, %', 'test accuracy, %', 'gap, %', 'MS', 'trace'],
    rows,
  );
}

/** The networks of an architecture that have a measure when training has ended. */
const endsOf = ({ runs }: Lines, architecture: string, column: Column) =>
  runs
    .filter((run) => run.architecture === architecture)
    .map(last)
    .filter((look) => Number.isFinite(column.of(look)));

/** Of a measure with the gap. */
const withGap = (looks: readonly Look[], column: Column, coefficient: Coefficient) =>
  coefficient(
    looks.map((look) => column.of(look)!),
    looks.map(gapOf),
  );

/** The same of logarithms, in which measure and loss go together in straighter lines, without what goes along with the loss. */
function atFixedLoss(looks: readonly Look[], column: Column, coefficient: typeof partial): string {
  const positive = looks.filter((look) => column.of(look)! > 0 && look.loss > 0);
  return column.title === 'training loss' || positive.length < FEWEST
    ? '-'
    : withInterval(positive, (of) =>
        coefficient(
          of.map((look) => Math.log(column.of(look)!)),
          of.map(gapOf),
          of.map(({ loss }) => Math.log(loss)),
        ),
      );
}

/** How each measure goes along with the gap when training has ended. */
function gap(lines: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    columnsOf(lines.runs).flatMap((column) => {
      const looks = endsOf(lines, architecture, column);
      const isLoss = column.title === 'training loss';
      return looks.length < FEWEST
        ? []
        : [
            [
              architecture,
              column.title,
              `${looks.length}`,
              withInterval(looks, (of) => withGap(of, column, kendall)),
              isLoss ? '-' : withInterval(looks, (of) => withGap(of, column, kendall) - withGap(of, own[2]!, kendall)),
              withInterval(looks, (of) => withGap(of, column, pearson)),
              atFixedLoss(looks, column, partial),
              atFixedLoss(looks, column, partialOfParabola),
            ],
          ];
    }),
  );
  const header = [
    '',
    'measure',
    'networks',
    "Kendall's tau",
    'less that of training loss',
    "Pearson's r",
    'r of logs, partial',
    'the same, parabola',
  ];
  return rows.length === 0 ? tooFew : table(header, rows);
}

const tooFew = [`Fewer than ${FEWEST} networks are there, which is too few for a correlation.`];

/** Kendall's tau of each measure with the gap at levels of something: a column a level. */
function atLevels(
  { runs }: Lines,
  levels: readonly number[],
  name: (level: number) => string,
  at: (runs: readonly Run[], level: number, column: Column) => AtLevel<Run>[],
): string[] {
  const rows = architectures.flatMap((architecture) =>
    columnsOf(runs)
      .filter(({ title }) => title !== 'training loss')
      .flatMap((column) => {
        const cells = levels.map((level) => {
          const found = at(
            runs.filter((run) => run.architecture === architecture),
            level,
            column,
          );
          const tau = (of: readonly AtLevel<Run>[]) =>
            kendall(
              of.map(({ measure }) => measure),
              of.map(({ target }) => target),
            );
          return found.length < FEWEST ? '' : `${withInterval(found, tau)}, ${found.length}`;
        });
        return cells.every((cell) => cell === '')
          ? []
          : [[architecture, column.title, ...cells.map((cell) => cell || '-')]];
      }),
  );
  return rows.length === 0 ? tooFew : table(['', 'measure', ...levels.map(name)], rows);
}

/** How much larger the tau of a measure with the gap is than that of MS. */
const lessThatOfMs = (looks: readonly Look[], column: Column) =>
  withInterval(looks, (of) => withGap(of, column, kendall) - withGap(of, own[0]!, kendall));

/** Earlier measures that rescaling leaves as they are. */
function rivals(lines: Lines, architecture: string): string {
  const told = columnsOf(lines.runs)
    .filter(({ title }) => ['normalized sharpness', 'path norm'].includes(title))
    .map((column) => ({ column, looks: endsOf(lines, architecture, column) }))
    .filter(({ looks }) => looks.length >= FEWEST)
    .map(
      ({ column, looks }) =>
        `${column.title} ${withInterval(looks, (of) => withGap(of, column, kendall))}, less MS ${lessThatOfMs(looks, column)}`,
    );
  return told.length === 0 ? '' : ` Tau of the ${told.join('; of the ')}.`;
}

/** The figures of the answer at the top of the page. */
function short(lines: Lines): string[] {
  const [ms, trace, loss] = own as [Column, Column, Column];
  const ofLabels = architectures.flatMap((architecture) => {
    const looks = endsOf(lines, architecture, ms);
    const tau = (column: Column) => withInterval(looks, (of) => withGap(of, column, kendall));
    const levels = LOSSES.map((level) =>
      atLoss(
        lines.runs.filter((run) => run.architecture === architecture),
        level,
        ms,
      ),
    )
      .filter(({ length }) => length >= FEWEST)
      .map((found) =>
        kendall(
          found.map(({ measure }) => measure),
          found.map(({ target }) => target),
        ),
      );
    const levelled =
      levels.length === 0
        ? ''
        : ` At equal loss tau of MS is ${signed(Math.min(...levels))} to ${signed(Math.max(...levels))}.`;
    return looks.length < FEWEST
      ? []
      : [
          `- ${looks.length} ${architecture}s with more and fewer shuffled labels, at the end, with the gap: tau of MS ${tau(ms)}, of the ` +
            `trace ${tau(trace)}, of the training loss ${tau(loss)}; trace less MS ` +
            `${lessThatOfMs(looks, trace)}.${rivals(lines, architecture)} Partial r of log MS, without what ` +
            `goes along with the log loss in a straight line, ${atFixedLoss(looks, ms, partial)}, or in a parabola, ` +
            `${atFixedLoss(looks, ms, partialOfParabola)}.${levelled}`,
        ];
  });
  const found = [...ofLabels, ...sweepInShort(lines)];
  return found.length === 0 ? tooFew : found;
}

/** MS where the runs of each ratio had a loss. */
function runsAtLoss({ runs }: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    [...ratios]
      .sort((a, b) => a - b)
      .flatMap((ratio) => {
        const of = runs.filter((run) => run.architecture === architecture && run.ratio === ratio);
        const cells = LOSSES.map((loss) => {
          const found = atLoss(of, loss, own[0]!);
          return found.length === 0 ? '-' : meanAndError(found.map(({ measure }) => measure));
        });
        return of.length === 0 ? [] : [[architecture, `${ratio}`, ...cells]];
      }),
  );
  return table(['', 'shuffled', ...LOSSES.map((loss) => `MS at loss ${loss}`)], rows);
}

/** How far the loss rises under noise against what MS says, over all snapshots but the first. */
function noise({ runs }: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    [false, true].flatMap((atTheEnd) => {
      const looks = runs
        .filter((run) => run.architecture === architecture)
        .flatMap(({ snapshots }) => (atTheEnd ? snapshots.slice(-1) : snapshots.slice(1, -1)))
        .filter((look) => look.nearLossRise !== undefined);
      const cells = ['nearLossRise', 'farLossRise'].map((name) => {
        const values = looks.map((look) => look[name]!);
        return `${digits(median(values))} (${digits(Math.min(...values))} to ${digits(Math.max(...values))})`;
      });
      return looks.length === 0
        ? []
        : [[architecture, atTheEnd ? 'at the end' : 'on the way', `${looks.length}`, ...cells]];
    }),
  );
  const header = ['', '', 'snapshots', ...Object.values(NOISE).map((deviation) => `noise of ${deviation}`)];
  return rows.length === 0 ? ['Not measured yet.'] : table(header, rows);
}

/** Processor time of one thread. */
function cost({ costs }: Lines): string[] {
  if (costs.length === 0) {
    return ['Not measured yet.'];
  }
  const titlesOfWays = [...new Set(costs.map(({ way }) => way))];
  const settings = [...new Set(costs.map(({ network, images }) => `${network}, ${images}`))];
  const seconds = (ms: number) => (ms < 1000 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`);
  const rows = settings.map((setting) => {
    const of = costs.filter(({ network, images }) => `${network}, ${images}` === setting);
    const whole = (way: string) => {
      const line = of.find((each) => each.way === way);
      return line && { ms: (median(line.cpuMs) * line.weights) / line.done, isWhole: line.done === line.weights };
    };
    const base = whole(titlesOfWays[0]!);
    return [
      setting,
      ...titlesOfWays.map((way) => {
        const found = whole(way);
        return found
          ? `${found.isWhole ? '' : '≈ '}${seconds(found.ms)}${base && found !== base && way !== titlesOfWays[0] ? ` (${digits(found.ms / base.ms)} x)` : ''}`
          : '-';
      }),
    ];
  });
  const loads = costs.map(({ load }) => Number(load));
  return [
    ...table(['network, images', ...titlesOfWays], rows),
    '',
    `Processor time of one reading, user and system, with one thread; in brackets how many times ours. "≈" from ${Math.min(...costs.map(({ done }) => done))} of the weights, evenly spread. ` +
      `${costs[0]!.machine} Load average ${Math.min(...loads)} to ${Math.max(...loads)}: other programs ran on the cores, which makes all of it somewhat slower.`,
  ];
}

/** The generated parts of the page, by name. */
export const sections: Readonly<Record<string, (lines: Lines) => string[]>> = {
  short,
  count,
  networks,
  gap,
  loss: (lines) => atLevels(lines, LOSSES, (loss) => `tau at loss ${loss}`, atLoss),
  accuracy: (lines) => atLevels(lines, ACCURACIES, (level) => `tau at accuracy ${level}`, atAccuracy),
  runs: runsAtLoss,
  noise,
  cost,
  ...sweepSections,
};
