import { create, toBinary } from '@bufbuild/protobuf';
import { LayoutSchema } from './layout_pb.js';
import { intervalTags } from './scalars.js';

/** Under this tag TensorBoard's page of custom scalars looks for its layout. */
export const LAYOUT_TAG = 'custom_scalars__config__';

/**
 * The layout of TensorBoard's page of custom scalars: for each prefix one chart of Minimum Sharpness in its interval, as a line in a band.
 * TensorBoard takes the latest layout of a run, and joins those of all runs.
 *
 * @returns a serialized `tensorboard.Layout`.
 */
export function marginCharts(prefixes: Iterable<string>): Uint8Array {
  const chart = [...prefixes].map((prefix) => ({
    title: `${prefix}: Minimum Sharpness and its 95% interval`,
    content: { case: 'margin' as const, value: { series: [intervalTags(prefix)] } },
  }));
  return toBinary(LayoutSchema, create(LayoutSchema, { category: [{ title: 'Minimum Sharpness', chart }] }));
}
