import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startChild } from '../../benchmarks/child.js';
import { type GpuReport, type GpuRow, gpuCell, gpuLines, gpuMachine } from '../../benchmarks/gpu-report.js';

const file = (name: string) => readFileSync(new URL(`../../benchmarks/results/${name}`, import.meta.url), 'utf8');
const report: GpuReport = JSON.parse(file('gpu.json'));

test('the report is that of its data, with the card and the date', () => {
  expect(file('gpu.md')).toBe(`${gpuLines(report).join('\n')}\n`);
  expect(gpuMachine(report)).toMatch(/^NVIDIA .*, \d{4}-\d\d-\d\d\. tfjs-sharpness \d.*torch \d/);
  expect(gpuMachine({ ...report, card: null })).toMatch(/^No GPU was found: a dry run/);
});

test('what was not measured is said, with the reason', () => {
  const row: GpuRow = {
    part: 'reading',
    network: 'MLP',
    samples: 256,
    epochs: 0,
    title: 'tfjs-sharpness, WebGPU, exact',
    exact: true,
  };
  expect(gpuCell(undefined)).toBe('not measured');
  expect(gpuCell({ ...row, absent: 'not there' })).toBe('not measured: not there');
  expect(gpuCell({ ...row, ms: 4.1 })).toBe('4.1 ms');
  expect(gpuCell({ ...row, ms: 4.123, low: 3, high: 5 })).toBe('4.12 ms (3.00 to 5.00)');
  expect(gpuCell({ ...row, part: 'one-percent', ms: 4200, extrapolated: true })).toBe('≈ 4.20 s');
  expect(gpuLines({ ...report, rows: [{ ...row, absent: 'not there' }] })).toContain(
    '| tfjs-sharpness, WebGPU, exact | not measured: not there |',
  );
});

test('a contestant that is not installed does not take part', async () => {
  const child = await startChild('/nowhere/python', [], 10_000, 1);
  expect(child.ready).toEqual({ infeasible: 'failed: not installed' });
  await child.stop();
});
