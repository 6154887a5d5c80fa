import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { OuterProducts } from '../../../src/network/layers/operation.js';
import { squaresOfProducts } from '../../../src/traces/diagonal/squared-gradients.js';

/*
 * Of every layer, squares are tested with the rules of the layers (`check-squared-gradients.ts`); here, the ways to them.
 */

const noise = (shape: [number, number, number], seed: number) =>
  tf.randomNormal<tf.Rank.R3>(shape, 0, 1, 'float32', seed);

/** sum_n (sum_t a_nt d_nt^T)^2 in plain loops, [F][O]. */
function plainSquares(a: number[][][], d: number[][][]): number[][] {
  return a[0]![0]!.map((_, f) =>
    d[0]![0]!.map((_, o) =>
      a.reduce((sum, rows, n) => sum + rows.reduce((total, row, t) => total + row[f]! * d[n]![t]![o]!, 0) ** 2, 0),
    ),
  );
}

function expectSame(parts: readonly OuterProducts[], rows: number, expected: number[][]): void {
  for (const budget of [2 ** 30, 8000, 1]) {
    const found = Array.from(squaresOfProducts(parts, rows, budget).dataSync());
    expect(found).toHaveLength(expected.flat().length);
    expected.flat().forEach((each, i) => {
      expect(Math.abs(found[i]! - each)).toBeLessThan(1e-5 * each + 1e-6);
    });
  }
}

it.each([
  ['one position', 1],
  ['several', 6],
])('are those of the gradients of all samples, whatever memory there is: %s', (_, positions) => {
  tf.tidy(() => {
    const inputs = noise([5, positions, 4], 1);
    const [deltas, more] = [noise([5, positions, 3], 2), noise([5, positions, 2], 3)];
    const [a, d, e] = [inputs, deltas, more].map((x) => x.arraySync()) as [number[][][], number[][][], number[][][]];
    const [first, second] = [plainSquares(a, d), plainSquares(a, e)];
    expectSame([{ inputs, deltas }], 4, first);
    // Several parts stand side by side.
    expectSame(
      [
        { inputs, deltas },
        { inputs, deltas: more },
      ],
      4,
      first.map((row, f) => [...row, ...second[f]!]),
    );
    const ones = a.map((rows) => rows.map(() => [1]));
    expectSame([{ deltas }], 1, plainSquares(ones, d));
  });
});

it('add up what a token gets at all of its places, before they square it', () => {
  tf.tidy(() => {
    const tokens = [
      [2, 0, 2],
      [1, 1, 1],
    ];
    const deltas = noise([2, 3, 2], 4);
    const oneHot = tokens.map((row) => row.map((token) => [0, 1, 2, 3].map((each) => (each === token ? 1 : 0))));
    const inputs = { tokens: tf.tensor2d(tokens, undefined, 'int32') };
    expectSame([{ inputs, deltas }], 4, plainSquares(oneHot, deltas.arraySync()));
  });
});
