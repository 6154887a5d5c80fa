import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { partOfSet, partOfStream, rowsOf } from '../../src/measure/random-part.js';
import { atOnce } from '../../src/network/walk.js';
import { uniforms } from '../../src/traces/sampling/uniform.js';

describe('partOfSet', () => {
  it('has the size that is asked for, and every sample as often as the others', () => {
    const seeds = 2000;
    const counts = new Array<number>(40).fill(0);
    for (let seed = 0; seed < seeds; seed++) {
      const { population, places } = atOnce(partOfSet(0.25, 40, seed));
      expect(population).toBe(40);
      expect(places).toHaveLength(10);
      expect([...places].sort((a, b) => a - b)).toEqual(places);
      for (const place of places) {
        counts[place]++;
      }
    }
    const deviations = counts.map((count) => (count - seeds / 4) / Math.sqrt((seeds * 3) / 16));
    expect(Math.max(...deviations.map(Math.abs))).toBeLessThan(3.8);
    expect(atOnce(partOfSet(0.25, 40, 3)).places).toEqual(atOnce(partOfSet(0.25, 40, 3)).places);
  });

  it('is that of the smallest numbers, and stops on its way through many', () => {
    const [samples, seed] = [200_000, 5];
    const walk = partOfSet(0.1, samples, seed);
    let stops = 0;
    let each = walk.next();
    for (; !each.done; each = walk.next()) {
      stops++;
    }
    expect(stops).toBe(9);
    const uniform = uniforms(seed);
    const numbers = Array.from({ length: samples }, (_, n) => uniform(2 ** 52 + n));
    const threshold = Float64Array.from(numbers).sort()[samples / 10 - 1]!;
    expect(each.value!.places).toEqual(numbers.flatMap((number, n) => (number <= threshold ? [n] : [])));
  });

  it('refuses a part of fewer than 2 samples', () => {
    expect(() => atOnce(partOfSet(0.1, 14, 0))).toThrow(/^part: 1 of the 14 samples would be run, .* raise part\.$/);
    expect(atOnce(partOfSet(0.1, 15, 0)).places).toHaveLength(2);
  });
});

describe('partOfStream', () => {
  it('draws each sample with the share as its probability, whatever the batches', () => {
    const one = partOfStream(0.3, 5);
    const whole = one.next(1000).places;
    const many = partOfStream(0.3, 5);
    const pieces = Array.from({ length: 10 }, (_, i) => many.next(100).places.map((place) => 100 * i + place)).flat();
    expect(pieces).toEqual(whole);
    expect(Math.abs(whole.length - 300)).toBeLessThan(3.5 * Math.sqrt(210));
    expect(many.population).toBe(1000);
    many.end();
    const few = partOfStream(1e-9, 5);
    few.next(20);
    expect(() => few.end()).toThrow(/^part: 0 of the 20 samples/);
  });
});

describe('rowsOf', () => {
  it('takes the rows out of every tensor', () => {
    tf.tidy(() => {
      const [a, b] = rowsOf({ population: 3, places: [0, 2] }, [tf.tensor1d([1, 2, 3]), tf.tensor2d([[1], [5], [7]])]);
      expect([...a.dataSync()]).toEqual([1, 3]);
      expect(b.shape).toEqual([2, 1]);
      expect([...b.dataSync()]).toEqual([1, 7]);
    });
  });
});
