import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { checkLayers, type LayerCase, one, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

/** A merge of elements on inputs of one shape, of shapes that are broadcast, and of different ranks. */
function elementwise(
  name: string,
  layer: () => tfl.layers.Layer,
  combine: (values: number[]) => number,
): readonly LayerCase[] {
  return [
    one(`${name} of three`, layer, [[5], [5], [5]], { plain: plain.merge(combine) }),
    one(
      `${name}, broadcast over positions and channels`,
      layer,
      [
        [4, 3],
        [1, 3],
        [4, 1],
      ],
      { plain: plain.merge(combine) },
    ),
    one(`${name}, of different ranks`, layer, [[4, 3], [3]], { plain: plain.merge(combine) }),
  ];
}

checkLayers({
  Add: [
    one('add', () => layers.add(), [[5], [5], [5]]),
    one('add, broadcast', () => layers.add(), [
      [4, 5],
      [1, 5],
    ]),
    ...elementwise('add', layers.add, (v) => v.reduce((a, b) => a + b)),
  ],
  Average: elementwise('average', layers.average, (v) => v.reduce((a, b) => a + b) / v.length),
  Maximum: elementwise('maximum', layers.maximum, (v) => Math.max(...v)),
  Minimum: elementwise('minimum', layers.minimum, (v) => Math.min(...v)),
  Concatenate: [
    one('concatenate', () => layers.concatenate(), [[5], [3]]),
    one('concatenate along axis 1', () => layers.concatenate({ axis: 1 }), [
      [2, 3, 1],
      [4, 3, 1],
    ]),
    // tf.js joins along the last axis for every negative one.
    ...([2, '2', -1, -2, -3] as const).map((axis) =>
      one(`concatenate with axis ${JSON.stringify(axis)}`, () => layers.concatenate({ axis: axis as number }), [
        [4, 3],
        [4, 3],
      ]),
    ),
    one(
      'concatenate with axis [2]',
      () => layers.concatenate({ axis: [2] as unknown as number }),
      [
        [4, 3],
        [4, 3],
      ],
      {
        // Its Concat takes numbers only.
        notOn: ['tensorflow'],
      },
    ),
  ],
  Multiply: elementwise('multiply', layers.multiply, (v) => v.reduce((a, b) => a * b)),
  Dot: [
    ...(
      [
        [1, [5], [5]],
        [-1, [5], [5]],
        [1, [4, 2], [4, 3]],
        [2, [2, 4], [3, 4]],
        [
          [1, 2],
          [4, 2],
          [3, 4],
        ],
        [
          [2, 1],
          [2, 4],
          [4, 3],
        ],
        [[2, 1], [2, 4], [4]],
        [[1, 1], [4, 2], [4]],
        [[1, 2], [4], [3, 4]],
        [[1, 1], [4], [4, 3]],
      ] as [number | [number, number], number[], number[]][]
    ).flatMap(([axes, x, y]) => {
      const pair = [axes].flat().length === 1 ? [axes, axes] : axes;
      const [a, b] = [x, y].map(
        (shape, i) => (pair as number[])[i]! + ((pair as number[])[i]! < 0 ? shape.length + 1 : 0),
      );
      return [
        one(`dot, axes ${axes} of [${x}] and [${y}]`, () => layers.dot({ axes }), [x, y], {
          plain: plain.dot([a!, b!]),
        }),
      ];
    }),
    one('dot, normalized', () => layers.dot({ axes: [2, 1], normalize: true }), [[2, 4], [4]], {
      plain: plain.dot([2, 1], true),
    }),
  ],
});

it.each<[string, () => tfl.layers.Layer, string]>([
  ['add', () => layers.add(), 'Add, ties'],
  ['average', () => layers.average(), 'Average, ties'],
  ['maximum', () => layers.maximum(), 'Maximum, ties'],
  ['concatenate', () => layers.concatenate(), 'Concatenate, ties'],
  ['multiply', () => layers.multiply(), 'Multiply, adds'],
  ['dot', () => layers.dot({ axes: 1 }), 'Dot, adds'],
  ['dot, normalized', () => layers.dot({ axes: 1, normalize: true }), 'Dot, resets'],
])('what %s does to the scales of its inputs', (_, layer, traits) => {
  expect(traitsOf(layer(), [4], [4])).toEqual([traits]);
});

it.each<[string, () => tfl.layers.Layer, number[], number[]]>([
  ['concatenate', () => layers.concatenate({ axis: 0 }), [4], [4]],
  ['dot', () => layers.dot({ axes: 0 }), [4], [4]],
  ['dot, counted from behind', () => layers.dot({ axes: -2 }), [4], [4]],
])('%s along the batch axis is refused', (_, layer, x, y) => {
  const batch = 4;
  const inputs = [x, y].map((shape) => tfl.input({ batchShape: [batch, ...shape] }));
  const model = tfl.model({ inputs, outputs: layer().apply(inputs) as tfl.SymbolicTensor });
  expect(() => unfold(model)).toThrow(/works along axis 0, where the samples are/);
});
