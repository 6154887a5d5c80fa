import { halfInterval } from '../../measure/half-interval.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { distinctNames } from '../../names.js';
import type { ControlledValue } from '../control/steer.js';
import type { EpochLogs } from '../streams/epoch-logs.js';

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
  topEigenvalue:
    'The largest eigenvalue of the Gauss-Newton matrix with the weights as they stand. Plain gradient descent is stable where it is below 2 / learning rate.',
  edgeOfStability:
    '2 / learning rate, with momentum m 2 (1 + m) / learning rate: plain gradient descent is stable where `top_eigenvalue` is below it.',
  balancedEigenvalue: 'The same at the rescaling that attains `minimum`: it does not change when layers are rescaled.',
  lower:
    'Where the 95% interval of `minimum` begins, at 0 or above. It is that of a reliable reading; the text `reading` says where one is not.',
  upper: 'Where the 95% interval of `minimum` ends.',
  logs: 'What `fit` logged of the epoch, on the same axis as the readings: the number of batches.',
  control: 'The value that a controller has set as of this reading.',
};

/** The tags of Minimum Sharpness and of the ends of its interval. */
export function intervalTags(prefix: string): { value: string; lower: string; upper: string } {
  return { value: `${prefix}/minimum`, lower: `${prefix}_interval/lower`, upper: `${prefix}_interval/upper` };
}

/** The tags of the largest eigenvalue, and of what it has to stay below. */
export function eigenvalueTags(prefix: string): { value: string; stableBelow: string } {
  return { value: `${prefix}/top_eigenvalue`, stableBelow: `${prefix}/edge_of_stability` };
}

/**
 * What a reading puts into TensorBoard, four groups of charts:
 *
 * - `<prefix>/minimum`, `<prefix>/standard_error`, `<prefix>/trace`, and where the reading has eigenvalues `<prefix>/top_eigenvalue`,
 *   `<prefix>/top_eigenvalue_balanced` and, of SGD with or without momentum, `<prefix>/edge_of_stability`
 * - `<prefix>_interval/lower`, `<prefix>_interval/upper`: 2.086 standard errors around `minimum`
 * - `<prefix>_alpha/<layer>`
 * - `<prefix>_trace/<parameter>`
 *
 * TensorBoard shortens all but the last part of a long tag, so the slashes in a parameter's name become dots. A name
 * that occurs again, as in nested models, gets `_2`, `_3`, ... appended, a number that makes a new name. Infinite values stay as they
 * are: TensorBoard's table says `Infinity`, and its chart leaves a gap.
 */
export function scalarPoints(reading: SharpnessReading, prefix: string): ScalarPoint[] {
  const { minimumSharpness, standardError, trace, scales, parameters, topEigenvalues } = reading;
  const tags = intervalTags(prefix);
  const ofEigenvalue = eigenvalueTags(prefix);
  const half = halfInterval(reading);
  const layers = distinctNames(scales.map(({ layer }) => layer));
  const names = distinctNames(parameters.map(({ name }) => asLastPart(name)));
  return [
    { tag: tags.value, value: minimumSharpness, description: descriptions.minimum },
    { tag: `${prefix}/standard_error`, value: standardError, description: descriptions.standardError },
    { tag: `${prefix}/trace`, value: trace, description: descriptions.trace },
    ...(topEigenvalues?.given ?? []).slice(0, 1).map(({ value }) => ({
      tag: ofEigenvalue.value,
      value,
      description: descriptions.topEigenvalue,
    })),
    ...(topEigenvalues?.balanced ?? []).slice(0, 1).map(({ value }) => ({
      tag: `${prefix}/top_eigenvalue_balanced`,
      value,
      description: descriptions.balancedEigenvalue,
    })),
    ...(topEigenvalues?.stableBelow === undefined
      ? []
      : [
          {
            tag: ofEigenvalue.stableBelow,
            value: topEigenvalues.stableBelow,
            description: descriptions.edgeOfStability,
          },
        ]),
    { tag: tags.lower, value: Math.max(0, minimumSharpness - half), description: descriptions.lower },
    { tag: tags.upper, value: minimumSharpness + half, description: descriptions.upper },
    ...scales.map(({ alpha }, i) => ({
      tag: `${prefix}_alpha/${layers[i]}`,
      value: alpha,
      description: descriptions.alpha,
    })),
    ...parameters.map((parameter, i) => ({
      tag: `${prefix}_trace/${names[i]}`,
      value: parameter.trace,
      description: descriptions.parameterTrace,
    })),
  ];
}

/** What was logged of an epoch puts into TensorBoard: `<prefix>_logs/<name>`, for example `sharpness_logs/val_loss`. */
export function logPoints({ logs }: Pick<EpochLogs, 'logs'>, prefix: string): ScalarPoint[] {
  const names = distinctNames(Object.keys(logs).map(asLastPart));
  return Object.values(logs).map((value, i) => ({
    tag: `${prefix}_logs/${names[i]}`,
    value,
    description: descriptions.logs,
  }));
}

/** What a controller's value puts into TensorBoard: `<prefix>_control/<name>`, for example `sharpness_control/learning_rate`. */
export function controlPoints({ name, value }: ControlledValue, prefix: string): ScalarPoint[] {
  return [{ tag: `${prefix}_control/${asLastPart(name)}`, value, description: descriptions.control }];
}

/** TensorBoard shortens all but the last part of a long tag. */
function asLastPart(name: string): string {
  return name.replaceAll('/', '.');
}
