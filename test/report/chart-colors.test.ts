import { expect, it } from 'vitest';
import { themes } from '../../src/chart/style.js';
import { cssColors, runColor, runDash, withLightColors } from '../../src/report/chart-colors.js';

it('runs are told apart by color, then by dashes', () => {
  const looks = Array.from({ length: 18 }, (_, i) => runColor(i) + runDash(i).join());
  expect(new Set(looks).size).toBe(18);
  expect(runDash(0)).toEqual([]);
});

it('each color is defined in both themes', () => {
  for (const theme of [themes.light, themes.dark]) {
    for (const name of ['background', 'ink', 'quiet', 'grid', 'failed', 'skipped', 'run-0', 'run-5']) {
      expect(cssColors(theme)).toMatch(new RegExp(`--${name}:#`));
    }
  }
  expect(withLightColors('<a fill="var(--run-1)" b="var(--other)">')).toBe(
    `<a fill="${themes.light.runs[1]}" b="var(--other)">`,
  );
});
