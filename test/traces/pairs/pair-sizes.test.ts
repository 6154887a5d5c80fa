import { describe, expect, it } from 'vitest';
import { InputActivity, sizesOfPairs } from '../../../src/traces/pairs/pair-sizes.js';

describe('InputActivity', () => {
  const norms = [
    [3, 1, 0],
    [10, 20, 90],
    [7, 7, 7],
  ];
  const weights = [1, 2, 0.5];

  it('is the mean over the calls that count, each against its weighted mean, with a share for the biases', () => {
    const activity = new InputActivity([0, 1]);
    activity.add(norms, weights);
    const mean = (call: number) => weights.reduce((sum, w, n) => sum + w * (norms[call][n] + 1), 0) / 3.5;
    [0, 1, 2].forEach((n) => {
      const ofCalls = ((norms[0][n] + 1) / mean(0) + (norms[1][n] + 1) / mean(1)) / 2;
      expect(activity.of(norms, n)).toBeCloseTo(0.3 + 0.7 * ofCalls, 12);
    });
    // Seen in two parts, it is the same.
    const parts = new InputActivity([0, 1]);
    parts.add(
      norms.map((row) => row.slice(0, 1)),
      weights.slice(0, 1),
    );
    parts.add(
      norms.map((row) => row.slice(1)),
      weights.slice(1),
    );
    expect(parts.of(norms, 2)).toBeCloseTo(activity.of(norms, 2), 12);
  });

  it('is 1 where nothing tells samples apart', () => {
    const none = new InputActivity([]);
    none.add(norms, weights);
    expect(none.of(norms, 0)).toBe(1);
    expect(new InputActivity([0]).of(norms, 0)).toBe(1);
  });
});

describe('sizesOfPairs', () => {
  it('is the weight of a pair times the activity of its sample', () => {
    const inputNorms = [Float32Array.of(3, 0.5, 0), Float32Array.of(1, 8, 2)];
    const weights = [0.5, 0.25, 1, 0, 0.125, 2];
    const totals = [Float64Array.of(0.75, 1, 2.125)];
    const activity = new InputActivity([1]);
    activity.add(inputNorms, totals[0]!);
    const mean = (0.75 * 2 + 1 * 9 + 2.125 * 3) / 3.875;
    const batch = {
      samples: 3,
      columns: 2,
      columnsOfHeads: [2],
      weights: Float32Array.from(weights),
      inputNorms,
      totals,
    };
    const { sizes, ...rest } = sizesOfPairs(batch, activity);
    expect(rest).toEqual({ samples: 3, columns: 2 });
    weights.forEach((weight, i) => {
      const norm = inputNorms[1]![Math.floor(i / 2)]!;
      expect(sizes[i]).toBeCloseTo(weight * (0.3 + (0.7 * (norm + 1)) / mean), 6);
    });
  });
});
