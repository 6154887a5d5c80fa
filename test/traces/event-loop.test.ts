import { afterEach, describe, expect, it, vi } from 'vitest';
import { nextTurn, turnMs, turnsInTime } from '../../src/traces/event-loop.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it('keeps a page waiting for a frame at most, others for a tenth of a second', () => {
  expect(turnMs()).toBe(100);
  vi.stubGlobal('document', {});
  expect(turnMs()).toBe(16);
});

describe('nextTurn', () => {
  it.each([
    ['setImmediate', {}],
    ['a message', { setImmediate: undefined }],
    ['a timer', { setImmediate: undefined, MessageChannel: undefined }],
  ])('lets timers have their turn, and then goes on: by %s', async (_, without) => {
    const { setTimeout: timer } = globalThis;
    for (const [name, value] of Object.entries(without)) {
      vi.stubGlobal(name, value);
    }
    const sleep = vi.spyOn(globalThis, 'setTimeout');
    let ticked = false;
    timer(() => {
      ticked = true;
    });
    let turns = 0;
    while (!ticked && turns < 10_000) {
      await nextTurn();
      turns++;
    }
    expect(ticked).toBe(true);
    // A timer of its own would be late in a page.
    expect(sleep.mock.calls.length > 0).toBe('MessageChannel' in without);
  });
});

describe('turnsInTime', () => {
  /** How many turns there were after pieces that took so long, each. */
  async function turnsAfter(pieces: readonly number[], page = false): Promise<number[]> {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    let turns = 0;
    const { setImmediate: next } = globalThis;
    vi.stubGlobal('setImmediate', (run: () => void) => {
      turns++;
      return next(run);
    });
    if (page) {
      vi.stubGlobal('document', {});
    }
    const turn = turnsInTime();
    const found: number[] = [];
    for (const ms of pieces) {
      now += ms;
      await turn();
      found.push(turns);
    }
    return found;
  }

  it('gives one before the next piece, if it is like those before, would be over too late', async () => {
    expect(await turnsAfter([30, 30, 30, 30, 30])).toEqual([0, 0, 1, 1, 1]);
    expect(await turnsAfter([60, 60, 5, 60])).toEqual([1, 2, 2, 3]);
    expect(await turnsAfter([40, 1, 40])).toEqual([0, 0, 1]);
    expect(await turnsAfter([300, 0, 300])).toEqual([1, 1, 2]);
  });

  it('gives one a frame in a page', async () => {
    expect(await turnsAfter([5, 5, 5, 5, 5, 5], true)).toEqual([0, 0, 1, 1, 1, 2]);
    expect(await turnsAfter([2, 2], true)).toEqual([0, 0]);
  });
});
