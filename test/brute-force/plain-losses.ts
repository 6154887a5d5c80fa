import type { LossName } from '../../src/network/output-hessian.js';
import { lcg } from '../measure/golden-network.js';

type Numbers = readonly number[];

/** A loss of one sample in plain numbers, as tf.js computes it from the outputs of a network. */
export interface PlainLoss {
  readonly loss: LossName;
  /** What the network ends in, if that matters: z is taken before it. */
  readonly ending?: 'softmax' | 'sigmoid';
  /** What keeps outputs where the loss makes sense: the last activation of a test's network. */
  readonly activation?: 'softmax' | 'sigmoid' | 'softplus';
  /** Labels of K outputs from numbers in (0, 1). */
  labels(uniform: Numbers): number[];
  value(outputs: Numbers, labels: Numbers): number;
  /** Where only the Gauss-Newton part is taken: what it is taken over, and its curvature there, the same in all directions. */
  readonly over?: (z: Numbers) => number[];
  readonly curvature?: (outputs: number) => number;
  readonly isFlat?: boolean;
}

const EPSILON = 1e-7;
const sum = (x: Numbers) => x.reduce((a, b) => a + b, 0);
const mean = (x: Numbers) => sum(x) / x.length;
const clip = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const each = (f: (p: number, y: number) => number) => (p: Numbers, y: Numbers) => mean(p.map((v, k) => f(v, y[k]!)));
const unit = (z: Numbers) => z.map((v) => v / Math.hypot(...z));

const signs = (u: Numbers) => u.map((v) => (v < 0.5 ? -1 : 1));
const flags = (u: Numbers) => u.map((v) => (v < 0.5 ? 0 : 1));
const numbers = (u: Numbers) => u.map((v) => 4 * v - 2);
const amounts = (u: Numbers) => u.map((v) => 3 * v);
const distribution = (u: Numbers) => u.map((v) => v / sum(u));
const oneHot = (u: Numbers) => u.map((v) => (v === Math.max(...u) ? 1 : 0));

const divergence = (p: Numbers, y: Numbers) =>
  sum(p.map((v, k) => y[k]! * Math.log(clip(y[k]!, EPSILON, 1) / clip(v, EPSILON, 1))));
const logLoss = each((p, y) => -y * Math.log(p + EPSILON) - (1 - y) * Math.log(1 - p + EPSILON));
const hinge = each((p, y) => Math.max(0, 1 - y * p));
const logs = (p: Numbers) => p.map((v) => Math.log(1 + Math.max(v, EPSILON)));

/** Every loss that is not a cross-entropy or a squared error. */
export const plainLosses: readonly PlainLoss[] = [
  { loss: 'meanAbsoluteError', labels: numbers, value: each((p, y) => Math.abs(p - y)), isFlat: true },
  {
    loss: 'meanAbsolutePercentageError',
    labels: numbers,
    value: each((p, y) => (100 * Math.abs(p - y)) / Math.max(Math.abs(y), EPSILON)),
    isFlat: true,
  },
  {
    loss: 'meanSquaredLogarithmicError',
    labels: amounts,
    activation: 'softplus',
    value: (p, y) => mean(logs(p).map((u, k) => (u - logs(y)[k]!) ** 2)),
    over: logs,
    curvature: (outputs) => 2 / outputs,
  },
  { loss: 'squaredHinge', labels: signs, value: each((p, y) => Math.max(0, 1 - y * p) ** 2) },
  { loss: 'hinge', labels: signs, value: hinge, isFlat: true },
  {
    loss: 'categoricalHinge',
    labels: oneHot,
    value: (p, y) => Math.max(0, 1 + Math.max(...p.map((v, k) => (1 - y[k]!) * v)) - sum(p.map((v, k) => y[k]! * v))),
    isFlat: true,
  },
  { loss: 'logcosh', labels: numbers, value: each((p, y) => Math.log(Math.cosh(p - y))) },
  {
    loss: 'kullbackLeiblerDivergence',
    labels: distribution,
    activation: 'sigmoid',
    ending: 'sigmoid',
    value: divergence,
  },
  { loss: 'kullbackLeiblerDivergence', labels: amounts, activation: 'softmax', ending: 'softmax', value: divergence },
  // The sizes of its weights keep the outputs between 0 and 1.
  { loss: 'kullbackLeiblerDivergence', labels: distribution, activation: 'softplus', value: divergence },
  {
    loss: 'poisson',
    labels: (u) => u.map((v) => Math.floor(4 * v)),
    activation: 'softplus',
    value: each((p, y) => p - y * Math.log(p + EPSILON)),
  },
  {
    loss: 'cosineProximity',
    labels: numbers,
    value: (p, y) => -sum(unit(p).map((v, k) => v * unit(y)[k]!)),
    over: unit,
    curvature: () => 1,
  },
  {
    loss: 'huberLoss',
    labels: numbers,
    value: each((p, y) => (Math.abs(p - y) < 1 ? (p - y) ** 2 / 2 : Math.abs(p - y) - 0.5)),
  },
  { loss: 'logLoss', labels: flags, activation: 'sigmoid', ending: 'sigmoid', value: logLoss },
  { loss: 'logLoss', labels: flags, activation: 'softmax', value: logLoss },
  {
    loss: 'hingeLoss',
    labels: flags,
    value: (p, y) =>
      hinge(
        p,
        y.map((v) => 2 * v - 1),
      ),
    isFlat: true,
  },
  { loss: 'cosineDistance', labels: numbers, value: (p, y) => 1 - sum(p.map((v, k) => v * y[k]!)), isFlat: true },
  { loss: 'gaussianMeanDivergence', labels: numbers, value: (p) => sum(p.map((v) => v * v)) / 2 },
  { loss: 'gaussianVarianceDivergence', labels: numbers, value: (p) => sum(p.map((v) => Math.exp(v) - v - 1)) / 2 },
];

export const titleOf = ({ loss, ending, activation }: PlainLoss) =>
  `${loss}${ending ? ` after a ${ending}` : activation ? ` on ${activation}` : ''}`;

/** Labels of some samples, the same everywhere. */
export function labelsOf({ labels }: PlainLoss, samples: number, outputs: number): number[][] {
  const uniform = lcg(91, samples * outputs);
  return Array.from({ length: samples }, (_, n) => labels(Array.from(uniform.slice(n * outputs, (n + 1) * outputs))));
}

const endings = {
  softmax: (z: Numbers) => z.map((v) => Math.exp(v) / sum(z.map(Math.exp))),
  sigmoid: (z: Numbers) => z.map((v) => 1 / (1 + Math.exp(-v))),
};

/** The loss as a function of z. */
export const valueAt = ({ ending, value }: PlainLoss, z: Numbers, y: Numbers) =>
  value(ending ? endings[ending](z) : z, y);

/** The matrix by second differences of the loss, or by differences of what it is taken over: good to about 1e-6. */
export function hessianAt(plain: PlainLoss, z: Numbers, y: Numbers): number[][] {
  const h = 1e-3;
  const moved = (...steps: [number, number][]) =>
    z.map((v, k) => v + sum(steps.flatMap(([i, s]) => (i === k ? s : []))));
  const { over, curvature, isFlat } = plain;
  if (isFlat) {
    return z.map(() => z.map(() => 0));
  }
  if (over && curvature) {
    const slopes = z.map((_, k) => over(moved([k, h])).map((u, j) => (u - over(moved([k, -h]))[j]!) / (2 * h)));
    return z.map((_, i) => z.map((__, j) => curvature(z.length) * sum(slopes[i]!.map((u, k) => u * slopes[j]![k]!))));
  }
  const at = (...steps: [number, number][]) => valueAt(plain, moved(...steps), y);
  return z.map((_, i) =>
    z.map(
      (__, j) => (at([i, h], [j, h]) - at([i, h], [j, -h]) - at([i, -h], [j, h]) + at([i, -h], [j, -h])) / (4 * h * h),
    ),
  );
}

/** d l / d z by differences. */
export function gradientAt(plain: PlainLoss, z: Numbers, y: Numbers): number[] {
  const h = 1e-5;
  return z.map((_, k) => (valueAt(plain, z.with(k, z[k]! + h), y) - valueAt(plain, z.with(k, z[k]! - h), y)) / (2 * h));
}

/** Rows of four outputs where a loss makes sense, the same everywhere. */
export function rowsOfPlainLoss({ ending, activation }: PlainLoss, samples = 8, outputs = 4): number[][] {
  const isRate = activation !== undefined && ending === undefined;
  const uniform = lcg(17, samples * outputs);
  return Array.from({ length: samples }, (_, n) =>
    Array.from(uniform.slice(n * outputs, (n + 1) * outputs), (u) => (isRate ? 0.05 + 0.8 * u : 3 * u - 1.5)),
  );
}
