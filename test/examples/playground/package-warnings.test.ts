import { afterEach, expect, test, vi } from 'vitest';
import { hearPackageWarnings } from '../../../examples/playground/src/training/package-warnings.js';

afterEach(() => void vi.restoreAllMocks());

test('what optimizers and early stopping warn of is heard, and stays on the console', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const heard: string[] = [];
  const leave = hearPackageWarnings((message) => heard.push(message));
  console.warn('tfjs-sharpness, sharpnessPenalty: steps without a penalty, because it is not finite');
  console.warn('tfjs-sharpness, minimumSharpness: a reading failed');
  console.warn('something else');
  leave();
  console.warn('tfjs-sharpness, earlyStopping: nothing to judge');
  expect(heard).toEqual(['sharpnessPenalty: steps without a penalty, because it is not finite']);
  expect(warn).toHaveBeenCalledTimes(4);
});
