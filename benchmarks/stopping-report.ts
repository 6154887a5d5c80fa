import { DEFAULT_LOSS_MARGIN } from '../src/training/stopping/stopping-options.js';
import { digits, table } from './report.js';
import { mean } from './statistics.js';
import { chosen, overSeeds, ranking } from './stopping-ranking.js';
import { bySharpness, type Ending, replay, type Way } from './stopping-replay.js';
import { EPOCHS, howTrained, networks, rates, type Training } from './stopping-trainings.js';

/** The ways that are compared, by their titles. */
export const ways: Readonly<Record<string, Way>> = {
  'all epochs': {},
  'validation loss, patience 3': { options: { monitor: 'val_loss', patience: 3 } },
  'validation loss, patience 5': { options: { monitor: 'val_loss', patience: 5 } },
  'MS, patience 3': { options: bySharpness({ patience: 3 }) },
  'MS, patience 5': { options: bySharpness({ patience: 5 }) },
  'MS, patience 8': { options: bySharpness({ patience: 8 }) },
  'MS, patience 5, minDelta 0.1': { options: bySharpness({ patience: 5, minDelta: 0.1 }) },
  'MS, patience 5, smoothing 0.5': { options: bySharpness({ patience: 5, smoothing: 0.5 }) },
  'MS, patience 5, standardErrors 2': { options: bySharpness({ patience: 5, standardErrors: 2 }) },
  'MS, patience 5, from accuracy 0.5': { options: bySharpness({ patience: 5, startFromAccuracy: 0.5 }) },
  'MS, patience 5, from accuracy 0.9': { options: bySharpness({ patience: 5, startFromAccuracy: 0.9 }) },
  'MS of every 2nd epoch, patience 3': { options: bySharpness({ patience: 3 }), every: 2 },
  'MS of every 5th epoch, patience 1': { options: bySharpness({ patience: 1 }), every: 5 },
  'MS at any loss, patience 5': { options: bySharpness({ patience: 5, lossMargin: false }) },
  'MS at any loss, patience 5, from accuracy 0.5': {
    options: bySharpness({ patience: 5, startFromAccuracy: 0.5, lossMargin: false }),
  },
  'MS at any loss, patience 5, from accuracy 0.9': {
    options: bySharpness({ patience: 5, startFromAccuracy: 0.9, lossMargin: false }),
  },
  'MS rises as loss falls, patience 1': { options: bySharpness({ when: 'worsensAsLossFalls', patience: 1 }) },
  'MS rises as loss falls, patience 3': { options: bySharpness({ when: 'worsensAsLossFalls', patience: 3 }) },
  'MS rises as loss falls, patience 3, standardErrors 2': {
    options: bySharpness({ when: 'worsensAsLossFalls', patience: 3, standardErrors: 2 }),
  },
  'MS rises as loss falls, patience 3, smoothing 0.5': {
    options: bySharpness({ when: 'worsensAsLossFalls', patience: 3, smoothing: 0.5 }),
  },
  'MS rises as loss falls, patience 3, from accuracy 0.5': {
    options: bySharpness({ when: 'worsensAsLossFalls', patience: 3, startFromAccuracy: 0.5 }),
  },
};

/** The ways that are shown for every learning rate and network. */
const shownByPart = [
  'all epochs',
  'validation loss, patience 5',
  'MS, patience 5',
  'MS, patience 5, from accuracy 0.5',
  'MS at any loss, patience 5',
  'MS rises as loss falls, patience 3',
];

/** Margins of similar loss that are compared. */
const margins: readonly (number | false)[] = [false, 0.5, 0.25, 0.15, 0.1, 0.05, 0.02];

/** A training that had learned most of what there is, and lost it. */
const LEARNED = 0.5;
const BROKEN = 0.3;

const accuracies = ({ testAccuracy }: Training) => testAccuracy.map((value) => value ?? 0);
const bestAccuracy = (training: Training) => Math.max(...accuracies(training));
const learns = (training: Training) => bestAccuracy(training) >= LEARNED;
const breaksDown = (training: Training) => {
  const all = accuracies(training);
  return learns(training) && all.slice(all.findIndex((value) => value >= LEARNED)).some((value) => value < BROKEN);
};

/** Test accuracy lost against the training's best epoch, in percentage points. */
const lostAt = (training: Training, epoch: number) => 100 * (bestAccuracy(training) - accuracies(training)[epoch]!);
const lostAtEnd = (training: Training, { last }: Ending) => lostAt(training, last);
const lostAtBest = (training: Training, { last, best }: Ending) => lostAt(training, best ?? last);

/** What the other ways are compared with. */
const REFERENCE = 'validation loss, patience 5';

const points = (value: number) => (Number.isFinite(value) ? value.toFixed(1) : '-');
const share = (count: number, of: number) => (of === 0 ? '-' : `${((100 * count) / of).toFixed(0)}%`);

const withInterval = ({ value, interval: [low, high] }: ReturnType<typeof overSeeds>) =>
  `${points(value)} (${points(low)} to ${points(high)})`;

function comparison(trainings: readonly Training[]): string[] {
  const lost = (way: Way) => (training: Training) => lostAtBest(training, replay(training, way));
  const byReference = lost(ways[REFERENCE]!);
  const rows = Object.entries(ways).map(([title, way]) => {
    const endings = trainings.map((training) => ({ training, ending: replay(training, way) }));
    const atBest = endings.map(({ training, ending }) => lostAtBest(training, ending));
    return [
      title,
      points(mean(endings.map(({ ending }) => ending.last + 1))),
      share(endings.filter(({ ending }) => !ending.stopped).length, endings.length),
      points(mean(endings.map(({ training, ending }) => lostAtEnd(training, ending)))),
      points(mean(atBest)),
      points(Math.max(...atBest)),
      withInterval(overSeeds(trainings, lost(way))),
      title === REFERENCE
        ? '-'
        : withInterval(overSeeds(trainings, (training) => lost(way)(training) - byReference(training))),
    ];
  });
  const header = [
    'training ends by',
    'epochs',
    'never stopped',
    'lost',
    'lost, best weights back',
    'worst of these',
    'best weights back, 95%',
    `more than ${REFERENCE}, 95%`,
  ];
  return table(header, rows);
}

/** Epochs, and lost with the best weights back, of parts of the trainings. */
function partsTable(trainings: readonly Training[], partOf: (training: Training) => string, parts: readonly string[]) {
  const rows = shownByPart.map((title) => [
    title,
    ...parts.map((part) => {
      const of = trainings.filter((training) => partOf(training) === part);
      const endings = of.map((training) => ({ training, ending: replay(training, ways[title]!) }));
      const lost = mean(endings.map(({ training, ending }) => lostAtBest(training, ending)));
      return of.length === 0 ? '-' : `${points(mean(endings.map(({ ending }) => ending.last + 1)))} / ${points(lost)}`;
    }),
  ]);
  return table(['training ends by', ...parts], rows);
}

const rateOf = ({ optimizer, rate }: Pick<Training, 'optimizer' | 'rate'>) => `${optimizer} ${rate}`;
const allRates = Object.entries(rates).flatMap(([optimizer, of]) => of.map((rate) => rateOf({ optimizer, rate })));

/** Lost with the best weights back, for every margin and patience. */
function marginTable(trainings: readonly Training[]): string[] {
  const noises = [...new Set(trainings.map(({ noise }) => noise))].sort((a, b) => a - b);
  const breaking = trainings.filter(breaksDown);
  const rows = margins.map((lossMargin) => {
    const lost = (patience: number, of: readonly Training[], startFromAccuracy?: number) =>
      points(
        mean(
          of.map((training) =>
            lostAtBest(
              training,
              replay(training, { options: bySharpness({ patience, lossMargin, startFromAccuracy }) }),
            ),
          ),
        ),
      );
    const bestOfAll = { options: bySharpness({ patience: EPOCHS, lossMargin }) };
    const broken = breaking.filter((training) => accuracies(training)[replay(training, bestOfAll).best ?? 0]! < BROKEN);
    return [
      String(lossMargin),
      ...noises.flatMap((noise) => {
        const of = trainings.filter((training) => training.noise === noise);
        return [lost(3, of), lost(5, of), lost(8, of), lost(5, of, 0.5)];
      }),
      `${broken.length} of ${breaking.length}`,
    ];
  });
  const columns = ['patience 3', 'patience 5', 'patience 8', '5, from accuracy 0.5'];
  return table(
    [
      '`lossMargin`',
      ...noises.flatMap((noise) => columns.map((column) => (noise === 0 ? column : `${column}, noise`))),
      'best is broken',
    ],
    rows,
  );
}

/** The report in Markdown. @param run lines on the machine. */
export function stoppingReport(trainings: readonly Training[], run: readonly string[]): string[] {
  const count = (of: (training: Training) => unknown) => new Set(trainings.map(of)).size;
  const learning = trainings.filter(learns);
  const of = (noise: number) => learning.filter((training) => training.noise === noise);
  const noises = [...new Set(trainings.map(({ noise }) => noise))].sort((a, b) => a - b);
  return [
    '# When to stop',
    '',
    `${trainings.length} trainings, each run once: ${count(({ network }) => network)} networks, ` +
      `${count(({ optimizer }) => optimizer)} optimizers, ${count(({ optimizer, rate }) => `${optimizer} ${rate}`)} learning rates, ` +
      `${count(({ seed }) => seed)} seeds, with and without label noise. ${howTrained} MS is that of the training set to 2% after every epoch.`,
    'Every way of stopping is replayed on the same curves, by the code of `earlyStopping`.',
    '',
    ...run,
    '',
    `${learning.length} of the trainings reached a test accuracy of ${LEARNED} at some time, and these count in the tables. "Lost" is the mean test`,
    'accuracy lost against the best epoch of the same training, in percentage points: with the weights of the last epoch that was trained,',
    'and with those of the best value put back. In brackets 95% intervals, by drawing the seeds anew, each with all of its trainings: of few',
    'seeds they are rather too narrow. "More" is the mean difference of the same trainings.',
    ...noises.flatMap((noise) => [
      '',
      noise === 0 ? '## Labels as they are' : `## ${digits(100 * noise)}% of the labels drawn anew`,
      '',
      ...comparison(of(noise)),
      '',
      'By learning rate, epochs / lost with the best weights back:',
      '',
      ...partsTable(of(noise), rateOf, allRates),
      '',
      'By network, the same:',
      '',
      ...partsTable(of(noise), ({ network }) => network, Object.keys(networks)),
    ]),
    '',
    '## Which checkpoint is the best',
    '',
    "Without stopping: the epochs of a training as checkpoints to choose from. Kendall's tau of a number with the test error over the epochs of",
    `each training, on average over trainings; 1 is the order of the test error itself. "Similar" is a training loss that lies above the`,
    `lowest of the training by at most ${DEFAULT_LOSS_MARGIN} of that of the first batch. The training loss of an epoch is the mean over its batches. Trainings`,
    'with fewer than 5 such epochs, or whose test error is always the same, have no tau.',
    ...noises.flatMap((noise) => [
      '',
      noise === 0 ? 'Labels as they are:' : `${digits(100 * noise)}% of the labels drawn anew:`,
      '',
      ...ranking(of(noise)),
      '',
      ...chosen(of(noise)),
    ]),
    '',
    '## Which losses are similar',
    '',
    'Lost by MS with the best weights back, for several margins and with none (`false`).',
    `Of the trainings, ${learning.filter(breaksDown).length} had learned and broke down: their test accuracy fell from over ${LEARNED} to below ${BROKEN}.`,
    '"Best is broken" counts those whose flattest epoch of all is such a one.',
    '',
    ...marginTable(learning),
  ];
}
