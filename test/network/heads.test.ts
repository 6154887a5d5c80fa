import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { subjectOfModel } from '../../src/measure/subject.js';
import { headColumns, sideBySide } from '../../src/network/head-columns.js';
import {
  columnsOf,
  countsNothing,
  deltasByColumn,
  deltasOf,
  deltasOfEach,
  type Head,
  residualsOf,
} from '../../src/network/heads.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { traceKernel } from '../../src/traces/exact.js';
import { pairKernel } from '../../src/traces/pairs/pair-kernel.js';
import { setGoldenWeights } from '../measure/golden-network.js';

const SAMPLES = 3;
const POSITIONS = 4;

it('counts nothing where every weight, or every sum of a row, is 0', async () => {
  const [zeros, half, ones] = [tf.tensor1d([0, 0]), tf.tensor2d([[0, 1], [0, 0]]), tf.ones([2])]; // biome-ignore format: one line
  const head = { weights: 0, rowSums: 1 } as Head;
  expect(await countsNothing(head, [zeros, ones])).toBe(true);
  expect(await countsNothing(head, [half, ones])).toBe(false);
  expect(await countsNothing(head, [half, tf.tensor1d([0, 1])])).toBe(true);
  expect(await countsNothing({ ...head, weights: null }, [zeros, ones])).toBe(false);
  expect(await countsNothing({ ...head, weights: null, rowSums: null }, [zeros, zeros])).toBe(false);
  tf.dispose([zeros, half, ones]);
});

/** Two heads with positions and weights, one without, and what they read: z, z, z, weights of positions, of samples, labels. */
function threeHeads() {
  const { softmaxCrossEntropy, sigmoidCrossEntropy, meanSquaredError } = outputHessians;
  const none = { columns: undefined };
  const heads: Head[] = [
    {
      ...none,
      name: 'tags',
      output: 0,
      hasPositions: true,
      weights: 3,
      rowSums: null,
      labels: 5,
      lossWeight: 2,
      hessian: softmaxCrossEntropy,
    },
    {
      ...none,
      name: 'flags',
      output: 1,
      hasPositions: true,
      weights: 4,
      rowSums: null,
      labels: 6,
      lossWeight: 1,
      hessian: sigmoidCrossEntropy,
    },
    {
      ...none,
      name: 'value',
      output: 2,
      hasPositions: false,
      weights: null,
      rowSums: null,
      labels: 7,
      lossWeight: 0.5,
      hessian: meanSquaredError,
    },
  ];
  const noise = (shape: number[], seed: number) => tf.randomUniform(shape, -2, 2, 'float32', seed);
  const outputs = [
    noise([SAMPLES, POSITIONS, 3], 1),
    noise([SAMPLES, 2, 2, 2], 2),
    noise([SAMPLES, 2], 3),
    tf.randomUniform([SAMPLES, POSITIONS], 0, 2, 'float32', 4),
    tf.tensor1d([0.5, 0, 3]),
    tf.oneHot([0, 1, 2, 0, 1, 1, 2, 2, 0, 0, 1, 2], 3).reshape([SAMPLES, POSITIONS, 3]).toFloat(),
    tf.randomUniform([SAMPLES, 2, 2, 2], 0, 1, 'float32', 5),
    noise([SAMPLES, 2], 6),
  ];
  return { heads, outputs };
}

const columnsOfAll = [4 * 2, 4 * 2, 2];

describe('heads', () => {
  it('give vectors an axis for their columns, with the weights of samples and of the head', () => {
    const { heads, outputs } = threeHeads();
    tf.tidy(() => {
      const weighted: Head = { ...heads[2]!, weights: 4, hessian: outputHessians.softmaxCrossEntropy };
      const vectors = [...outputs.slice(0, 2), tf.randomNormal([SAMPLES, 5], 0, 1, 'float32', 7), ...outputs.slice(3)];
      for (const head of [heads[2]!, weighted]) {
        const delta = deltasByColumn(head, vectors, 1, 1) as { readonly byColumn: tf.Tensor3D };
        expect(delta.byColumn.shape).toEqual([1, SAMPLES, 5]);
        expect(delta.byColumn.arraySync()[0]).toEqual(deltasOf(head, vectors, 1, 1).arraySync());
      }
      const delta = deltasByColumn(heads[0]!, outputs, 0, 3) as tf.Tensor;
      expect(delta.arraySync()).toEqual(deltasOf(heads[0]!, outputs, 0, 3).arraySync());
    });
    tf.dispose(outputs);
  });

  it('number the columns head by head, position by position', () => {
    const { heads, outputs } = threeHeads();
    expect(heads.map((head) => columnsOf(head, outputs))).toEqual(columnsOfAll);
    tf.tidy(() => {
      const read = headColumns(heads, outputs, [null, null, null], null);
      const { joined, partsOf } = sideBySide(read.tensors);
      const { curvature } = read.of(partsOf(joined.dataSync() as Float32Array)).norms();
      const norms = tf.tensor2d(curvature, [SAMPLES, curvature.length / SAMPLES]).arraySync();
      let before = 0;
      heads.forEach((head, h) => {
        const count = columnsOfAll[h]!;
        const all = deltasOf(head, outputs, 0, count);
        expect(all.shape).toEqual([count * SAMPLES, ...outputs[h]!.shape.slice(1)]);
        const rows = all.reshape([count * SAMPLES, -1]).arraySync() as number[][];
        for (let column = 0; column < count; column++) {
          for (let n = 0; n < SAMPLES; n++) {
            const row = rows[column * SAMPLES + n]!;
            // The closed form of the norms is that of the columns themselves.
            const square = row.reduce((sum, c) => sum + c * c, 0);
            expect(norms[n]![before + column]!).toBeCloseTo(square, 5);
            // One column alone, or a part of them, is the same.
            const [part] = deltasOf(head, outputs, column, 1)
              .reshape([SAMPLES, -1])
              .slice(n, 1)
              .arraySync() as number[][];
            part!.forEach((value, i) => {
              expect(value).toBeCloseTo(row[i]!, 6);
            });
            const each = deltasOfEach(heads, outputs, Array<number>(SAMPLES).fill(before + column));
            expect([...each.keys()]).toEqual([h]);
            const [one] = each.get(h)!.reshape([SAMPLES, -1]).slice(n, 1).arraySync() as number[][];
            one!.forEach((value, i) => {
              expect(value).toBeCloseTo(row[i]!, 6);
            });
          }
        }
        before += count;
      });
    });
    tf.dispose(outputs);
  });

  it('weigh each row by its loss, its weight and the number of positions', () => {
    const { heads, outputs } = threeHeads();
    tf.tidy(() => {
      const [tags, flags, value] = heads.map((head) => deltasOf(head, outputs, 0, columnsOf(head, outputs)));
      const squares = (x: tf.Tensor, n: number) => {
        const rows = x.reshape([-1, SAMPLES, x.size / x.shape[0]]).arraySync() as number[][][];
        return rows.reduce((sum, row) => sum + row[n]!.reduce((s, v) => s + v * v, 0), 0);
      };
      const [zTags, zFlags] = [outputs[0]!.arraySync(), outputs[1]!.arraySync()] as [number[][][], number[][][][]];
      const ofPositions = outputs[3]!.arraySync() as number[][];
      for (let n = 0; n < SAMPLES; n++) {
        // tr A = 1 - sum p^2 for softmax, mean of p (1 - p) for sigmoid, 2 for the mean of squares.
        const traceOfTags = zTags[n]!.map((z, t) => {
          const sum = z.reduce((s, v) => s + Math.exp(v), 0);
          return ofPositions[n]![t]! * (1 - z.reduce((s, v) => s + (Math.exp(v) / sum) ** 2, 0));
        });
        expect(squares(tags!, n)).toBeCloseTo((2 / POSITIONS) * traceOfTags.reduce((a, b) => a + b), 5);
        const slopes = zFlags[n]!.flat(2).map((v) => 1 / (1 + Math.exp(-v)) / (1 + Math.exp(v)));
        const mean = slopes.reduce((a, b) => a + b) / slopes.length;
        expect(squares(flags!, n)).toBeCloseTo([0.5, 0, 3][n]! * mean, 5);
        expect(squares(value!, n)).toBeCloseTo(0.5 * 2, 5);
      }
    });
    tf.dispose(outputs);
  });

  it('add up residuals with the same weights', () => {
    const { heads, outputs } = threeHeads();
    tf.tidy(() => {
      const residuals = residualsOf(heads, outputs);
      const share = outputs[3]!.mul(2 / POSITIONS).expandDims(2);
      const tags = tf.softmax(outputs[0]!).sub(outputs[5]!).mul(share);
      const flags = tf
        .sigmoid(outputs[1]!)
        .sub(outputs[6]!)
        .mul(outputs[4]!.reshape([SAMPLES, 1, 1, 1]))
        .div(2 * POSITIONS);
      const value = outputs[2]!.sub(outputs[7]!).mul(0.5);
      [tags, flags, value].forEach((expected, h) => {
        const difference = tf.max(tf.abs(tf.sub(residuals.get(h)!, expected))).dataSync()[0]!;
        expect(residuals.get(h)!.shape).toEqual(outputs[h]!.shape);
        expect(difference).toBeLessThan(1e-6);
      });
    });
    expect(() =>
      tf.tidy(() => residualsOf([{ ...heads[0]!, rowSums: null, labels: null }], outputs) && tf.scalar(0)),
    ).toThrow(/Output 'tags' has no labels/);
    tf.dispose(outputs);
  });

  it('have pairs that add up to the exact traces, a mixture of heads in every chunk', async () => {
    const { layers } = tfl;
    const x = tfl.input({ shape: [3, 2] });
    const hidden = layers.dense({ units: 4, activation: 'relu' }).apply(x) as tfl.SymbolicTensor;
    const tags = layers.dense({ units: 3 }).apply(hidden) as tfl.SymbolicTensor;
    const value = layers.dense({ units: 2 }).apply(layers.flatten().apply(hidden)) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: x, outputs: [tags, value] });
    setGoldenWeights(model, 8);
    const loss = ['softmaxCrossEntropy', 'meanSquaredError'] as const;
    const { graph, heads } = subjectOfModel(model, { loss, lossWeights: [1, 3] });
    const data = tf.randomUniform([SAMPLES, 3, 2], -1, 1, 'float32', 2);
    const exact: number[] = [];
    for await (const { norms } of traceKernel(graph, heads, 2 ** 26).traces([data])) {
      norms.forEach((values, b) => {
        exact[b] = values.reduce((sum, v) => sum + v, exact[b] ?? 0);
      });
    }
    const columns = 3 * 2 + 2;
    const pairs = Array.from({ length: SAMPLES * columns }, (_, i) => (i * 5) % (SAMPLES * columns));
    const found = exact.map(() => 0);
    const rows = (begin: number, count: number) => {
      const chosen = pairs.slice(begin, begin + count);
      const inputs = [
        tf.gather(
          data,
          chosen.map((pair) => Math.floor(pair / columns)),
        ),
      ];
      return { inputs, columns: chosen.map((pair) => pair % columns) };
    };
    for (const budget of [2 ** 26, 8_000]) {
      found.fill(0);
      for await (const chunk of pairKernel(graph, heads, budget).traces(pairs.length, [data.shape.slice(1)], rows)) {
        chunk.forEach((values, b) => {
          found[b] = values.reduce((sum, v) => sum + v, found[b]!);
        });
      }
      found.forEach((value, b) => {
        expect(value / exact[b]!).toBeCloseTo(1, 5);
      });
    }
    data.dispose();
  });
});
