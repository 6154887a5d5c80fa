import { EMPTY } from 'rxjs';
import { expect, it } from 'vitest';
import { streamsOf } from '../../src/chart/chart-source.js';

it('a source is a stream, or what has one, or nothing', () => {
  expect(streamsOf(undefined)).toBe(undefined);
  expect(streamsOf(EMPTY)).toEqual({ readings$: EMPTY });
  const monitor = { readings$: EMPTY, problems$: EMPTY };
  expect(streamsOf(monitor)).toBe(monitor);
});

it.each([null, {}, 'readings', 3, { readings$: [] }])('%j is none', (source) => {
  expect(() => streamsOf(source as never)).toThrow(/^sharpnessChart: the stream of readings is missing\. [^\n]*$/);
});
