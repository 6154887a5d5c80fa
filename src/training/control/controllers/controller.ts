import type { SharpnessReading } from '../../../measure/reading.js';

/**
 * A rule that turns readings into the value to set: a pair of plain functions, which know neither model nor training. The state
 * holds all that they remember, and is replaced, never changed.
 *
 * ```ts
 * // The learning rate falls with sharpness: at most 2 / MS.
 * const belowTwoOverSharpness: Controller<{ value: number }> = {
 *   begin: (value) => ({ value }),
 *   next: (_, { minimumSharpness }) => ({ value: Math.min(0.1, 2 / minimumSharpness) }),
 * };
 * ```
 *
 * @template State at least the value to set.
 */
export interface Controller<State extends { readonly value: number }> {
  /** The state before the first reading, from the value that is set now. @throws Error with one line for one that it cannot begin with. */
  begin(value: number): State;
  /** The state after a reading. */
  next(state: State, reading: SharpnessReading): State;
}
