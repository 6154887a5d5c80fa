import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimumAssumptions } from '../../src/measure/assumptions.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { minimizeOverScales } from '../../src/symmetry/scale-minimum.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { goldenCases, goldenModel } from '../measure/golden-network.js';
import { affine, chain, dense, type FakeLayer, network } from './fake-graph.js';
import { randomGraph } from './random-graph.js';

/** Minimum of a chain by the traces of its trainable parameters, by name. */
function minimumOf(layers: readonly FakeLayer[], traces: Record<string, number>) {
  const symmetry = scaleSymmetry(chain(layers));
  const found = minimizeOverScales(
    symmetry,
    symmetry.parameters.map(({ parameter }) => traces[parameter.name]),
  );
  const alpha = Object.fromEntries(found.scales.map(({ layer, alpha }) => [layer, alpha]));
  return { ...found, alpha, assumptions: minimumAssumptions(found) };
}

const mlp = () => [dense('d1'), dense('d2'), dense('out')];
const ordinary = { 'd1/kernel': 1, 'd1/bias': 2, 'd2/kernel': 3, 'd2/bias': 4, 'out/kernel': 5, 'out/bias': 6 };

/** min over s of d1 and d2 of an ordinary mlp with some terms left out, on ever finer grids. */
function gridMinimum(f: (s1: number, s2: number) => number): number {
  let [best, c1, c2] = [Infinity, 0, 0];
  for (let width = 30; width > 1e-8; width /= 2) {
    const [m1, m2] = [c1, c2];
    for (let i = -8; i <= 8; i++) {
      for (let j = -8; j <= 8; j++) {
        const [s1, s2] = [m1 + (i / 8) * width, m2 + (j / 8) * width];
        const value = f(s1, s2);
        if (value < best) {
          [best, c1, c2] = [value, s1, s2];
        }
      }
    }
  }
  return best;
}

const e = (x: number) => Math.exp(-2 * x);

describe('minimizeOverScales, fed the golden traces', () => {
  for (const golden of goldenCases()) {
    it(golden.name, async () => {
      const model = await goldenModel(golden);
      const { graph } = subjectOfModel(model, { loss: golden.loss });
      const { ggnTrace, minimumSharpness, alpha } = golden.expected;
      const symmetry = scaleSymmetry(graph);
      expect(symmetry.parameters.map(({ parameter }) => parameter.name).sort()).toEqual(Object.keys(ggnTrace).sort());
      const found = minimizeOverScales(
        symmetry,
        symmetry.parameters.map(({ parameter }) => ggnTrace[parameter.name]),
      );
      expect(Math.abs(found.value / minimumSharpness - 1)).toBeLessThan(1e-12);
      expect(found.scales.map(({ layer }) => layer).sort()).toEqual(Object.keys(alpha).sort());
      for (const scale of found.scales) {
        expect(Math.abs(scale.alpha / alpha[scale.layer] - 1)).toBeLessThan(1e-10);
      }
      expect(found.steps).toBeLessThan(12);
      expect(minimumAssumptions(found)).toEqual([]);
      model.dispose();
    });
  }
});

describe('minimizeOverScales', () => {
  it('is D (prod T)^(1/D) on a chain without biases', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 40 }),
        (decades) => {
          const depth = decades.length;
          const symmetry = scaleSymmetry(chain(decades.map((_, l) => affine(`d${l}`, ['kernel']))));
          const found = minimizeOverScales(
            symmetry,
            decades.map((d) => 10 ** d),
          );
          const mean = 10 ** (decades.reduce((a, b) => a + b) / depth);
          expect(Math.abs(found.value / (depth * mean) - 1)).toBeLessThan(1e-12);
          for (const [l, { alpha }] of found.scales.entries()) {
            expect(Math.abs(alpha / Math.sqrt(10 ** decades[l] / mean) - 1)).toBeLessThan(1e-10);
          }
          expect(found.steps).toBeLessThan(30);
        },
      ),
    );
  });

  it('does not change when a random network is rescaled', () => {
    fc.assert(
      fc.property(
        randomGraph,
        fc.infiniteStream(fc.double({ min: -4, max: 4, noNaN: true })),
        fc.infiniteStream(fc.nat(9)),
        (graph, reals, integers) => {
          const symmetry = scaleSymmetry(graph);
          const draw = () => reals.next().value as number;
          const traces = symmetry.parameters.map(() => (integers.next().value === 0 ? 0 : 10 ** draw()));
          const x = Array.from({ length: symmetry.freedom }, draw);
          const rescaled = symmetry.parameters.map(
            ({ exponent }, b) => traces[b] * Math.exp(2 * exponent.reduce((total, c, i) => total + c * x[i], 0)),
          );
          const [here, there] = [traces, rescaled].map((t) => minimizeOverScales(symmetry, t));
          expect(here.value).toBeLessThanOrEqual(traces.reduce((a, b) => a + b, 0) * (1 + 1e-12));
          expect(Math.abs(here.value - there.value)).toBeLessThanOrEqual(1e-12 * here.value);
          expect(here.steps).toBeLessThan(30);
          expect(there.steps).toBeLessThan(30);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('gives the exponents that make the value', () => {
    const { value, exponents } = minimumOf(mlp(), ordinary);
    const traces = Object.values(ordinary);
    expect(traces.reduce((total, t, b) => total + t * e(exponents[b]), 0)).toBeCloseTo(value, 12);
  });

  it('is a limit under a zero-initialised head', () => {
    // Traces of a zero kernel are not 0, but nothing passes back through it: all below are.
    const head = { 'd1/kernel': 0, 'd1/bias': 0, 'd2/kernel': 0, 'd2/bias': 0, 'out/kernel': 5, 'out/bias': 6 };
    const { value, alpha, exponents, assumptions, steps } = minimumOf(mlp(), head);
    expect(value).toBeCloseTo(6, 12);
    expect(alpha.out).toBe(Infinity);
    expect([alpha.d1, alpha.d2]).toEqual([0, 0]);
    expect(exponents).toEqual([Infinity, Infinity, Infinity, Infinity, Infinity, 0]);
    expect(steps).toBeLessThan(30);
    expect(assumptions).toEqual([
      "Minimum Sharpness is a limit that no rescaling reaches, since the trace of 'd1/kernel', 'd1/bias', 'd2/kernel' " +
        "and 'd2/bias' is 0: the scale of 'out' goes to infinity, the scale of 'd1' and 'd2' goes to 0.",
    ]);
  });

  it('is a limit where only the head has no trace', () => {
    const { value, alpha } = minimumOf(mlp(), { ...ordinary, 'out/kernel': 0 });
    expect(value).toBeCloseTo(6, 12);
    expect(alpha.out).toBe(0);
    expect(alpha.d1).toBe(Infinity);
  });

  it('is a limit under a zero gamma', () => {
    const layers = [dense('conv'), affine('norm', ['kernel', 'bias']), dense('out')];
    const { value, alpha, assumptions } = minimumOf(layers, {
      'conv/kernel': 0,
      'conv/bias': 0,
      'norm/kernel': 2,
      'norm/bias': 3,
      'out/kernel': 4,
      'out/bias': 5,
    });
    // gamma goes to infinity at a fixed output scale, which beta and the head settle between them.
    expect(value).toBeCloseTo(5 + 2 * Math.sqrt(12), 12);
    expect(alpha).toMatchObject({ conv: 0, norm: Infinity });
    expect(alpha.out).toBeCloseTo((4 / 3) ** 0.25, 12);
    expect(assumptions).toHaveLength(1);
  });

  it('is a limit around a dead layer in the middle, as brute force finds', () => {
    const { value, alpha } = minimumOf(mlp(), { ...ordinary, 'd2/kernel': 0 });
    // s1 runs off; what is left of it are d2's bias and the head.
    expect(value).toBeCloseTo(6 + 2 * Math.sqrt(20), 12);
    expect(alpha.d1).toBe(Infinity);
    expect(alpha.d2).toBe(0);
    expect(alpha.out).toBeCloseTo((5 / 4) ** 0.25, 12);
    const brute = gridMinimum((s1, s2) => e(s1) + 2 * e(s1) + 4 * e(s2) + 5 * e(-s2) + 6);
    expect(Math.abs(value / brute - 1)).toBeLessThan(1e-9);
  });

  it('is attained where biases without a trace leave the kernels to hold each other', () => {
    const { value, assumptions } = minimumOf(mlp(), { ...ordinary, 'd1/bias': 0, 'd2/bias': 0, 'out/bias': 0 });
    expect(value).toBeCloseTo(3 * 15 ** (1 / 3), 12);
    expect(assumptions).toEqual([]);
  });

  it('agrees with brute force on an ordinary network', () => {
    const { value } = minimumOf(mlp(), ordinary);
    const brute = gridMinimum((s1, s2) => 3 * e(s1) + 3 * e(s2 - s1) + 4 * e(s2) + 5 * e(-s2) + 6);
    expect(Math.abs(value / brute - 1)).toBeLessThan(1e-9);
  });

  it('moves no scale into a frozen head or trunk', () => {
    const head = minimumOf([dense('d1'), dense('d2'), affine('out', ['frozen kernel', 'frozen bias'])], ordinary);
    expect(head.alpha.d2).toBeCloseTo(1 / head.alpha.d1, 12);
    const brute = gridMinimum((s1) => 3 * e(s1) + 3 * e(-s1) + 4);
    expect(Math.abs(head.value / brute - 1)).toBeLessThan(1e-9);
    const trunk = minimumOf([affine('d1', ['frozen kernel', 'frozen bias']), dense('d2'), dense('out')], ordinary);
    expect(trunk.value).toBeCloseTo(6 + 2 * Math.sqrt(35), 12);
    const only = minimumOf([affine('d1', ['frozen kernel', 'frozen bias']), dense('out')], ordinary);
    expect(only).toMatchObject({ value: 11, scales: [], assumptions: [] });
  });

  it('is the trace itself for a single layer, and 0 where all traces are 0', () => {
    expect(minimumOf([dense('out')], ordinary)).toMatchObject({ value: 11, scales: [], assumptions: [], steps: 0 });
    const none = minimumOf(mlp(), Object.fromEntries(Object.keys(ordinary).map((name) => [name, 0])));
    expect(none).toMatchObject({ value: 0, alpha: { d1: 1, d2: 1, out: 1 }, assumptions: [] });
  });

  it('leaves a layer alone that nothing determines', () => {
    const { call, step, graph } = network();
    const out = call(dense('out'), call(dense('d1'), 0));
    call(dense('unused'), step('ties', 0));
    const symmetry = scaleSymmetry(graph(out));
    const traces = symmetry.parameters.map(({ parameter }) => (parameter.layer.name === 'unused' ? 0 : 1));
    const found = minimizeOverScales(symmetry, traces);
    const { scales } = found;
    expect(scales.map(({ layer }) => layer)).toEqual(['d1', 'out', 'unused']);
    expect(scales[2].alpha).toBe(1);
    expect(minimumAssumptions(found)).toEqual([]);
  });

  it('refuses traces that are not numbers, by name', () => {
    const symmetry = scaleSymmetry(chain([dense('d1')]));
    for (const bad of [Number.NaN, Infinity, -1]) {
      expect(() => minimizeOverScales(symmetry, [1, bad])).toThrow(`The trace of 'd1/bias' is ${bad}`);
    }
    expect(() => minimizeOverScales(symmetry, [1])).toThrow('Expected 2 traces');
  });
});
