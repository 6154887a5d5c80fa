import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../../src/network/walk.js';
import { tensorPairs } from '../../../src/traces/pairs/tensor-pairs.js';
import { paretoSample } from '../../../src/traces/sampling/pareto.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

describe('tensorPairs', () => {
  const [samples, columns] = [20, 3];
  const sizes = Float32Array.from({ length: samples * columns }, (_, i) => Math.exp(2 * Math.sin(i)));
  const batch = { samples, columns, sizes };

  it('draws by size and seed, and takes the row of the sample for each pair', () => {
    const inputs = [tf.reshape(tf.range(0, 40), [20, 2]), tf.range(100, 120, 1, 'int32')];
    const before = tf.memory().numTensors;
    const source = tensorPairs(inputs, batch, 8, true, undefined);
    expect(source).toMatchObject({ samples: 20, shapes: [[2], []], allBeyond: true, population: undefined });
    const draw = atOnce(source.drawing(12));
    expect(draw).toEqual(paretoSample(sizes, 12, (i) => uniform(8, i)));
    const { inputs: rows, columns: ofPairs } = source.rows(draw.indices);
    const places = draw.indices.map((pair) => Math.floor(pair / 3));
    expect(draw.indices.map(source.sampleOf)).toEqual(places);
    expect(ofPairs).toEqual(draw.indices.map((pair) => pair % 3));
    expect([...rows[0]!.dataSync()]).toEqual(places.flatMap((n) => [2 * n, 2 * n + 1]));
    expect([...rows[1]!.dataSync()]).toEqual(places.map((n) => 100 + n));
    tf.dispose(rows);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(inputs);
  });

  it('leaves to the exact kernel what is measured cheaper there', () => {
    const x = tf.zeros([20, 2]);
    expect(tensorPairs([x], batch, 1, true, undefined).largest).toBe(30);
    expect(tensorPairs([x], batch, 1, false, undefined).largest).toBe(59);
    x.dispose();
  });

  it('knows how large the data is that its samples are a part of', () => {
    const x = tf.zeros([20, 2]);
    expect(tensorPairs([x], batch, 1, true, () => 77).population!()).toBe(77);
    x.dispose();
  });
});
