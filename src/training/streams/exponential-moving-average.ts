import { defer, map, type OperatorFunction } from 'rxjs';
import { checkKnownOptions, checkNumber } from '../../checks.js';
import { checkField, type Having, numberOf } from './field.js';

export interface ExponentialMovingAverageOptions<Field extends string = 'minimumSharpness'> {
  /** Share of the old average in the new one, from 0 (no smoothing) to less than 1. Default 0.6. */
  readonly smoothing?: number;
  /** The number to average. Default `'minimumSharpness'`. */
  readonly field?: Field;
}

const knownOptions = {
  smoothing: true,
  field: true,
} satisfies Record<keyof ExponentialMovingAverageOptions, true>;

/** What {@link exponentialMovingAverage} adds to a reading. */
export interface Smoothed {
  /** The average up to this reading, in units of the field. */
  readonly smoothed: number;
}

/**
 * An operator that adds to every reading the exponential moving average of one of its numbers.
 *
 * ```ts
 * sharpness.readings$.pipe(exponentialMovingAverage({ smoothing: 0.8 })).subscribe(({ smoothed }) => console.log(smoothed));
 * ```
 *
 * With x_t the field of the t-th reading, t = 1, 2, ..., and s the smoothing,
 *
 *     m_t = s m_{t-1} + (1 - s) x_t,   m_0 = 0,   smoothed_t = m_t / (1 - s^t).
 *
 * The division takes out the zero that m starts with (the bias correction of Adam: Kingma and Ba, arXiv 1412.6980, section 3):
 * the first average is the first value. It is what TensorBoard draws with its smoothing slider at s. A NaN or an infinity
 * passes as its own average and leaves that of the others alone, there too.
 *
 * Averages begin anew for each subscriber.
 *
 * @throws Error with one line, at the call, for options that there are not or that are out of range.
 */
export function exponentialMovingAverage<T extends Having<Field>, Field extends string = 'minimumSharpness'>(
  options: ExponentialMovingAverageOptions<Field> = {},
): OperatorFunction<T, T & Smoothed> {
  const operator = 'exponentialMovingAverage';
  checkKnownOptions(operator, options, knownOptions);
  const { smoothing = 0.6, field = 'minimumSharpness' } = options;
  checkNumber(`${operator}: smoothing`, smoothing, { atLeast: 0, below: 1 });
  checkField(operator, field);
  // Deferred, so that each subscriber has an average of its own.
  return (readings$) =>
    defer(() => {
      let sum = 0;
      let weight = 0;
      return readings$.pipe(
        map((reading) => {
          const value = numberOf(operator, reading, field);
          if (!Number.isFinite(value)) {
            return { ...reading, smoothed: value };
          }
          sum = smoothing * sum + (1 - smoothing) * value;
          weight = smoothing * weight + (1 - smoothing);
          return { ...reading, smoothed: sum / weight };
        }),
      );
    });
}
