import type { Page as BrowserPage } from 'playwright-core';
import { expect } from 'vitest';
import { type GoldenCase, goldenInputs, goldenModel } from '../measure/golden-network.js';
import type { Page, PageCase } from './page.js';

/** Measures a golden network in a page that has `page.ts`: its values are those of the reference to 1e-4, and no tensor is left. */
export async function expectGolden(tab: BrowserPage, golden: GoldenCase): Promise<void> {
  const model = await goldenModel(golden);
  const inputs = goldenInputs(golden, model);
  const plain = (tensor: typeof inputs) => ({ shape: tensor.shape, values: [...tensor.dataSync()] });
  const pageCase: PageCase = {
    topology: golden.topology,
    loss: golden.loss,
    weights: model.getWeights().map(plain),
    inputs: plain(inputs),
  };
  const { reading, leaked } = await tab.evaluate(
    (given) => (globalThis as unknown as { page: Page }).page.measure(given),
    pageCase,
  );
  for (const { name, trace } of reading.parameters) {
    expect(Math.abs(trace / golden.expected.ggnTrace[name]! - 1), `${golden.name} ${name}`).toBeLessThan(1e-4);
  }
  expect(Math.abs(reading.minimumSharpness / golden.expected.minimumSharpness - 1), golden.name).toBeLessThan(1e-4);
  expect(leaked, golden.name).toBe(0);
  model.dispose();
  inputs.dispose();
}

/** Trains in such a page for two epochs: a reading each, no problem, no tensor left. */
export async function expectTraining(tab: BrowserPage): Promise<void> {
  const { logged, problems, leaked } = await tab.evaluate(() =>
    (globalThis as unknown as { page: Page }).page.train(2),
  );
  expect(problems).toEqual([]);
  expect(logged).toHaveLength(2);
  expect(logged.every((value) => value > 0 && Number.isFinite(value))).toBe(true);
  expect(leaked).toBe(0);
}
