import { digits } from '../measure/digits.js';
import type { SharpnessReading } from '../measure/reading.js';

/**
 * One epoch in one line, for the terminal: `Epoch 3: loss 0.1234, acc 0.9571, minimumSharpness 27.42 ± 0.55`.
 *
 * @param epoch zero-based; the line counts from 1, as tf.js' own output does.
 * @param logs of the epoch, as numbers.
 * @param name of the field that holds the reading's value.
 * @param reading of this epoch: undefined where it has none, and the value is carried forward or NaN.
 */
export function epochLine(
  epoch: number,
  logs: Readonly<Record<string, number>>,
  name: string,
  reading: SharpnessReading | undefined,
): string {
  const { [name]: value = Number.NaN, ...others } = logs;
  const fields = Object.entries(others).map(([field, each]) => `${field} ${digits(each)}, `);
  const error = reading && reading.standardError > 0 ? ` ± ${digits(reading.standardError, 2)}` : '';
  const none = reading === undefined ? ' (no reading in this epoch)' : '';
  return `Epoch ${epoch + 1}: ${fields.join('')}${name} ${digits(value)}${error}${none}`;
}
