import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { curvatureOfSamples, deltasOfColumns, headColumns, sideBySide } from '../../src/network/head-columns.js';
import { columnsOf, deltasOf, type Head } from '../../src/network/heads.js';
import { outputHessians } from '../../src/network/output-hessian.js';

const [SAMPLES, POSITIONS] = [3, 4];
const none = { columns: undefined, rowSums: null, labels: null };
const { softmaxCrossEntropy, meanSquaredError } = outputHessians;
const heads: Head[] = [
  { ...none, name: 'tags', output: 0, hasPositions: true, weights: 2, lossWeight: 2, hessian: softmaxCrossEntropy },
  { ...none, name: 'value', output: 1, hasPositions: false, weights: null, lossWeight: 0.5, hessian: meanSquaredError },
];
const noise = (shape: number[], seed: number) => tf.randomUniform(shape, 0.1, 2, 'float32', seed);
const outputs = [noise([SAMPLES, POSITIONS, 3], 1), noise([SAMPLES, 2], 2), noise([SAMPLES, POSITIONS], 3)];

function columnsWith(q: (tf.Tensor | null)[], weights: tf.Tensor | null) {
  const { tensors, of } = headColumns(heads, outputs, q, weights);
  const { joined, partsOf } = sideBySide(tensors);
  return of(partsOf(joined.dataSync() as Float32Array));
}

it.each([
  ['of every output', [SAMPLES, POSITIONS, 3]],
  ['the same at all positions', [SAMPLES, 1, 3]],
  ['the same for all outputs of a position', [SAMPLES, POSITIONS, 1]],
  ['one a sample', [SAMPLES, 1, 1]],
])('gives norms and columns of all heads, with sensitivities %s', (_, shape) => {
  tf.tidy(() => {
    const weights = tf.tensor2d([2, 0.5, 4], [SAMPLES, 1]);
    const q = [tf.mul(noise(shape, 4), tf.reshape(weights, [SAMPLES, 1, 1])), null];
    const found = columnsWith(q, weights);
    const { curvature, moved, totals } = found.norms();
    expect(found.columns).toBe(POSITIONS * 2 + 2);
    let before = 0;
    heads.forEach((head, h) => {
      const count = columnsOf(head, outputs);
      const all = deltasOf(head, outputs, 0, count);
      const rows = tf.reshape(all, [count, SAMPLES, -1]).arraySync() as number[][][];
      const given = q[h] && tf.div(q[h] as tf.Tensor, tf.reshape(weights, [SAMPLES, 1, 1]));
      const factors =
        given && (tf.reshape(tf.add(tf.zerosLike(outputs[h]!), given), [SAMPLES, -1]).arraySync() as number[][]);
      for (let n = 0; n < SAMPLES; n++) {
        let total = 0;
        for (let r = 0; r < count; r++) {
          const row = rows[r]![n]!;
          const norm = row.reduce((sum, c) => sum + c * c, 0);
          const place = n * found.columns + before + r;
          expect(curvature[place]).toBeCloseTo(norm, 5);
          expect(moved![place]).toBeCloseTo(
            row.reduce((sum, c, i) => sum + (factors ? factors[n]![i]! : 0) * c * c, 0),
            5,
          );
          total += norm;
          const { output, position, delta } = found.column(n, before + r);
          expect(output).toBe(h);
          delta.forEach((value, i) => {
            expect(value).toBeCloseTo(row[position * delta.length + i]!, 5);
          });
        }
        expect(totals[h]![n]).toBeCloseTo(total, 4);
      }
      before += count;
    });
  });
});

it('makes deltas of columns where no output has positions', () => {
  const column = (i: number) => ({ output: i % 2, position: 0, positions: 1, delta: Float64Array.from([i, i + 1]) });
  expect(deltasOfColumns(heads, 2, column)).toBe(null);
  tf.tidy(() => {
    const deltas = deltasOfColumns([heads[1]!], 3, column);
    expect(deltas!.get(0)!.arraySync()).toEqual([[0, 1], [0, 0], [2, 3]]); // biome-ignore format: one line
    expect(deltas!.get(1)!.arraySync()).toEqual([[0, 0], [1, 2], [0, 0]]); // biome-ignore format: one line
    // Positions that show when the columns are there.
    expect(deltasOfColumns([heads[1]!], 3, (i) => ({ ...column(i), positions: 2 }))).toBe(null);
  });
});

it('weighs samples by about how much the losses are curved there', () => {
  tf.tidy(() => {
    expect(curvatureOfSamples([heads[1]!], outputs)).toBe(null);
    const weights = curvatureOfSamples(heads, outputs)!.dataSync();
    const { totals } = columnsWith([null, null], null).norms();
    weights.forEach((weight, n) => {
      const ratio = totals.reduce((sum, ofHead) => sum + ofHead[n]!, 0) / weight;
      expect(ratio).toBeGreaterThan(0.99);
      expect(ratio).toBeLessThan(2.01);
    });
  });
});
