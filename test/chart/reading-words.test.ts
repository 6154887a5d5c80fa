import { expect, it } from 'vitest';
import {
  layersOf,
  layerText,
  markOf,
  problemLine,
  sharpnessOf,
  shortLayerText,
  valuesOf,
  whenOf,
} from '../../src/chart/reading-words.js';

it('values come with half their interval, and say where it is not reliable', () => {
  expect(sharpnessOf({ minimumSharpness: 27.4178 })).toBe('27.42');
  expect(sharpnessOf({ minimumSharpness: 27.4178, standardError: 0, reliable: true })).toBe('27.42');
  expect(sharpnessOf({ minimumSharpness: 27.4178, standardError: 0.5, reliable: true })).toBe('27.42 ± 1');
  expect(sharpnessOf({ minimumSharpness: 1e-7, standardError: 1e-8, reliable: false })).toBe(
    '1e-7 ± 2.1e-8, error not reliable',
  );
  expect(sharpnessOf({ minimumSharpness: Number.POSITIVE_INFINITY })).toBe('Infinity');
  expect(sharpnessOf({ minimumSharpness: Number.NaN, standardError: Number.NaN })).toBe('NaN');
  expect(valuesOf({ minimumSharpness: 2, trace: 3.25 })).toBe('Minimum Sharpness 2, trace 3.25');
});

it('epochs count from 1, as in the output of tf.js', () => {
  expect(whenOf(375, 2)).toBe('batch 375, epoch 3');
  expect(whenOf(1234567)).toBe('batch 1234567');
  expect(problemLine({ kind: 'skipped', message: 'none.' })).toBe('skipped: none.');
});

it('the trace of a layer is the sum over its weight tensors', () => {
  const parameter = (name: string, layer: string, trace: number) => ({ name, layer, trace, standardError: 0 });
  const layers = layersOf({
    minimumSharpness: 1,
    parameters: [parameter('b/kernel', 'b', 1), parameter('b/bias', 'b', 2), parameter('a/kernel', 'a', 4)],
    scales: [
      { layer: 'b', alpha: 0.5 },
      { layer: 'norm', alpha: 2 },
    ],
  });
  expect([...layers]).toEqual([
    ['b', { trace: 3, alpha: 0.5 }],
    ['a', { trace: 4 }],
    ['norm', { alpha: 2 }],
  ]);
});

it('a network that has collapsed is told, beside a value that looks like the best of all', () => {
  const reading = { minimumSharpness: 1e-9, standardError: 1e-10, reliable: true, collapsed: true };
  expect(sharpnessOf(reading)).toBe('1e-9 ± 2.1e-10, collapsed');
  expect(sharpnessOf({ ...reading, collapsed: false })).toBe('1e-9 ± 2.1e-10');
  expect(valuesOf({ ...reading, reliable: false })).toBe(
    'Minimum Sharpness 1e-9 ± 2.1e-10, error not reliable, collapsed',
  );
  expect(markOf(reading, true)).toMatchObject({ kind: 'skipped', text: expect.stringContaining('has collapsed') });
  expect(markOf({ ...reading, collapsed: false }, true)).toBe(undefined);
});

it('what breaks a line is marked: a value that is not finite, and a trace where it is drawn', () => {
  expect(markOf({ minimumSharpness: Number.NaN, collapsed: true }, true)).toEqual({
    kind: 'failed',
    text: 'Minimum Sharpness is NaN',
  });
  const exploded = { minimumSharpness: 3, trace: Number.POSITIVE_INFINITY };
  expect(markOf(exploded, true)).toEqual({ kind: 'failed', text: 'the trace is Infinity' });
  expect(markOf(exploded, false)).toBe(undefined);
});

it('values of a layer, in words and in short', () => {
  expect(layerText({ trace: 12.345, alpha: 0.98 })).toBe(' trace 12.3, alpha 0.98');
  expect(shortLayerText({ trace: 12.345, alpha: 0.98 })).toBe(' 12.3, α 0.98');
  expect([layerText({ alpha: 2 }), shortLayerText({ trace: 2 }), layerText({})]).toEqual([' alpha 2', ' 2', ' ']);
});
