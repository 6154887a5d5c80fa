import { type Browser, chromium } from 'playwright-core';
import { inject } from 'vitest';
import type { Gpu } from './chromium.js';

/**
 * A browser that test files share, as {@link launched} starts one: each has contexts of its own in it. Closing it closes these alone.
 * test/setup/browsers.ts starts it.
 */
export async function sharedBrowser(gpu: Gpu = 'emulated'): Promise<Browser> {
  const answer = await fetch(`${inject('browsers')}/${gpu}`);
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(text);
  }
  return chromium.connect(text);
}
