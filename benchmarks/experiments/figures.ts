import type { TopLevelSpec } from 'vega-lite';
import { mean } from '../statistics.js';
import { LOSSES } from './label-tables.js';
import { gapOf } from './levels.js';
import type { Lines, Look } from './lines.js';
import { architectures } from './networks.js';
import { datasets, sweepRatios, wayName, ways } from './sweep.js';

/** From right labels (dark) to shuffled ones (bright), as in the paper. */
const ratioColor = {
  field: 'ratio',
  type: 'quantitative',
  title: 'labels shuffled',
  scale: { scheme: 'viridis', domain: [0, 1] },
} as const;

const config = { font: 'sans-serif', view: { stroke: '#ccc' }, axis: { gridColor: '#e4e4e4' } };
const panel = { field: 'architecture', type: 'nominal' as const, title: null, sort: [...architectures] };

const schema = 'https://vega.github.io/schema/vega-lite/v6.json';

/** Minimum Sharpness against the gap at the end of training. */
function gap({ runs }: Lines): TopLevelSpec {
  const values = runs.map((run) => {
    const look = run.snapshots.at(-1)!;
    return { architecture: run.architecture, ratio: run.ratio, sharpness: look.minimumSharpness, gap: gapOf(look) };
  });
  return {
    $schema: schema,
    background: 'white',
    data: { values },
    facet: panel,
    resolve: { scale: { x: 'independent' } },
    spec: {
      width: 330,
      height: 240,
      mark: { type: 'point', filled: true, size: 60, opacity: 0.9 },
      encoding: {
        x: { field: 'sharpness', type: 'quantitative', title: 'Minimum Sharpness', scale: { zero: false } },
        y: { field: 'gap', type: 'quantitative', title: 'generalization gap (accuracy)' },
        color: ratioColor,
      },
    },
    config,
  };
}

/** A line a network, of what was seen after each epoch. */
const courses = (
  { runs }: Lines,
  x: object,
  panels: readonly (readonly [field: string, title: string, type: 'linear' | 'log'])[],
  more: object[] = [],
): TopLevelSpec =>
  ({
    $schema: schema,
    background: 'white',
    data: {
      values: runs.flatMap((run) =>
        run.snapshots.map(({ epoch, loss, testAccuracy, minimumSharpness }) => ({
          architecture: run.architecture,
          ratio: run.ratio,
          network: `${run.architecture} ${run.ratio} ${run.seed}`,
          epoch,
          loss,
          testAccuracy,
          minimumSharpness,
        })),
      ),
    },
    vconcat: panels.map(([field, title, type]) => ({
      facet: { column: panel },
      spec: {
        width: 330,
        height: 200,
        layer: [
          ...more,
          {
            mark: { type: 'line', strokeWidth: 1.3, opacity: 0.85 },
            encoding: {
              x,
              y: { field, type: 'quantitative', title, scale: type === 'log' ? { type } : { type, zero: false } },
              color: ratioColor,
              detail: { field: 'network' },
              order: { field: 'epoch' },
            },
          },
        ],
      },
    })),
    config,
  }) as TopLevelSpec;

/** Loss, test accuracy and Minimum Sharpness over the epochs. */
const curves = (lines: Lines) =>
  courses(
    lines,
    {
      field: 'epoch',
      type: 'quantitative',
      title: 'epoch',
      scale: { type: 'symlog' },
      axis: { values: [0, 1, 3, 10, 30, 100, 300] },
    },
    [
      ['loss', 'training loss', 'log'],
      ['testAccuracy', 'test accuracy', 'linear'],
      ['minimumSharpness', 'Minimum Sharpness', 'log'],
    ],
  );

/** Minimum Sharpness against the training loss along each training, which goes from right to left. */
const sharpnessOverLoss = (lines: Lines) =>
  courses(
    lines,
    { field: 'loss', type: 'quantitative', title: 'training loss', scale: { type: 'log' } },
    [['minimumSharpness', 'Minimum Sharpness', 'log']],
    [
      {
        data: { values: LOSSES.map((loss) => ({ loss })) },
        mark: { type: 'rule', color: '#999', strokeDash: [3, 3] },
        encoding: { x: { field: 'loss', type: 'quantitative' } },
      },
    ],
  );

/**
 * Settings of the sweep at the end of training, means over their networks: what goes along with the gap may be the training loss, which is
 * their colour.
 */
const sweep = ({ sweep: runs }: Lines): TopLevelSpec => ({
  $schema: schema,
  background: 'white',
  data: {
    values: datasets.flatMap((dataset) =>
      sweepRatios.flatMap((ratio) =>
        ways.flatMap((way) => {
          const looks = runs
            .filter((run) => run.dataset === dataset && run.ratio === ratio && wayName(run) === wayName(way))
            .map(({ snapshots }) => snapshots.at(-1)!)
            .filter((look) => look.minimumSharpness > 0);
          const average = (of: (look: Look) => number) => Number(mean(looks.map(of)).toPrecision(4));
          const part = `${dataset}, ${ratio === 0 ? 'labels as they are' : `${100 * ratio}% of the labels shuffled`}`;
          const logarithm = (of: (look: Look) => number) => Math.exp(average((look) => Math.log(of(look))));
          const [sharpness, loss] = [logarithm((look) => look.minimumSharpness), logarithm((look) => look.loss)];
          return looks.length === 0 ? [] : [{ part, sharpness, gap: average(gapOf), loss }];
        }),
      ),
    ),
  },
  facet: { field: 'part', type: 'nominal', title: null },
  columns: 2,
  resolve: { scale: { y: 'independent' } },
  spec: {
    width: 330,
    height: 220,
    mark: { type: 'point', filled: true, size: 60, opacity: 0.9 },
    encoding: {
      x: { field: 'sharpness', type: 'quantitative', title: 'Minimum Sharpness', scale: { type: 'log' } },
      y: { field: 'gap', type: 'quantitative', title: 'generalization gap (accuracy)', scale: { zero: false } },
      color: {
        field: 'loss',
        type: 'quantitative',
        title: 'training loss',
        scale: { type: 'log', scheme: 'viridis' },
      },
    },
  },
  config,
});

/** The figures, by the names of their files. */
export const figures: Readonly<Record<string, (lines: Lines) => TopLevelSpec>> = {
  gap,
  curves,
  'sharpness-over-loss': sharpnessOverLoss,
  sweep,
};
