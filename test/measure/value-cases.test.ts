import { expect, it } from 'vitest';
import { deviationOf, foundBy, valueCases } from './value-cases.js';

it.each(valueCases.map((each) => [each.name, each] as const))('%s', async (_, valueCase) => {
  const found = await foundBy(valueCase);
  expect(deviationOf(valueCase, found)).toBeLessThan(valueCase.within ?? 1e-4);
  expect(found.leaked).toBe(0);
});
