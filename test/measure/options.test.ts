import { describe, expect, it } from 'vitest';
import { checkMeasureOptions, isHutchinson, isSampled, type MeasureOptions } from '../../src/measure/options.js';

const nothing = () => {};

describe('checkMeasureOptions', () => {
  it.each<MeasureOptions>([
    {},
    { loss: 'meanSquaredError', lossWeights: [1, 0] },
    { loss: { a: 'meanSquaredError' }, lossWeights: { a: 2 } },
    { method: 'exact', memoryMB: 0.5, seed: -3, part: 1 },
    { method: { pairs: 2 }, part: 0.1 },
    { method: { tolerance: 0.999 } },
    { method: { hutchinson: 2 }, part: 1 },
    { sampleWeight: [1, 2], classWeight: { 0: 1 }, countFrozen: true },
    { signal: new AbortController().signal, onProgress: nothing },
    { method: undefined, seed: undefined, part: undefined, memoryMB: undefined, signal: undefined },
  ])('takes %j', (options) => {
    expect(() => checkMeasureOptions(options)).not.toThrow();
  });

  it.each<[string, Record<string, unknown>]>([
    ['tolerence', { tolerence: 0.1 }],
    ['loss', { loss: 'focal' }],
    ['lossWeights', { lossWeights: [0, 0] }],
    ['method', { method: 'quick' }],
    ['method', { method: { pairs: 9, tolerance: 0.1 } }],
    ['pairs', { method: { pairs: 1 } }],
    ['tolerance', { method: { tolerance: 1 } }],
    ['hutchinson', { method: { hutchinson: 1 } }],
    ['part', { part: 0 }],
    ['part', { part: 0.5, method: { hutchinson: 2 } }],
    ['seed', { seed: 0.5 }],
    ['memoryMB', { memoryMB: 0 }],
    ['memoryMB', { memoryMB: Number.POSITIVE_INFINITY }],
    ['sampleWeight', { sampleWeight: 2 }],
    ['classWeight', { classWeight: { 0: -1 } }],
    ['countFrozen', { countFrozen: 1 }],
    ['signal', { signal: {} }],
    ['onProgress', { onProgress: true }],
  ])('names %s in one line where it is out of range: %j', (name, options) => {
    expect(() => checkMeasureOptions(options)).toThrow(new RegExp(`^[^\\n]*\\b${name}\\b[^\\n]*$`));
  });
});

it('knows which methods draw pairs, and which give the traces of the Hessian', () => {
  const methods = [undefined, 'exact', { pairs: 9 }, { tolerance: 0.1 }, { hutchinson: 3 }] as const;
  expect(methods.map((method) => isSampled(method))).toEqual([false, false, true, true, false]);
  expect(methods.map((method) => isHutchinson(method))).toEqual([false, false, false, false, true]);
});
