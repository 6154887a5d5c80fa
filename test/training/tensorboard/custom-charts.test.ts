import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { layoutOf } from '../../../src/training/tensorboard/custom-charts.js';
import { LayoutSchema } from '../../../src/training/tensorboard/layout_pb.js';

const charts = (...prefixes: string[]) => prefixes.map((prefix) => ({ prefix, shows: 'interval' as const }));

it('there is one category, with a chart for each prefix', () => {
  const { category } = fromBinary(LayoutSchema, layoutOf(charts('train', 'validation')));
  expect(category.map(({ title }) => title)).toEqual(['Minimum Sharpness']);
  expect(category[0]!.chart.map(({ title, content }) => [title, content.value])).toEqual(
    ['train', 'validation'].map((prefix) => [
      `${prefix}: Minimum Sharpness and its 95% interval`,
      expect.objectContaining({
        series: [
          expect.objectContaining({
            value: `${prefix}/minimum`,
            lower: `${prefix}_interval/lower`,
            upper: `${prefix}_interval/upper`,
          }),
        ],
      }),
    ]),
  );
});

it('the largest eigenvalue and the edge of stability share a chart, whatever the prefix', () => {
  const { category } = fromBinary(LayoutSchema, layoutOf([...charts('a.b+'), { prefix: 'a.b+', shows: 'eigenvalue' }]));
  expect(category.map(({ title }) => title)).toEqual(['Minimum Sharpness', 'Edge of stability']);
  const { content } = category[1]!.chart[0]!;
  expect(content.case).toBe('multiline');
  const tags = content.case === 'multiline' ? content.value.tag.map((tag) => new RegExp(tag)) : [];
  const matched = ['top_eigenvalue', 'edge_of_stability', 'top_eigenvalue_balanced', 'minimum'].map((name) =>
    tags.map((tag) => tag.test(`a.b+/${name}`)),
  );
  expect(matched).toEqual([
    [true, false],
    [false, true],
    [false, false],
    [false, false],
  ]);
  expect(tags[0]!.test('axbb/top_eigenvalue')).toBe(false);
});
