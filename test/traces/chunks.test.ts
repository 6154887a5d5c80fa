import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { nextChunk, twiceTried } from '../../src/traces/chunks.js';

it('cuts samples into as few chunks as the largest allows, of about one size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 700 }), (samples, most) => {
      const chunks: number[] = [];
      for (let left = samples; left > 0; left -= chunks.at(-1)!) {
        chunks.push(nextChunk(left, most));
      }
      expect(chunks.reduce((a, b) => a + b)).toBe(samples);
      expect(chunks).toHaveLength(Math.ceil(samples / most));
      expect(Math.max(...chunks)).toBeLessThanOrEqual(most);
      expect(Math.max(...chunks) - Math.min(...chunks)).toBeLessThanOrEqual(1);
    }),
  );
});

it('tries a few samples after one, but no more than fit', () => {
  const tried: number[] = [];
  const fits = (first: number) => (samples: number) => {
    tried.push(samples);
    return samples === 1 ? first : 1000;
  };
  expect([twiceTried(fits(100)), twiceTried(fits(7))]).toEqual([1000, 1000]);
  expect(tried).toEqual([1, 16, 1, 7]);
});

it.each(['exact', { tolerance: 0.2 }] as const)('tries once a network: %s', async (method) => {
  const { dense } = tfl.layers;
  const model = tfl.sequential({ layers: [dense({ units: 5, inputShape: [4] }), dense({ units: 3 })] });
  const rowsOf = async (samples: number, memoryMB: number) => {
    const x = tf.randomNormal([samples, 4]);
    const { kernels, result } = await tf.profile(async () => {
      await measureSharpness(model, x, { loss: 'softmaxCrossEntropy', method, memoryMB });
      return tf.scalar(0);
    });
    tf.dispose([x, result]);
    // Forward passes of the second layer: one for a trial, one for a chunk.
    return kernels
      .filter(({ name, outputShapes }) => name === 'Add' && outputShapes[0]!.length === 2 && outputShapes[0]![1] === 5)
      .map(({ outputShapes }) => outputShapes[0]![0]!);
  };
  const first = await rowsOf(700, 64);
  const second = await rowsOf(700, 64);
  expect(first).toContain(1);
  expect(second).not.toContain(1);
  expect(second.length).toBeLessThan(first.length);
  expect(await rowsOf(700, 32)).toContain(1);
  model.dispose();
});
