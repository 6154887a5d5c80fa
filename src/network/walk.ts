/**
 * Work that stops between two pieces, as a pass over the layers does between two of them. No scope of tf.js is open there; ended there, by
 * `throw`, it leaves nothing behind.
 */
export type Walk<T> = Generator<void, T, void>;

/** All of it, without a stop. */
export function atOnce<T>(walk: Walk<T>): T {
  let each = walk.next();
  while (!each.done) {
    each = walk.next();
  }
  return each.value;
}
