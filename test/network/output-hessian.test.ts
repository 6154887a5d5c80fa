import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type LossName, outputHessians } from '../../src/network/output-hessian.js';

/** C as [samples][columns][outputs] in plain numbers, and nothing left behind. */
function factor(loss: LossName, z: number[][], begin = 0, count?: number): number[][][] {
  const hessian = outputHessians[loss];
  const columns = tf.tidy(() =>
    hessian.factor(tf.tensor2d(z), begin, count ?? hessian.columns(z[0].length)).arraySync(),
  );
  return z.map((_, n) => columns.map((column) => column[n]));
}

/** C C^T of one sample, from its columns. */
function gram(columns: number[][]): number[][] {
  const outputs = columns[0].length;
  return Array.from({ length: outputs }, (_, j) =>
    Array.from({ length: outputs }, (_, k) => columns.reduce((sum, column) => sum + column[j] * column[k], 0)),
  );
}

/** diag(p) - p p^T in float64. */
function softmaxHessian(z: number[]): number[][] {
  const largest = Math.max(...z);
  const e = z.map((value) => Math.exp(value - largest));
  const p = e.map((value) => value / e.reduce((a, b) => a + b, 0));
  // 1 - p_j as a sum of the others keeps its digits where p_j rounds to 1.
  const others = (j: number) => p.reduce((sum, value, k) => (k === j ? sum : sum + value), 0);
  return p.map((pj, j) => p.map((pk, k) => (j === k ? pj * others(j) : -pj * pk)));
}

function expectClose(actual: number[][], expected: number[][], relative: number): void {
  actual.forEach((row, j) => {
    row.forEach((value, k) => {
      expect(Math.abs(value - expected[j][k])).toBeLessThanOrEqual(relative * Math.abs(expected[j][k]) + 1e-37);
    });
  });
}

describe('softmax cross-entropy', () => {
  const cases: [string, number[]][] = [
    ['even', [0, 0, 0, 0]],
    ['ordinary', [0.3, -1.2, 2.1, 0.4, -0.5]],
    ['two classes', [0.7, -0.4]],
    ['certain of the first class', [40, 0, -3]],
    ['certain of the last class', [-20, -1, 30]],
    ['a class at 1e-25', [0, -57.5, -1]],
    ['tied for the largest', [3, 3, -2]],
  ];
  it.each(cases)('C C^T = diag(p) - p p^T to float32 rounding: %s', (_, z) => {
    const [columns] = factor('softmaxCrossEntropy', [z]);
    expect(columns).toHaveLength(z.length - 1);
    expectClose(gram(columns), softmaxHessian(z), 2e-6);
  });

  it('gives the squared column norms of the closed form', () => {
    const z = [0.3, -1.2, 2.1, 0.4];
    const [columns] = factor('categoricalCrossentropy', [z]);
    const e = z.map(Math.exp);
    const p = e.map((value) => value / e.reduce((a, b) => a + b, 0));
    const u = Math.sqrt(p[2]);
    [0, 1, 3].forEach((k, r) => {
      const rest = p.reduce((sum, value, j) => (j === k || j === 2 ? sum : sum + value * value), 0);
      const w = p[k] * ((1 - p[k] / (1 + u)) ** 2 + p[2] + rest / (1 + u) ** 2);
      expect(columns[r].reduce((sum, value) => sum + value * value, 0) / w).toBeCloseTo(1, 5);
    });
  });

  it('treats each sample by its own largest class', () => {
    const z = [
      [5, 0, 1],
      [0, 5, 1],
      [0, 1, 5],
    ];
    factor('softmaxCrossEntropy', z).forEach((columns, n) => {
      expectClose(gram(columns), softmaxHessian(z[n]), 2e-6);
    });
  });

  it('puts columns together from chunks', () => {
    const z = [
      [0.5, -1, 2, 0.1, 0.2],
      [3, 1, -1, 0, 0.3],
    ];
    const whole = factor('softmaxCrossEntropy', z);
    const parts = [factor('softmaxCrossEntropy', z, 0, 1), factor('softmaxCrossEntropy', z, 1, 3)];
    expect(z.map((_, n) => [...parts[0][n], ...parts[1][n]])).toEqual(whole);
  });
});

describe.each(['binaryCrossentropy', 'sigmoidCrossEntropy'] as const)('%s', (loss) => {
  it('is p (1 - p) / K on the diagonal, also where p rounds to 0 or 1', () => {
    const z = [0.3, -30, 40, -1];
    const expected = z.map((value) => 1 / (1 + Math.exp(-value)) / (1 + Math.exp(value)) / z.length);
    expectClose(gram(factor(loss, [z])[0]), diagonal(expected), 2e-6);
  });

  it('has one column for one output', () => {
    expectClose(gram(factor(loss, [[0]])[0]), [[0.25]], 1e-6);
  });
});

describe('mean squared error', () => {
  it('is 2 / K on the diagonal', () => {
    expectClose(gram(factor('meanSquaredError', [[1, -5, 7]])[0]), diagonal([2 / 3, 2 / 3, 2 / 3]), 1e-6);
  });

  it('puts columns together from chunks', () => {
    const whole = factor('meanSquaredError', [[1, 2, 3]]);
    expect([
      ...factor('meanSquaredError', [[1, 2, 3]], 0, 2)[0],
      ...factor('meanSquaredError', [[1, 2, 3]], 2, 1)[0],
    ]).toEqual(whole[0]);
  });
});

function diagonal(values: number[]): number[][] {
  return values.map((value, j) => values.map((_, k) => (j === k ? value : 0)));
}

describe.each(['softmaxCrossEntropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const)(
  '%s, pair by pair',
  (loss) => {
    const hessian = outputHessians[loss];
    const z = [
      [0.3, -1.2, 2.1, 0.4],
      [40, 0, -3, 1],
      [-20, -1, -27.5, 30],
      [3, 3, -2, 0],
      [0, 0, 0, 0],
      [0, -1, 0.5, 8],
    ];

    it('has the squared norms of its columns in closed form', () => {
      const norms = z.map((all) => {
        const found = new Float64Array(hessian.columns(all.length));
        hessian.ofRow.squaredNorms({ all, from: 0 }, all.length, null, found, found);
        return found;
      });
      factor(loss, z).forEach((columns, n) => {
        expect(norms[n]).toHaveLength(columns.length);
        columns.forEach((column, r) => {
          const expected = column.reduce((sum, value) => sum + value * value, 0);
          expect(Math.abs(norms[n][r] - expected)).toBeLessThanOrEqual(3e-6 * expected);
          expect(norms[n][r]).toBeGreaterThan(0);
        });
      });
    });

    it('takes a column of its own for each sample', () => {
      const chosen = z.map((_, n) => (2 * n + 1) % hessian.columns(4));
      const columns = tf.tidy(() => hessian.columnOfEach(tf.tensor2d(z), tf.tensor1d(chosen, 'int32')).arraySync());
      expect(columns).toEqual(factor(loss, z).map((all, n) => all[chosen[n]]));
    });
  },
);

describe('the gradient of each loss', () => {
  const z = [
    [0.3, -1.2, 2.1],
    [0, 0, 0],
    [-2, 1.5, 1.5],
  ];
  const { NONE } = tf.Reduction;
  const losses: [LossName, number[] | number[][], (labels: tf.Tensor, z: tf.Tensor) => tf.Tensor][] = [
    [
      'softmaxCrossEntropy',
      [
        [0, 1, 0],
        [0.2, 0.3, 0.5],
        [0, 0, 1],
      ],
      (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits, undefined, 0, NONE),
    ],
    [
      'categoricalCrossentropy',
      [
        [0, 1, 0],
        [0.2, 0.3, 0.5],
        [0, 0, 1],
      ],
      (labels, logits) => tfl.metrics.categoricalCrossentropy(labels, tf.softmax(logits as tf.Tensor2D)),
    ],
    [
      'sparseCategoricalCrossentropy',
      [1, 0, 2],
      (labels, logits) =>
        tf.losses.softmaxCrossEntropy(tf.oneHot(labels as tf.Tensor1D, 3), logits, undefined, 0, NONE),
    ],
    [
      'sigmoidCrossEntropy',
      [
        [0, 1, 1],
        [0.2, 1, 0],
        [0, 0, 1],
      ],
      (labels, logits) => tf.mean(tf.losses.sigmoidCrossEntropy(labels, logits, undefined, 0, NONE), 1),
    ],
    [
      'binaryCrossentropy',
      [
        [0, 1, 1],
        [0.2, 1, 0],
        [0, 0, 1],
      ],
      (labels, logits) => tfl.metrics.binaryCrossentropy(labels, tf.sigmoid(logits)),
    ],
    [
      'meanSquaredError',
      [
        [0, 1, 1],
        [0.2, 7, -1],
        [0, 0, 1],
      ],
      (labels, logits) => tfl.metrics.meanSquaredError(labels, logits),
    ],
  ];

  it.each(losses)('%s is that of tf.js', (name, labels, loss) => {
    const y = tf.tensor(labels, undefined, name.startsWith('sparse') ? 'int32' : 'float32');
    const [found, values] = tf.tidy(() => [
      outputHessians[name].gradient!(tf.tensor2d(z), y).dataSync(),
      // Differences of the loss: tf.js' own derivatives at 0 are one-sided.
      z.map((row, n) =>
        row.map((_, k) => {
          const at = (step: number) => {
            const moved = z.map((each, i) => (i === n ? each.map((v, j) => (j === k ? v + step : v)) : each));
            return loss(y, tf.tensor2d(moved)).dataSync()[n]!;
          };
          return (at(0.02) - at(-0.02)) / 0.04;
        }),
      ),
    ]);
    values.flat().forEach((value, i) => {
      expect(Math.abs(found[i]! - value)).toBeLessThan(2e-4);
    });
    y.dispose();
  });

  it('keeps its digits where a sample is sure of its label', () => {
    const sure = tf.tensor2d([[20, 0, 0]]);
    const y = tf.tensor2d([[1, 0, 0]]);
    const p = 1 / (Math.exp(20) + 2);
    const softmax = outputHessians.softmaxCrossEntropy.gradient!(sure, y).dataSync();
    [-2 * p, p, p].forEach((value, k) => {
      expect(Math.abs(softmax[k]! / value - 1)).toBeLessThan(1e-5);
    });
    const sigmoid = outputHessians.sigmoidCrossEntropy.gradient!(sure, y).dataSync();
    expect(Math.abs((sigmoid[0]! / (-1 / (1 + Math.exp(20)))) * 3 - 1)).toBeLessThan(1e-5);
  });
});
