import { describe, expect, it } from 'vitest';
import { ofMatrix } from '../../src/measures/normalized-sharpness.js';
import { type NormalizedMatrix, normalizedSharpness } from '../../src/measures.js';
import { atOnce } from '../../src/network/walk.js';
import { uniforms } from '../../src/traces/sampling/uniform.js';

function matrix(rows: number, columns: number, seed: number): NormalizedMatrix {
  const uniform = uniforms(seed);
  const size = rows * columns;
  return {
    rows,
    columns,
    weights: Array.from({ length: size }, (_, i) => uniform(i) - 0.5),
    curvature: Array.from({ length: size }, (_, i) => uniform(size + i) ** 3),
  };
}

/** By its definition, with gradient descent on the logarithms of the factors. */
function reference({ rows, columns, weights, curvature }: NormalizedMatrix): number {
  const x = new Array<number>(rows + columns).fill(0);
  const at = (logs: readonly number[]) => {
    let [up, down] = [0, 0];
    const slopes = logs.map(() => [0, 0]);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const factor = Math.exp(2 * (logs[i]! + logs[rows + j]!));
        const a = curvature[i * columns + j]! * factor;
        const b = weights[i * columns + j]! ** 2 / factor;
        up += a;
        down += b;
        for (const k of [i, rows + j]) {
          slopes[k]![0]! += a;
          slopes[k]![1]! += b;
        }
      }
    }
    return { value: Math.sqrt(up * down), slopes: slopes.map(([a, b]) => a! / up - b! / down) };
  };
  for (let step = 0; step < 20_000; step++) {
    at(x).slopes.forEach((slope, k) => {
      x[k]! -= 0.3 * slope;
    });
  }
  return at(x).value;
}

describe('normalized sharpness', () => {
  it.each([
    [1, 1, 1],
    [3, 4, 2],
    [6, 2, 3],
  ])('is the minimum of its definition: %i x %i', (rows, columns, seed) => {
    const given = matrix(rows, columns, seed);
    expect(normalizedSharpness([given]) / reference(given)).toBeCloseTo(1, 9);
  });

  it('adds up over matrices, and does not change when rows and columns are scaled', () => {
    const [one, other] = [matrix(5, 4, 4), matrix(2, 3, 5)];
    const scaled = {
      ...one,
      weights: Array.from(one.weights, (w, at) => w * 3 ** (at % 4) * 2 ** Math.floor(at / 4)),
      curvature: Array.from(one.curvature, (h, at) => h / (3 ** (at % 4) * 2 ** Math.floor(at / 4)) ** 2),
    };
    const sum = normalizedSharpness([one]) + normalizedSharpness([other]);
    expect(normalizedSharpness([one, other])).toBeCloseTo(sum, 12);
    expect(normalizedSharpness([scaled]) / normalizedSharpness([one])).toBeCloseTo(1, 12);
  });

  it('counts rows and columns without weights or curvature 0', () => {
    const core = matrix(2, 2, 6);
    const [a, b, c, d] = Array.from(core.weights) as [number, number, number, number];
    const [e, f, g, h] = Array.from(core.curvature) as [number, number, number, number];
    const wider = { rows: 3, columns: 3, weights: [a, b, 0, c, d, 0, 5, 6, 0], curvature: [e, f, 7, g, h, 8, 0, 0, 0] };
    expect(normalizedSharpness([wider]) / normalizedSharpness([core])).toBeCloseTo(1, 12);
    expect(normalizedSharpness([{ rows: 1, columns: 2, weights: [1, 2], curvature: [0, 0] }])).toBe(0);
  });

  it.each([
    ['zeros of weights and of curvature', 2, 2, [1, 0, 1, 0], [0, 1, 1, 1], 1],
    ['a triangle of each', 2, 2, [1, 0, 1, 1], [1, 1, 0, 1], 2],
    ['no two entries in one place', 2, 2, [1, 0, 0, 1], [0, 1, 1, 0], 2],
    ['a row and a column of nothing', 2, 3, [0, 0, 0, 3, 0, 2], [0, 1, 2, 0, 1, 4], 4],
  ])('is the infimum where no factors attain it: %s', (_, rows, columns, weights, curvature, infimum) => {
    expect(normalizedSharpness([{ rows, columns, weights, curvature }])).toBeCloseTo(infimum, 12);
  });

  it('is soon there with triangles of weights and of curvature', () => {
    const rows = 24;
    const triangle = (has: (i: number, j: number) => boolean) =>
      Array.from({ length: rows * rows }, (_, at) => (has(Math.floor(at / rows), at % rows) ? 1 : 0));
    const [weights, curvature] = [triangle((i, j) => i >= j), triangle((i, j) => i <= j)];
    expect(normalizedSharpness([{ rows, columns: rows, weights, curvature }])).toBeCloseTo(24, 10);
    const nextTo0 = weights.map((weight) => weight || 1e-15);
    expect(() => normalizedSharpness([{ rows, columns: rows, weights: nextTo0, curvature }])).toThrow(
      /^normalizedSharpness: matrix 0 has not settled after 1000 sweeps: .*\.$/,
    );
    // Who knows more of it says so, and may stop between two sweeps.
    const named = () => ofMatrix({ rows, columns: rows, weights: nextTo0, curvature }, "of: 'kernel'", 'mend it');
    expect(() => atOnce(named())).toThrow("of: 'kernel' has not settled after 1000 sweeps: mend it.");
    expect(
      [...Array(9)].map(
        (
          (walk) => () =>
            walk.next().done
        )(named()),
      ),
    ).toEqual(Array(9).fill(false));
  });

  it.each([1e200, 1e-170])('is as much larger as the weights, also of weights times %d', (factor) => {
    const given = matrix(3, 4, 7);
    const weights = Array.from(given.weights, (weight) => weight * factor);
    expect(normalizedSharpness([{ ...given, weights }]) / factor / normalizedSharpness([given])).toBeCloseTo(1, 12);
  });

  it.each([
    [
      { rows: 2, columns: 2, weights: [1], curvature: [1] },
      /^normalizedSharpness: matrix 0 has 1 weights: pass 2 x 2, .*\.$/,
    ],
    [
      { rows: 1, columns: 1, weights: [1], curvature: [-1] },
      /^normalizedSharpness: matrix 0 has the weight 1 with curvature -1: .*\.$/,
    ],
    [
      { rows: 1, columns: 1, weights: [Number.NaN], curvature: [1] },
      /^normalizedSharpness: matrix 0 has the weight NaN .*\.$/,
    ],
    [
      { rows: 1.5, columns: 2, weights: [1, 2, 3], curvature: [1, 1, 1] },
      /^normalizedSharpness: matrix 0: rows must be a whole number of at least 0, but it is 1\.5\.$/,
    ],
    [
      { rows: 2, columns: 1.5, weights: [1, 2, 3], curvature: [1, 1, 1] },
      /^normalizedSharpness: matrix 0: columns must be a whole number .*\.$/,
    ],
    [
      { rows: 2, columns: 2, weights: [1, 1e160, 1, 1], curvature: [1, 1, 1e-320, 1e300] },
      /^normalizedSharpness: matrix 0 leaves the range of numbers on the way: .*\.$/,
    ],
  ])('refuses in one line what is no such matrix', (given, message) => {
    expect(() => normalizedSharpness([given])).toThrow(message);
  });
});
