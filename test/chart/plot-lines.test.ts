import { expect, it } from 'vitest';
import { colorOf, layerLines, sharpnessLines } from '../../src/chart/plot-lines.js';
import { recordedRuns } from '../../src/chart/recorded-runs.js';
import { themes } from '../../src/chart/style.js';

const theme = themes.light;

it('each run has a color, which begin anew after the last', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const runs = Array.from({ length: 7 }, (_, i) => record.addRun(`run ${i}`));
  expect(new Set(runs.slice(0, 6).map((run) => colorOf(run, theme))).size).toBe(6);
  expect(colorOf(runs[6]!, theme)).toBe(colorOf(runs[0]!, theme));
});

it('the trace is dashed and lies under Minimum Sharpness, which has a band; a layer has alpha on the right', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const run = record.addRun('one');
  const { value, high, low, trace, unreliable } = run.columns;
  const [plain, sharpness] = sharpnessLines(record, theme, true);
  expect(plain).toMatchObject({ column: trace, dash: [5, 4] });
  expect(sharpness).toMatchObject({ column: value, band: { high, low }, rings: unreliable });
  expect(sharpnessLines(record, theme, false)).toEqual([sharpness]);

  expect(layerLines(record, theme, 'a')).toEqual([]);
  const parameters = [{ name: 'a/kernel', layer: 'a', trace: 2, standardError: 0 }];
  record.take([{ run, step: 1, reading: { minimumSharpness: 1, parameters } }]);
  expect(layerLines(record, theme, 'a').map(({ axis = 'left' }) => axis)).toEqual(['left']);
  record.take([{ run, step: 2, reading: { minimumSharpness: 1, scales: [{ layer: 'a', alpha: 2 }] } }]);
  expect(layerLines(record, theme, 'a').map(({ axis = 'left' }) => axis)).toEqual(['left', 'right']);
});
