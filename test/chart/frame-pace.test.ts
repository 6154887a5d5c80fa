import { beforeEach, expect, it } from 'vitest';
import { type FramePace, framePace } from '../../src/chart/frame-pace.js';

let waiting: ((now: number) => void) | undefined;
let drawn: number[];
let now: number;
let pace: FramePace;

beforeEach(() => {
  waiting = undefined;
  drawn = [];
  now = 1000;
  const view = {
    requestAnimationFrame(next: (now: number) => void) {
      expect(waiting).toBe(undefined);
      waiting = next;
      return 1;
    },
    cancelAnimationFrame() {
      waiting = undefined;
    },
  };
  pace = framePace(view, () => drawn.push(now));
});

/** The next frame of the page, some time after the last. */
function frame(after = 16): void {
  now += after;
  const next = waiting;
  waiting = undefined;
  next?.(now);
}

it('draws once in the next frame, however often it is asked, and is idle afterwards', () => {
  pace.ask();
  pace.ask();
  frame();
  expect(drawn).toEqual([1016]);
  frame();
  expect([drawn.length, waiting]).toEqual([1, undefined]);
});

it('draws in every frame while frames are in time', () => {
  for (let i = 0; i < 60; i++) {
    pace.ask();
    frame();
  }
  expect(drawn).toHaveLength(60);
});

it('where drawing makes frames late, the page has most of them', () => {
  let isSlow = false;
  let late = 0;
  const from = now;
  for (let i = 0; i < 200; i++) {
    pace.ask();
    const count = drawn.length;
    frame(isSlow ? 60 : 16);
    late += isSlow ? 60 : 0;
    isSlow = drawn.length > count;
  }
  // 60 ms of drawing, 80 for the page, and the frame that it ends in.
  expect(late / (now - from)).toBeLessThan(0.45);
  expect(drawn.length).toBeGreaterThan(20);
});

it('a second that was lost to something else does not stop it for long', () => {
  pace.ask();
  frame();
  pace.ask();
  frame(1000);
  for (let i = 0; i < 17; i++) {
    frame();
  }
  expect(drawn).toHaveLength(2);
});

it('stopped, it asks for no frame more', () => {
  pace.ask();
  pace.stop();
  expect(waiting).toBe(undefined);
  pace.ask();
  frame();
  expect(drawn).toHaveLength(1);
  pace.stop();
  expect(waiting).toBe(undefined);
});
