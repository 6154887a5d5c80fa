import { expect, it } from 'vitest';
import { checkedChartOptions } from '../../src/chart/chart-options.js';

it('every option has a default', () => {
  expect(checkedChartOptions({ height: 300 })).toEqual({
    name: 'run 1',
    title: 'Minimum Sharpness',
    height: 300,
    scale: 'auto',
    trace: true,
    layers: true,
    theme: 'auto',
  });
});

it.each([
  [{ colour: 'red' }, "there is no option 'colour'"],
  [{ height: 20 }, 'height must be a finite number of at least 120, but it is 20'],
  [{ scale: 'logarithmic' }, "scale must be 'auto', 'linear' or 'log'"],
  [{ theme: 'black' }, "theme must be 'auto', 'light' or 'dark'"],
  [{ name: '' }, 'name must be a non-empty string'],
  [{ title: 3 }, 'title must be a non-empty string'],
  [{ layers: 'no' }, 'layers must be true or false'],
])('%j is refused', (options, message) => {
  expect(() => checkedChartOptions(options as never)).toThrow(message);
});
