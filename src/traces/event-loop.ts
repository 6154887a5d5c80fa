import type { Graph } from '../network/graph.js';
import { atOnce, type Walk } from '../network/walk.js';
import { isSynchronous } from '../tfjs/backend.js';

/** Longest time in ms for which a measurement keeps the event loop to itself, as far as there are smaller pieces. */
const TURN_MS = 100;
/** The same in a page, which draws 60 frames a second. */
const FRAME_MS = 16;

/** How long the event loop may be kept from its turn, in ms: by frames where there is a document, not so in Node or in a worker. */
export function turnMs(): number {
  return 'document' in globalThis ? FRAME_MS : TURN_MS;
}

/** When the event loop last had its turn, and when it was last asked whether one is due: a turn that one measurement gives is one for all. */
let lastTurn = 0;
let lastAsked = 0;
/** The longest piece of work between two such questions since the last turn, in ms. */
let longest = 0;

/**
 * A turn of the event loop: timers, events and frames that are due come before it is over. A timer of its own would sleep: for
 * a millisecond, on a busy machine for many, four in a page, and a second where that is hidden; frames do not come there at all. A
 * message is neither.
 */
export async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => {
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
  lastTurn = performance.now();
  lastAsked = lastTurn;
  longest = 0;
}

/**
 * Whether the event loop has to have its turn now, for one who asks between any two pieces of work: when the next piece, if it takes as
 * long as the longest since the last turn, would be over too late.
 */
export function isTurnDue(): boolean {
  const now = performance.now();
  longest = Math.max(longest, now - lastAsked);
  lastAsked = now;
  return now - lastTurn + longest > turnMs();
}

/**
 * Runs a walk on the tensors of a graph, between whose steps the event loop has its turn where that is due. Not on a GPU, where a step
 * is over once it has been launched.
 *
 * @param graph what has been computed is older than the turn.
 * @param between gives the turn; what it throws ends the walk.
 * @throws what the graph's `checkUnmoved` throws.
 */
export async function inTurns<T>(
  { checkUnmoved }: Pick<Graph, 'checkUnmoved'>,
  walk: Walk<T>,
  between: () => Promise<void>,
): Promise<T> {
  return isSynchronous()
    ? numbersInTurns(walk, async () => {
        await between();
        checkUnmoved?.();
      })
    : atOnce(walk);
}

/** The same for a walk on plain numbers, which take their time whatever the backend. */
export async function numbersInTurns<T>(walk: Walk<T>, between: () => Promise<void>): Promise<T> {
  let each = walk.next();
  while (!each.done) {
    if (isTurnDue()) {
      try {
        await between();
      } catch (error) {
        walk.throw(error);
      }
    }
    each = walk.next();
  }
  return each.value;
}
