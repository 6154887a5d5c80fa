import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { LayoutSchema } from '../../../src/training/tensorboard/layout_pb.js';
import { marginCharts } from '../../../src/training/tensorboard/margin-chart.js';

it('there is one category, with a chart for each prefix', () => {
  const { category } = fromBinary(LayoutSchema, marginCharts(new Set(['train', 'validation'])));
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
