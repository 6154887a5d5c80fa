import type { Loss } from './jacobian.js';

/**
 * d2 l / dz2 of one sample as an explicit K x K matrix, from each loss's own second derivative:
 * softmax cross-entropy: sum_k p_k (e_k - p)(e_k - p)^T, which is diag(p) - p p^T without its cancellation;
 * sigmoid cross-entropy, a mean over K: diag(p_k (1 - p_k)) / K; squared error, a mean over K: 2 / K on the diagonal.
 */
export function outputHessian(loss: Loss, z: Float64Array): number[][] {
  const K = z.length;
  const diagonal = (entry: (k: number) => number) =>
    Array.from({ length: K }, (_, i) => Array.from({ length: K }, (_, j) => (i === j ? entry(i) : 0)));
  switch (loss) {
    case 'meanSquaredError':
      return diagonal(() => 2 / K);
    case 'binaryCrossentropy':
    case 'sigmoidCrossEntropy':
      return diagonal((k) => 1 / (1 + Math.exp(-z[k]!)) / (1 + Math.exp(z[k]!)) / K);
    default: {
      const max = Math.max(...z);
      const sum = z.reduce((s, v) => s + Math.exp(v - max), 0);
      const p = Array.from(z, (v) => Math.exp(v - max) / sum);
      // 1 - p_k as the sum of the others keeps its digits when p_k is nearly 1.
      const others = p.map((_, k) => p.reduce((s, q, j) => (j === k ? s : s + q), 0));
      const deviation = p.map((_, k) => p.map((q, j) => (j === k ? others[k]! : -q)));
      return p.map((_, i) => p.map((_, j) => p.reduce((s, q, k) => s + q * deviation[k]![i]! * deviation[k]![j]!, 0)));
    }
  }
}

/** The loss of one sample as a function of z, for labels y: what `outputHessian` differentiates twice. */
export function lossValue(loss: Loss, z: Float64Array, y: Float64Array): number {
  const K = z.length;
  switch (loss) {
    case 'meanSquaredError':
      return z.reduce((s, v, k) => s + (v - y[k]!) ** 2, 0) / K;
    case 'binaryCrossentropy':
    case 'sigmoidCrossEntropy':
      return z.reduce((s, v, k) => s + Math.log1p(Math.exp(v)) - v * y[k]!, 0) / K;
    default:
      return Math.log(z.reduce((s, v) => s + Math.exp(v), 0)) - z.reduce((s, v, k) => s + v * y[k]!, 0);
  }
}
