import { expect, it } from 'vitest';
import { sizeMixture } from '../../../src/traces/pairs/size-mixture.js';

it('mixes 0.45 by the column, 0.45 by the sample and 0.1 by curvature, on the scale of all so far', () => {
  const mixture = sizeMixture();
  const chunk = (curvature: number[], moved: number[] | null) => ({
    curvature: Float32Array.from(curvature),
    moved: moved && Float64Array.from(moved),
    totals: [Float32Array.from([curvature[0]! + curvature[1]!])],
  });
  // One sample with two columns: mean s = 8 / 4 by curvature, so that s / mean s = [3, 1].
  expect([...mixture(chunk([1, 3], [6, 2]))]).toEqual(
    [0.45 * 3 + 0.45 * 1 + 0.1, 0.45 * 1 + 0.45 * 3 + 0.3].map((each) => Math.fround(each)),
  );
  // With those before, the mean is 24 / 8.
  const second = [...mixture(chunk([2, 2], [16, 0]))];
  [16 / 3, 0].forEach((own, i) => {
    expect(second[i]).toBeCloseTo(0.45 * own + (0.45 * 8) / 3 + 0.2, 6);
  });
  expect([...mixture(chunk([5, 7], null))]).toEqual([5, 7]);
  // What is nowhere above 0 leaves the curvature.
  expect([...sizeMixture()(chunk([1, 3], [0, 0]))]).toEqual([0.1, 0.3].map((each) => Math.fround(each)));
});
