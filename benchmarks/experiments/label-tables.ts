import { digits, fixed, table, withEnds } from '../report.js';
import { mean, median, variance } from '../statistics.js';
import {
  bootstrap,
  bootstrapWithin,
  type Coefficient,
  kendall,
  kendallWithin,
  partial,
  partialOfParabola,
  pearson,
} from './correlation.js';
import { protocols, ratios, seeds } from './grid.js';
import { type AtLevel, atAccuracy, atLoss, type Column, epochsToLoss, gapOf } from './levels.js';
import type { Lines, Look, Run } from './lines.js';
import { NOISE } from './measures.js';
import { type Architecture, architectures } from './networks.js';

/** Losses and accuracies that networks are compared at. */
export const LOSSES = [1, 0.3, 0.1, 0.03, 0.01] as const;
const ACCURACIES = [0.5, 0.8, 0.95] as const;
/** Correlations of fewer networks say nothing. */
const FEWEST = 8;
/** A network that has learned its labels. */
export const FITTED = 0.99;

const sharpness: Column = { title: 'Minimum Sharpness', of: (look) => look.minimumSharpness };
const trace: Column = { title: 'trace of the Hessian', of: (look) => look.trace };
const loss: Column = { title: 'training loss', of: (look) => look.loss };
const own: readonly Column[] = [sharpness, trace, loss];

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
const ofArchitecture = ({ runs }: Lines, architecture: Architecture) =>
  runs.filter((run) => run.architecture === architecture);
const ofRatio = (lines: Lines, architecture: Architecture, ratio: number) =>
  ofArchitecture(lines, architecture).filter((run) => run.ratio === ratio);
const risingRatios = [...ratios].sort((a, b) => a - b);

/** '-' where there are too few. */
const withInterval = <T>(things: readonly T[], compute: (of: readonly T[]) => number) =>
  things.length < FEWEST ? '-' : withEnds(compute(things), bootstrap(things, compute));

/** Mean, and its standard error where there are several. */
const meanAndError = (values: readonly number[]) =>
  values.length < 2
    ? digits(mean(values))
    : `${digits(mean(values))} ± ${digits(Math.sqrt(variance(values) / values.length))}`;

const tooFew = [`Fewer than ${FEWEST} networks are there, which is too few for a correlation.`];

/** How many networks there are of those that the grid has. */
function count(lines: Lines): string[] {
  return architectures.map((architecture) => {
    const there = ofArchitecture(lines, architecture);
    const { images, batch, epochs } = protocols[architecture];
    const fitted = there.filter((run) => last(run).accuracy >= FITTED);
    return (
      `${there.length} of ${ratios.length * seeds[architecture]} ${architecture}s are in (${images} images, batches of ${batch}, ` +
      `${epochs} epochs); ${fitted.length} of them have learned ${100 * FITTED}% of their labels or more.`
    );
  });
}

/** What became of the networks of each ratio. */
function networks(lines: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    risingRatios.flatMap((ratio) => {
      const of = ofRatio(lines, architecture, ratio).map(last);
      const cells = [
        (look: Look) => look.loss,
        (look: Look) => 100 * look.accuracy,
        (look: Look) => 100 * look.testAccuracy,
        (look: Look) => 100 * gapOf(look),
        sharpness.of,
        trace.of,
      ].map((value) => meanAndError(of.map((look) => value(look)!)));
      return of.length === 0 ? [] : [[architecture, `${ratio}`, `${of.length}`, ...cells]];
    }),
  );
  return table(
    ['', 'shuffled', 'networks', 'training loss', 'training accuracy, %', 'test accuracy, %', 'gap, %', 'MS', 'trace'],
    rows,
  );
}

/** The networks of an architecture that have a measure when training has ended. */
const endsOf = (lines: Lines, architecture: Architecture, { of }: Column) =>
  ofArchitecture(lines, architecture).filter((run) => Number.isFinite(of(last(run))));

const valuesOf = (runs: readonly Run[], { of }: Column) => runs.map((run) => of(last(run))!);
const gapsOf = (runs: readonly Run[]) => runs.map((run) => gapOf(last(run)));

/** Of a measure with the gap, when training has ended. */
const withGap = (column: Column, coefficient: Coefficient) => (runs: readonly Run[]) =>
  coefficient(valuesOf(runs, column), gapsOf(runs));

/** How much larger the tau of a measure with the gap is than that of another. */
const tauLess = (column: Column, other: Column) => (runs: readonly Run[]) =>
  withGap(column, kendall)(runs) - withGap(other, kendall)(runs);

/** The tau among networks with equally many shuffled labels. */
function ofEqualLabels(runs: readonly Run[], column: Column): string {
  const ratioOf = ({ ratio }: Run) => ratio;
  const compute = (of: readonly Run[]) => kendallWithin(valuesOf(of, column), gapsOf(of), of.map(ratioOf));
  return runs.length < FEWEST ? '-' : withEnds(compute(runs), bootstrapWithin(runs, ratioOf, compute));
}

/** Of logarithms, in which measure and loss go together in straighter lines, without what goes along with the loss. */
function atFixedLoss(runs: readonly Run[], column: Column, coefficient: typeof partial): string {
  const logs = (of: readonly Run[], each: Column) => valuesOf(of, each).map(Math.log);
  const positive = runs.filter((run) => column.of(last(run))! > 0 && last(run).loss > 0);
  return column.title === loss.title
    ? '-'
    : withInterval(positive, (of) => coefficient(logs(of, column), gapsOf(of), logs(of, loss)));
}

/** How each measure goes along with the gap when training has ended. */
function gap(lines: Lines): string[] {
  const cells = (column: Column) =>
    architectures.flatMap((architecture) => {
      const runs = endsOf(lines, architecture, column);
      const less = column.title === loss.title ? '-' : withInterval(runs, tauLess(column, loss));
      return [withInterval(runs, withGap(column, kendall)), less, ofEqualLabels(runs, column)];
    });
  const rows = columnsOf(lines.runs).map((column) => [column.title, ...cells(column)]);
  const header = architectures.flatMap((architecture) => [
    `${architecture}s: tau`,
    'less tau of training loss',
    'tau among equally many shuffled',
  ]);
  return rows.every(([, ...of]) => of.every((cell) => cell === '-')) ? tooFew : table(['measure', ...header], rows);
}

/** The same against MS, and by other coefficients. */
function coefficients(lines: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    columnsOf(lines.runs).flatMap((column) => {
      const runs = endsOf(lines, architecture, column);
      const wrong = runs.filter(({ ratio }) => ratio > 0);
      const cells = [
        withInterval(runs, withGap(column, kendall)),
        column.title === sharpness.title ? '-' : withInterval(runs, tauLess(column, sharpness)),
        withInterval(runs, withGap(column, pearson)),
        atFixedLoss(runs, column, partial),
        atFixedLoss(runs, column, partialOfParabola),
        atFixedLoss(wrong, column, partial),
        atFixedLoss(wrong, column, partialOfParabola),
      ];
      return runs.length < FEWEST ? [] : [[architecture, column.title, `${runs.length}`, ...cells]];
    }),
  );
  const header = [
    '',
    'measure',
    'networks',
    "Kendall's tau",
    'less that of MS',
    "Pearson's r",
    'r of logs, partial',
    'the same, parabola',
    'partial, shuffled only',
    'parabola, shuffled only',
  ];
  return rows.length === 0 ? tooFew : table(header, rows);
}

/** What is asked of networks at the moment when each first had a level. */
interface AtLevels {
  readonly title: string;
  readonly found: (runs: readonly Run[], level: number) => readonly AtLevel<Run>[];
  readonly compute: (found: readonly AtLevel<Run>[], level: number) => number;
}

const measuresOf = (found: readonly AtLevel<Run>[]) => found.map(({ measure }) => measure);
const targetsOf = (found: readonly AtLevel<Run>[]) => found.map(({ target }) => target);
const epochsOf = (found: readonly AtLevel<Run>[], level: number) => found.map(({ run }) => epochsToLoss(run, level));

const measured = (column: Column, at: typeof atLoss<Run>): AtLevels => ({
  title: column.title,
  found: (runs, level) => at(runs, level, column),
  compute: (found) => kendall(measuresOf(found), targetsOf(found)),
});

/** The time that it took to come to a loss, which nothing has to be measured for. */
const epochs: AtLevels = {
  title: 'epochs it took',
  found: (runs, level) => atLoss(runs, level, sharpness),
  compute: (found, level) => kendall(epochsOf(found, level), targetsOf(found)),
};

/** Pearson's r of log MS and gap, without what goes in a straight line with the log of the epochs. */
const atEqualTime: AtLevels = {
  ...epochs,
  title: "Pearson's r of log MS, epochs taken out",
  compute: (found, level) =>
    partial(measuresOf(found).map(Math.log), targetsOf(found), epochsOf(found, level).map(Math.log)),
};

/** A row for each kind of network and question, a column a level. */
function atLevels(
  lines: Lines,
  levels: readonly number[],
  name: (level: number) => string,
  asked: readonly AtLevels[],
): string[] {
  const rows = architectures.flatMap((architecture) => {
    const runs = ofArchitecture(lines, architecture);
    return asked.flatMap(({ title, found, compute }) => {
      const cells = levels.map((level) => {
        const there = found(runs, level);
        const cell = withInterval(there, (of) => compute(of, level));
        return cell === '-' || there.length === runs.length ? cell : `${cell}, ${there.length}`;
      });
      return cells.every((cell) => cell === '-') ? [] : [[architecture, title, ...cells]];
    });
  });
  const isOfAll = rows.every(([, , ...cells]) => cells.every((cell) => !cell.includes(',')));
  const fewer =
    'Behind an interval stands the number of networks where the measure was not taken of all, or not all came so far.';
  return rows.length === 0
    ? tooFew
    : [...table(['', 'measure', ...levels.map(name)], rows), ...(isOfAll ? [] : ['', fewer])];
}

const lossTitle = (level: number) => `at loss ${level}`;
const atLosses = (lines: Lines, asked: readonly AtLevels[]) => atLevels(lines, LOSSES, lossTitle, asked);
const others = (lines: Lines) => columnsOf(lines.runs).filter(({ title }) => title !== loss.title);

/** The figures of the answer at the top of the page. */
function short(lines: Lines): string[] {
  const found = columnsOf(lines.runs);
  const there = architectures.filter((architecture) => ofArchitecture(lines, architecture).length >= FEWEST);
  const row = (title: string, cell: (runs: readonly Run[], architecture: Architecture) => string) => [
    title,
    ...there.map((architecture) => cell(ofArchitecture(lines, architecture), architecture)),
  ];
  const ofMeasure = (title: string, name: string) =>
    found
      .filter((column) => column.title === title)
      .map((column) =>
        row(name, (_, architecture) => withInterval(endsOf(lines, architecture, column), withGap(column, kendall))),
      );
  const range = ({ found: at, compute }: AtLevels) => {
    return (runs: readonly Run[]) => {
      const values = LOSSES.flatMap((level) => {
        const there = at(runs, level);
        return there.length < FEWEST ? [] : compute(there, level);
      });
      return values.length === 0 ? '-' : `${fixed(Math.min(...values))} to ${fixed(Math.max(...values))}`;
    };
  };
  const levels = `of ${LOSSES[0]} to ${LOSSES.at(-1)}`;
  const rows = [
    ...ofMeasure(sharpness.title, 'MS, when training has ended'),
    ...ofMeasure(loss.title, 'training loss'),
    row('MS less training loss', (runs) => withInterval(runs, tauLess(sharpness, loss))),
    ...ofMeasure(trace.title, 'trace, not balanced'),
    ...ofMeasure('normalized sharpness', 'normalized sharpness'),
    ...ofMeasure('path norm', 'path norm'),
    row('MS, among networks with equally many shuffled labels', (runs) => ofEqualLabels(runs, sharpness)),
    row(`MS at equal loss, ${levels}`, range(measured(sharpness, atLoss))),
    row('epochs it took to that loss', range(epochs)),
  ];
  const header = there.map((architecture) => `${ofArchitecture(lines, architecture).length} ${architecture}s`);
  return there.length === 0 ? tooFew : table(["Kendall's tau with the gap (95% interval)", ...header], rows);
}

/** MS where the runs of each ratio had a loss. */
function runsAtLoss(lines: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    risingRatios.flatMap((ratio) => {
      const of = ofRatio(lines, architecture, ratio);
      const cells = LOSSES.map((level) => {
        const found = atLoss(of, level, sharpness);
        return found.length === 0 ? '-' : meanAndError(measuresOf(found));
      });
      return of.length === 0 ? [] : [[architecture, `${ratio}`, ...cells]];
    }),
  );
  return table(['', 'shuffled', ...LOSSES.map((level) => `MS at loss ${level}`)], rows);
}

/** How far the loss rises under noise against what MS says, over all snapshots but the first. */
function noise(lines: Lines): string[] {
  const rows = architectures.flatMap((architecture) =>
    [false, true].flatMap((atTheEnd) => {
      const looks = ofArchitecture(lines, architecture)
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

/** The generated parts of the page that come from the networks with shuffled labels, by name. */
export const labelSections: Readonly<Record<string, (lines: Lines) => string[]>> = {
  short,
  count,
  gap,
  loss: (lines) => atLosses(lines, [measured(sharpness, atLoss), measured(trace, atLoss), epochs, atEqualTime]),
};

/** A page of all that is known of the networks with shuffled labels. */
export function labelsReport(lines: Lines): string[] {
  const measures = (at: typeof atLoss<Run>) => others(lines).map((column) => measured(column, at));
  return [
    '# Shuffled labels: all answers',
    '',
    ...count(lines),
    'What was asked, and what the answers mean, is in docs/what-sharpness-tells.md. In brackets 95% intervals, by drawing networks anew, as',
    'if they were independent of each other: they have the same images, to train on and to test, and what others would do is not in the',
    'intervals. Draws without a value are passed over.',
    '',
    '## The networks',
    '',
    'When training has ended: means over the networks of a ratio, with one standard error where there are several.',
    '',
    ...networks(lines),
    '',
    '![Training loss, test accuracy and Minimum Sharpness over the epochs, a line a network](../experiments/results/curves.svg)',
    '',
    '## At the end of training, with the gap',
    '',
    '"Partial" is Pearson\'s r of the logarithm of the measure with the gap, after what goes in a straight line with the logarithm of the',
    'training loss is taken out of both: 0 of a measure that is the loss and noise. Where they go together in a curve, some of that is left',
    'and says nothing, so that a parabola is taken out, too. The networks with right labels lie far from the others, and can bend the line by',
    'themselves: "shuffled only" is without them.',
    '',
    ...coefficients(lines),
    '',
    '## At equal training loss, with the gap at that moment',
    '',
    "Kendall's tau, of each network at the moment when it first had the loss; in the last row of each kind of network Pearson's r of log MS and gap,",
    'without what goes in a straight line with the log of the epochs that it took.',
    '',
    ...atLosses(lines, [...measures(atLoss), epochs, atEqualTime]),
    '',
    '![Minimum Sharpness against training loss along each training; dashed: the losses of the table](../experiments/results/sharpness-over-loss.svg)',
    '',
    'MS at these losses:',
    '',
    ...runsAtLoss(lines),
    '',
    '## At equal training accuracy, with the gap at that moment',
    '',
    ...atLevels(lines, ACCURACIES, (level) => `at accuracy ${level}`, measures(atAccuracy)),
    '',
    '## Noise in the weights',
    '',
    'Normal noise on every weight, at the balanced scale, makes the loss rise by half its variance times MS, as long as the loss is a parabola.',
    'The rise over what MS says, medians and ranges:',
    '',
    ...noise(lines),
  ];
}
