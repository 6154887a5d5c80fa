import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { announcement } from '../../src/chart/announcement.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('the first news is said at once, what comes within five seconds afterwards once, and nothing without news', () => {
  let said = 0;
  const { tell, stop } = announcement(() => said++);
  tell();
  expect(said).toBe(1);
  tell();
  tell();
  vi.advanceTimersByTime(4999);
  expect(said).toBe(1);
  vi.advanceTimersByTime(1);
  expect(said).toBe(2);
  vi.advanceTimersByTime(20_000);
  expect(said).toBe(2);
  tell();
  tell();
  expect(said).toBe(3);
  stop();
  expect(vi.getTimerCount()).toBe(0);
  tell();
  expect(said).toBe(4);
});
