import { DEFAULT_LOSS_MARGIN } from '../src/training/stopping/stopping-options.js';
import { fixed, table } from './report.js';
import { mean } from './statistics.js';
import { chosen, overSeeds, ranking, withInterval } from './stopping-ranking.js';
import { bySharpness, type Ending, replay, type Way } from './stopping-replay.js';
import { EPOCHS, howTrained, networks, rates, type Training } from './stopping-trainings.js';

/** The ways that are compared, by their titles. */
export const ways: Readonly<Record<string, Way>> = {
  'all epochs': {},
  'validation loss, patience 3': { options: { monitor: 'val_loss', patience: 3 } },
  'validation loss, patience 5': { options: { monitor: 'val_loss', patience: 5 } },
  'training loss, patience 5': { options: { monitor: 'loss', patience: 5 } },
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

/** The ways that are shown for every learning rate and network, and on the page of early stopping. */
export const shownByPart = [
  'all epochs',
  'validation loss, patience 5',
  'training loss, patience 5',
  'MS, patience 5',
  'MS, patience 5, from accuracy 0.5',
  'MS at any loss, patience 5',
  'MS at any loss, patience 5, from accuracy 0.5',
  'MS rises as loss falls, patience 3',
  'MS rises as loss falls, patience 3, from accuracy 0.5',
];

/** Ways that are compared with each other. */
const pairs: readonly (readonly [way: string, other: string])[] = [
  ['MS, patience 5', 'all epochs'],
  ['MS, patience 5', 'training loss, patience 5'],
  ['training loss, patience 5', 'all epochs'],
  ['MS rises as loss falls, patience 3, from accuracy 0.5', 'MS at any loss, patience 5, from accuracy 0.5'],
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

const endsBroken = (training: Training) => breaksDown(training) && accuracies(training).at(-1)! < BROKEN;
const unbroken = (training: Training) => !endsBroken(training);

/** Test accuracy lost against the training's best epoch, in percentage points. */
const lostAt = (training: Training, epoch: number) => 100 * (bestAccuracy(training) - accuracies(training)[epoch]!);

/** The same in the epoch whose weights are put back. */
const lostAtBest = (training: Training, { last, best }: Ending) => lostAt(training, best ?? last);

/** A training, and how each way would have ended it, by its title. */
interface Replayed extends Training {
  readonly endings: Readonly<Record<string, Ending>>;
}
const replayed = (training: Training): Replayed => ({
  ...training,
  endings: Object.fromEntries(Object.entries(ways).map(([title, way]) => [title, replay(training, way)])),
});
const lostBy = (title: string, training: Replayed) => lostAtBest(training, training.endings[title]!);

/** What the other ways are compared with. */
const REFERENCE = 'validation loss, patience 5';

const points = (value: number) => fixed(value, 1);
const share = (count: number, of: number) => (of === 0 ? '-' : `${((100 * count) / of).toFixed(0)}%`);

/** How much more test accuracy one way loses than another, both with the best weights back. */
const moreThan = (trainings: readonly Replayed[], title: string, other: string) =>
  withInterval(
    overSeeds(trainings, (training) => lostBy(title, training) - lostBy(other, training)),
    1,
  );

/** Test accuracy lost with the best weights back, and how much more than by the reference. */
const lostAndMore = (trainings: readonly Replayed[], title: string): [lost: string, more: string] => [
  withInterval(
    overSeeds(trainings, (training) => lostBy(title, training)),
    1,
  ),
  title === REFERENCE ? '-' : moreThan(trainings, title, REFERENCE),
];

function comparison(trainings: readonly Replayed[]): string[] {
  const rows = Object.keys(ways).map((title) => {
    const endings = trainings.map((training) => training.endings[title]!);
    return [
      title,
      points(mean(endings.map(({ last }) => last + 1))),
      share(endings.filter(({ stopped }) => !stopped).length, endings.length),
      points(mean(trainings.map((training) => lostAt(training, training.endings[title]!.last)))),
      ...lostAndMore(trainings, title),
      points(Math.max(...trainings.map((training) => lostBy(title, training)))),
      ...lostAndMore(trainings.filter(unbroken), title),
    ];
  });
  const lost = ['lost, best weights back', `more than ${REFERENCE}`];
  return table(
    [
      'training ends by',
      'epochs',
      'never stopped',
      'lost',
      ...lost,
      'worst',
      ...lost.map((column) => `unbroken: ${column}`),
    ],
    rows,
  );
}

/** How much more a way loses than another, of all trainings and of those that did not end broken. */
function pairTable(trainings: readonly Replayed[]): string[] {
  const rows = pairs.map(([title, other]) => [
    title,
    other,
    moreThan(trainings, title, other),
    moreThan(trainings.filter(unbroken), title, other),
  ]);
  return table(['training ends by', 'loses more than', 'points', 'unbroken'], rows);
}

/** Which trainings had broken down when they ended. */
function broken(trainings: readonly Training[]): string {
  const named = trainings
    .filter(endsBroken)
    .map((training) => `${training.network} ${rateOf(training)}, seed ${training.seed}`);
  const list = named.length === 0 ? '' : `: ${named.join('; ')}`;
  return `${named.length} of these ${trainings.length} had broken down when they ended${list}. "Unbroken" are the others.`;
}

/** Epochs, and lost with the best weights back, of parts of the trainings. */
function partsTable(trainings: readonly Replayed[], partOf: (training: Training) => string, parts: readonly string[]) {
  const rows = shownByPart.map((title) => [
    title,
    ...parts.map((part) => {
      const of = trainings.filter((training) => partOf(training) === part);
      const epochs = mean(of.map(({ endings }) => endings[title]!.last + 1));
      const lost = mean(of.map((training) => lostBy(title, training)));
      return of.length === 0 ? '-' : `${points(epochs)} / ${points(lost)}`;
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
    const lost = (patience: number, of: readonly Training[], startFromAccuracy?: number) => {
      const way = { options: bySharpness({ patience, lossMargin, startFromAccuracy }) };
      return points(mean(of.map((training) => lostAtBest(training, replay(training, way)))));
    };
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

const anew = (noise: number) => `${Math.round(100 * noise)}% of the labels drawn anew`;

/** The report in Markdown. @param run lines on the machine. */
export function stoppingReport(trainings: readonly Training[], run: readonly string[]): string[] {
  const count = (of: (training: Training) => unknown) => new Set(trainings.map(of)).size;
  const learning = trainings.filter(learns).map(replayed);
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
    'The images are the same in all of them: a seed draws the weights to begin with and, with noise, labels, those of the validation set too. What',
    'other images would do is not in the intervals.',
    '',
    `${learning.length} of the trainings reached a test accuracy of ${LEARNED} at some time, and these count in the tables. "Lost" is the mean test`,
    'accuracy lost against the best epoch of the same training, in percentage points: with the weights of the last epoch that was trained,',
    'and with those of the best value put back. The best epoch is that with the highest test accuracy, so that a perfect rule would lose something too. In',
    'brackets 95% intervals, by drawing the seeds anew, each with all of its trainings: of few seeds they are rather too narrow. "More" is the',
    `mean difference of the same trainings. Broken down is one whose test accuracy fell from over ${LEARNED} to below ${BROKEN}.`,
    ...noises.flatMap((noise) => [
      '',
      noise === 0 ? '## Labels as they are' : `## ${anew(noise)}`,
      '',
      broken(of(noise)),
      '',
      ...comparison(of(noise)),
      '',
      'One way against another, best weights back:',
      '',
      ...pairTable(of(noise)),
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
      noise === 0 ? 'Labels as they are:' : `${anew(noise)}:`,
      '',
      ...ranking(of(noise)),
      '',
      ...chosen(of(noise)),
    ]),
    '',
    '## Which losses are similar',
    '',
    'Lost by MS with the best weights back, for several margins and with none (`false`).',
    `${learning.filter(breaksDown).length} of the trainings broke down, some for a while. "Best is broken" counts those whose flattest epoch of all is such a one.`,
    '',
    ...marginTable(learning),
  ];
}
