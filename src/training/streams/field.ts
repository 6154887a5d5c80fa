import { checkText } from '../../checks.js';

/** When something was seen. Both are set by the callback, and missing where `measureSharpness` was called by hand. */
export interface Moment {
  /** Training batches seen. */
  readonly step?: number;
  /** Zero-based epoch. */
  readonly epoch?: number;
}

/** What an operator on the field `Field` works on: readings, and whatever else has that number and perhaps a moment. */
export type Having<Field extends string> = Moment & { readonly [Name in Field]: number };

/** @throws Error with one line unless `field` can name a field of a reading. */
export function checkField(operator: string, field: unknown): asserts field is string {
  checkText(`${operator}: field`, field, "name a number of the readings, for example 'minimumSharpness'");
}

/** The number that `field` names. @throws Error with one line where it is none. */
export function numberOf(operator: string, reading: object, field: string): number {
  const value = (reading as Record<string, unknown>)[field];
  if (typeof value === 'number') {
    return value;
  }
  const numbers = Object.entries(reading).filter(([, other]) => typeof other === 'number');
  throw new Error(
    `${operator}: the readings have no number "${field}", only ${numbers.map(([name]) => name).join(', ') || 'none'}.`,
  );
}
