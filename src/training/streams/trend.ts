import { concatMap, defer, type OperatorFunction } from 'rxjs';
import { checkKnownOptions, checkWhole } from '../../checks.js';
import { checkField, type Having, numberOf } from './field.js';
import { type Slope, slopeOf } from './slope.js';

export interface TrendOptions<Field extends string = 'minimumSharpness'> {
  /** Number of readings that the line goes through, at least 3. Default 10. */
  readonly window?: number;
  /** The number whose trend it is. Default `'minimumSharpness'`. */
  readonly field?: Field;
}

const knownOptions = { window: true, field: true } satisfies Record<keyof TrendOptions, true>;

/** What {@link trend} adds to a reading. */
export interface Trending {
  /** In units of the field a training step; one standard error of it; degrees of freedom. */
  readonly trend: Slope;
}

/**
 * An operator that says where one number of the readings is heading: the least-squares slope of its last `window` values over
 * the training step, with its standard error.
 *
 * ```ts
 * sharpness.readings$
 *   .pipe(trend({ window: 8 }), filter(({ trend: { slope, standardError } }) => slope > 2 * standardError))
 *   .subscribe(({ step }) => console.log(`sharpness rises, batch ${step}`));
 * ```
 *
 * With y the field and x the step of the n values in the window, x̄ and ȳ their means:
 *
 *     Sxx = Σ (x - x̄)^2,   slope = Σ (x - x̄)(y - ȳ) / Sxx,
 *     standardError = sqrt( Σ (y - ȳ - slope (x - x̄))^2 / (n - 2) / Sxx ),   degreesOfFreedom = n - 2.
 *
 * It begins with the third value, on 1 degree of freedom, and reaches `window - 2`. (Draper and Smith, Applied Regression
 * Analysis, 3rd edition, section 1.4.)
 *
 * The readings' own `standardError` are no weights here: they are errors of measuring, 0 for a reading of all samples, and the
 * values also scatter because training does. Weights of 1/standardError^2 would let the line hang on the best measured
 * values alone. Both kinds of scatter are in the residuals, and so in the standard error of the slope.
 *
 * Readings without a step count as one step after the last. Values that are not finite are left out: no line goes through
 * them, and nothing is emitted. The slope is NaN where all readings of the window have the same step.
 *
 * @throws Error with one line, at the call, for options that there are not or that are out of range.
 */
export function trend<T extends Having<Field>, Field extends string = 'minimumSharpness'>(
  options: TrendOptions<Field> = {},
): OperatorFunction<T, T & Trending> {
  checkKnownOptions('trend', options, knownOptions);
  const { window = 10, field = 'minimumSharpness' } = options;
  checkWhole('trend: window', window, { atLeast: 3 });
  checkField('trend', field);
  return (readings$) =>
    defer(() => {
      const points: [number, number][] = [];
      let lastStep = -1;
      return readings$.pipe(
        concatMap((reading) => {
          const value = numberOf('trend', reading, field);
          lastStep = reading.step ?? lastStep + 1;
          if (!Number.isFinite(value)) {
            return [];
          }
          points.push([lastStep, value]);
          if (points.length > window) {
            points.shift();
          }
          return points.length < 3 ? [] : [{ ...reading, trend: slopeOf(points) }];
        }),
      );
    });
}
