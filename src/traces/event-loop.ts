/** Longest time in ms for which a measurement keeps the event loop to itself, as far as there are smaller pieces. */
const TURN_MS = 100;
/** The same in a page, which draws 60 frames a second. */
const FRAME_MS = 16;

/** How long the event loop may be kept from its turn, in ms: by frames where there is a document, not so in Node or in a worker. */
export function turnMs(): number {
  return 'document' in globalThis ? FRAME_MS : TURN_MS;
}

/**
 * A turn of the event loop: timers, events and frames that are due come before it is over. A timer of its own would sleep: for
 * a millisecond, on a busy machine for many, four in a page, and a second where that is hidden; frames do not come there at all. A
 * message is neither.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
    } else if (typeof MessageChannel === 'function') {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        // An open port keeps some runtimes alive.
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    } else {
      setTimeout(resolve, 0);
    }
  });
}

/**
 * Gives the event loop its turn in time, for one who asks between any two pieces of work: when the next piece, if it takes as long as
 * the longest since the last turn, would be over too late.
 */
export function turnsInTime(): () => Promise<void> {
  let lastTurn = performance.now();
  let lastAsked = lastTurn;
  let longest = 0;
  return async () => {
    const now = performance.now();
    longest = Math.max(longest, now - lastAsked);
    if (now - lastTurn + longest > turnMs()) {
      await nextTurn();
      longest = 0;
      lastTurn = performance.now();
    }
    lastAsked = performance.now();
  };
}
