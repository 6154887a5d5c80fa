/**
 * Work that stops between two pieces, as a pass over the layers does between two of them. No scope of tf.js is open there; ended there, by
 * `throw`, it leaves nothing behind.
 */
export type Walk<T> = Generator<void, T, void>;

/** Numbers between two stops of a walk over many: about a millisecond. */
const NUMBERS = 2 ** 16;

/** Whether a walk over numbers stops after this one. */
export const isStop = (place: number) => place % NUMBERS === NUMBERS - 1;

/** All of it, without a stop. */
export function atOnce<T>(walk: Walk<T>): T {
  let each = walk.next();
  while (!each.done) {
    each = walk.next();
  }
  return each.value;
}
