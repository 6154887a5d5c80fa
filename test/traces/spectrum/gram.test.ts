import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { OuterProducts } from '../../../src/network/layers/operation.js';
import { gramOfProducts } from '../../../src/traces/spectrum/gram.js';

/*
 * Of every layer, scalar products are tested with the rules of the layers (`check-scalar-products.ts`); here, the ways to them.
 */

const noise = (shape: [number, number, number], seed: number) =>
  tf.randomNormal<tf.Rank.R3>(shape, 0, 1, 'float32', seed);

/** <G_i, G_j> from explicit gradients, in plain loops. */
function plainGram(parts: readonly { a: number[][][]; d: number[][][] }[]): number[][] {
  const rows = parts[0]!.a.length;
  const gradients = Array.from({ length: rows }, (_, n) =>
    parts.flatMap(({ a, d }) => {
      const [fanIn, width] = [a[n]![0]!.length, d[n]![0]!.length];
      const sum = new Array<number>(fanIn * width).fill(0);
      a[n]!.forEach((at, t) => {
        at.forEach((x, f) => {
          d[n]![t]!.forEach((y, o) => {
            sum[f * width + o]! += x * y;
          });
        });
      });
      return sum;
    }),
  );
  return gradients.map((one) => gradients.map((other) => one.reduce((sum, x, i) => sum + x * other[i]!, 0)));
}

// The cheaper way is that over positions in the first two, that over gradients in the third.
it.each([
  ['one position', [6, 1, 4], 3],
  ['few positions of many features', [4, 2, 30], 40],
  ['many positions of few features', [7, 20, 2], 3],
] as const)('is that of the gradients, whatever memory there is: %s', (_, shape, width) => {
  tf.tidy(() => {
    const [inputs, other] = [noise([...shape], 1), noise([...shape], 2)];
    const [deltas, more] = [noise([shape[0], shape[1], width], 3), noise([shape[0], shape[1], 2], 4)];
    const parts: OuterProducts[] = [
      { inputs, deltas },
      { inputs: other, deltas: more },
    ];
    const ones = Array.from({ length: shape[0] }, () => Array.from({ length: shape[1] }, () => [1]));
    const cases: [OuterProducts[], number[][]][] = [
      [
        parts,
        plainGram([
          { a: inputs.arraySync(), d: deltas.arraySync() },
          { a: other.arraySync(), d: more.arraySync() },
        ]),
      ],
      [[{ deltas }], plainGram([{ a: ones, d: deltas.arraySync() }])],
    ];
    for (const [given, expected] of cases) {
      for (const budget of [2 ** 30, 8000, 1]) {
        const found = gramOfProducts(given, budget).arraySync();
        const size = Math.max(...expected.flat());
        found.forEach((row, i) => {
          row.forEach((product, j) => {
            expect(Math.abs(product - expected[i]![j]!)).toBeLessThan(1e-5 * size);
          });
        });
      }
    }
  });
});

it('takes tokens for rows of the unit matrix', () => {
  tf.tidy(() => {
    const tokens = tf.tensor2d([0, 2, 2, 1, 2, 0], [2, 3], 'int32');
    const deltas = noise([2, 3, 4], 5);
    const inputs = tf.cast(tf.oneHot(tokens, 3), 'float32') as tf.Tensor3D;
    const expected = gramOfProducts([{ inputs, deltas }], 2 ** 30).dataSync();
    for (const budget of [2 ** 30, 1]) {
      const found = gramOfProducts([{ inputs: { tokens }, deltas }], budget).dataSync();
      found.forEach((product, i) => {
        expect(product).toBeCloseTo(expected[i]!, 4);
      });
    }
  });
});
