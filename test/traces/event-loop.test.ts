import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Walk } from '../../src/network/walk.js';
import { isSynchronous } from '../../src/tfjs/backend.js';
import { inTurns, isTurnDue, nextTurn, turnMs, turnWhereDue } from '../../src/traces/event-loop.js';

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

/** A clock that stands still until it is moved, for an event loop that has just had its turn. */
async function fakeClock(): Promise<(ms: number) => void> {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  await nextTurn();
  return (ms) => {
    now += ms;
  };
}

describe('isTurnDue', () => {
  /** After how many of the pieces that took so long a turn was due, and given. */
  async function turnsAfter(pieces: readonly number[], page = false): Promise<number[]> {
    if (page) {
      vi.stubGlobal('document', {});
    }
    const pass = await fakeClock();
    const due: number[] = [];
    for (const [i, ms] of pieces.entries()) {
      pass(ms);
      if (isTurnDue()) {
        due.push(i);
        await nextTurn();
      }
    }
    return due;
  }

  it('is so before the next piece, if it is like those before, would be over too late', async () => {
    expect(await turnsAfter([30, 30, 30, 30, 30])).toEqual([2]);
    expect(await turnsAfter([60, 60, 5, 60])).toEqual([0, 1, 3]);
    expect(await turnsAfter([40, 1, 40])).toEqual([2]);
    expect(await turnsAfter([300, 0, 300])).toEqual([0, 2]);
  });

  it('is so once a frame in a page', async () => {
    expect(await turnsAfter([5, 5, 5, 5, 5, 5], true)).toEqual([2, 5]);
    expect(await turnsAfter([2, 2], true)).toEqual([]);
  });
});

describe('inTurns', () => {
  /** Steps of so many ms, and what happened. */
  async function walked(steps: readonly number[], between: () => Promise<void>, checkUnmoved?: () => void) {
    const pass = await fakeClock();
    const events: string[] = [];
    const walk = (function* (): Walk<string> {
      try {
        for (const ms of steps) {
          pass(ms);
          events.push(`${ms}`);
          yield;
        }
        return 'over';
      } finally {
        events.push('clean');
      }
    })();
    const found = inTurns({ checkUnmoved }, walk, async () => {
      events.push('turn');
      await nextTurn();
      await between();
    });
    return { found: await found.catch((error: Error) => error.message), events };
  }

  it('stops where a turn is due, and nowhere else', async () => {
    expect(await walked([20, 60, 20, 30, 70], async () => {})).toEqual({
      found: 'over',
      events: ['20', '60', 'turn', '20', '30', '70', 'turn', 'clean'],
    });
  });

  it('ends the walk where the turn ends it, and where the weights were moved in it', async () => {
    const events = ['60', 'turn', 'clean'];
    const broken = async () => {
      throw new Error('aborted');
    };
    expect(await walked([60, 60], broken)).toEqual({ found: 'aborted', events });
    const moved = () => {
      throw new Error('moved');
    };
    expect(await walked([60, 60], async () => {}, moved)).toEqual({ found: 'moved', events });
  });
});

it('turnWhereDue gives a turn where one is due, behind which weights are looked at', async () => {
  const pass = await fakeClock();
  const done: string[] = [];
  const graph = { checkUnmoved: () => void done.push('checked') };
  const between = async () => void done.push('turn');
  await turnWhereDue(graph, between);
  expect(done).toEqual([]);
  pass(120);
  await turnWhereDue(graph, between);
  expect(done).toEqual(isSynchronous() ? ['turn', 'checked'] : []);
});
