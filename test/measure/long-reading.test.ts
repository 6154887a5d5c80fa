import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { announcedWhereLong } from '../../src/measure/long-reading.js';
import type { Task } from '../../src/measure/task.js';

let now = 0;
let said: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  said = vi.spyOn(console, 'info').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

function task(samples: number): { task: Task; pause: ReturnType<typeof vi.fn> } {
  const pause = vi.fn(async () => {});
  const data = { tensors: [{ shape: [samples, 3] }] };
  return { task: { subject: { source: {} }, data, pause } as unknown as Task, pause };
}

it('says once, by its first rows, what a reading of more than ten seconds takes', async () => {
  const { task: given, pause } = task(50);
  for (const msOfRow of [19, 21, 40]) {
    const { pause: announced } = announcedWhereLong(given, 'fewer take less.');
    await announced(0, { rows: 0, totalRows: 550 });
    now += 20 * msOfRow;
    await announced(0, { rows: 20, totalRows: 550 });
    now += 30 * msOfRow;
    await announced(50, { rows: 50, totalRows: 550 });
    expect(said).toHaveBeenCalledTimes(msOfRow < 20 ? 0 : 1);
  }
  expect(said.mock.calls[0]![0]).toBe(
    'tfjs-sharpness: a reading runs 550 backward rows, and by the first of them it takes about 11 seconds more; fewer take less.',
  );
  expect(pause).toHaveBeenCalledTimes(9);
  expect(pause).toHaveBeenLastCalledWith(50, { rows: 50, totalRows: 550 });
});

it('goes by the samples of a forward pass, before there are rows', async () => {
  const { pause: announced } = announcedWhereLong(task(1_000_000).task, 'part: 0.1 runs a tenth.');
  await announced(0);
  now += 2000;
  await announced(10_000, { rows: 0, totalRows: 256 });
  expect(said).toHaveBeenCalledTimes(1);
  expect(said.mock.calls[0]![0]).toMatch(/ runs 1000000 samples forward, to begin with, .* about 3 minutes more; part/);
});
