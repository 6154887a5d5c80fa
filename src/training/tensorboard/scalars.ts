import type { SharpnessReading } from '../../measure/reading.js';
import type { ControlledValue } from '../control/steer.js';

/** One point of one TensorBoard chart. */
export interface ScalarPoint {
  /** TensorBoard groups charts by what stands before the first slash. */
  readonly tag: string;
  readonly value: number;
  /** Markdown, shown beside the chart. */
  readonly description: string;
}

const descriptions = {
  minimum:
    "Minimum Sharpness: the trace of the loss Hessian, minimised over all rescalings of the layers that leave the network's function unchanged. Lower is flatter.",
  trace:
    'Trace of the loss Hessian with the weights as they stand, mean over samples. It changes when layers are rescaled; `minimum` does not.',
  standardError:
    'One standard error of `minimum` as an estimate for the data that the reading speaks for. 0 when nothing was sampled.',
  parameterTrace: "This weight tensor's part of the trace of the loss Hessian.",
  alpha:
    "The factor by which the rescaling that attains `minimum` multiplies this layer's kernel. 0, or infinite (a gap in the line), where the minimum is approached and never attained.",
  control: 'The value that a controller has set as of this reading.',
};

/**
 * What a reading puts into TensorBoard, three groups of charts:
 *
 * - `<prefix>/minimum`, `<prefix>/standard_error`, `<prefix>/trace`
 * - `<prefix>_alpha/<layer>`
 * - `<prefix>_trace/<parameter>`
 *
 * TensorBoard shortens all but the last part of a long tag, so the slashes in a parameter's name become dots. A name
 * that occurs again, as in nested models, gets `_2`, `_3`, ... appended. Infinite alphas stay as they are: TensorBoard's
 * table says `Infinity`, and its chart leaves a gap.
 */
export function scalarPoints(reading: SharpnessReading, prefix: string): ScalarPoint[] {
  const seen = new Map<string, number>();
  const point = (group: string, name: string, value: number, description: string): ScalarPoint => {
    const tag = `${group}/${name}`;
    const times = (seen.get(tag) ?? 0) + 1;
    seen.set(tag, times);
    return { tag: times === 1 ? tag : `${tag}_${times}`, value, description };
  };
  return [
    point(prefix, 'minimum', reading.minimumSharpness, descriptions.minimum),
    point(prefix, 'standard_error', reading.standardError, descriptions.standardError),
    point(prefix, 'trace', reading.trace, descriptions.trace),
    ...reading.scales.map(({ layer, alpha }) => point(`${prefix}_alpha`, layer, alpha, descriptions.alpha)),
    ...reading.parameters.map(({ name, trace }) =>
      point(`${prefix}_trace`, asLastPart(name), trace, descriptions.parameterTrace),
    ),
  ];
}

/** What a controller's value puts into TensorBoard: `<prefix>_control/<name>`, for example `sharpness_control/learning_rate`. */
export function controlPoints({ name, value }: ControlledValue, prefix: string): ScalarPoint[] {
  return [{ tag: `${prefix}_control/${asLastPart(name)}`, value, description: descriptions.control }];
}

/** TensorBoard shortens all but the last part of a long tag. */
function asLastPart(name: string): string {
  return name.replaceAll('/', '.');
}
