import type { SharpnessReading } from '../../../../src/measure/reading.js';
import type { Controller } from '../../../../src/training/control/controllers/controller.js';

/** The values that a controller gives, from `value` on, one a reading. No training takes part. */
export function run<State extends { readonly value: number }>(
  { begin, next }: Controller<State>,
  value: number,
  readings: readonly SharpnessReading[],
): number[] {
  let state = begin(value);
  return readings.map((reading) => {
    // What it was given must come out unharmed.
    const before = structuredClone(state);
    const after = next(Object.freeze(state), reading);
    if (JSON.stringify(state) !== JSON.stringify(before)) {
      throw new Error('the controller changed a state');
    }
    state = after;
    return state.value;
  });
}
