/** At 50 frames a second and more, nobody waits. In milliseconds. */
const A_FRAME = 20;
/** Of the time that drawing made a frame late, how often as much is left to the rest of the page. */
const REST = 2;
/** Nor longer than this, where it is something else that is slow. */
const LONGEST = 250;

/** Draws in the frames of a page, and leaves frames out where drawing makes them late. */
export interface FramePace {
  /** There is something to draw: in the next frame that is free for it, once, however often this is called. */
  ask(): void;
  stop(): void;
}

/** @param draw is called in a frame. */
export function framePace(
  view: Pick<Window, 'requestAnimationFrame' | 'cancelAnimationFrame'>,
  draw: () => void,
): FramePace {
  let frame: number | undefined;
  let isWanted = false;
  /** When the frame of the last drawing began, until the next frame is there. */
  let drawnAt: number | undefined;
  let restUntil = 0;
  const next = (now: number) => {
    frame = undefined;
    if (drawnAt !== undefined) {
      // What the browser does after a script, it does before the next frame.
      restUntil = now + Math.min(LONGEST, REST * Math.max(0, now - drawnAt - A_FRAME));
      drawnAt = undefined;
    }
    if (isWanted && now >= restUntil) {
      isWanted = false;
      drawnAt = now;
      draw();
    }
    if (isWanted || drawnAt !== undefined) {
      frame ??= view.requestAnimationFrame(next);
    }
  };
  return {
    ask() {
      isWanted = true;
      frame ??= view.requestAnimationFrame(next);
    },
    stop() {
      isWanted = false;
      drawnAt = undefined;
      if (frame !== undefined) {
        view.cancelAnimationFrame(frame);
        frame = undefined;
      }
    },
  };
}
