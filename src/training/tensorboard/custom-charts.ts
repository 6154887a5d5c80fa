import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ChartSchema, LayoutSchema } from './layout_pb.js';
import { eigenvalueTags, intervalTags } from './scalars.js';

/** Under this tag TensorBoard's page of custom scalars looks for its layout. */
export const LAYOUT_TAG = 'custom_scalars__config__';

/** The charts of a prefix: Minimum Sharpness in its interval and, of readings that have it, the largest eigenvalue at the edge of stability. */
export interface CustomChart {
  readonly prefix: string;
  readonly shows: 'interval' | 'eigenvalue';
}

/**
 * The layout of TensorBoard's page of custom scalars: Minimum Sharpness as a line in a band, and the largest eigenvalue in one chart with
 * what it has to stay below. TensorBoard takes the latest layout of a run, and joins those of all runs.
 *
 * @returns a serialized `tensorboard.Layout`.
 */
export function layoutOf(charts: Iterable<CustomChart>): Uint8Array {
  const all = [...charts];
  const category = (title: string, shows: CustomChart['shows'], chartOf: (prefix: string) => Chart) => {
    const chart = all.filter((each) => each.shows === shows).map(({ prefix }) => chartOf(prefix));
    return chart.length > 0 ? [{ title, chart }] : [];
  };
  return toBinary(
    LayoutSchema,
    create(LayoutSchema, {
      category: [
        ...category('Minimum Sharpness', 'interval', (prefix) => ({
          title: `${prefix}: Minimum Sharpness and its 95% interval`,
          content: { case: 'margin', value: { series: [intervalTags(prefix)] } },
        })),
        ...category('Edge of stability', 'eigenvalue', (prefix) => ({
          title: `${prefix}: largest eigenvalue, and below which plain gradient descent is stable`,
          content: { case: 'multiline', value: { tag: Object.values(eigenvalueTags(prefix)).map(exactly) } },
        })),
      ],
    }),
  );
}

type Chart = MessageInitShape<typeof ChartSchema>;

/** A regular expression of one tag. */
const exactly = (tag: string) => `^${tag.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
