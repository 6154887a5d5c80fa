import { concatMap, defer, type OperatorFunction } from 'rxjs';
import { checkKnownOptions, checkNumber, checkWhole } from '../../checks.js';
import { checkField, type Having, numberOf } from './field.js';

export interface ChangePointOptions<Field extends string = 'minimumSharpness'> {
  /** How much evidence it takes, in units of the field, summed over readings. Higher: fewer false alarms, later ones. */
  readonly threshold: number;
  /** Deviation from the mean that counts as none, in units of the field: half the change to be found. Default 0. */
  readonly tolerance?: number;
  /** Readings that a mean needs before an alarm can follow. Default 5. */
  readonly minReadings?: number;
  /** The number to watch. Default `'minimumSharpness'`. */
  readonly field?: Field;
}

const knownOptions = {
  threshold: true,
  tolerance: true,
  minReadings: true,
  field: true,
} satisfies Record<keyof ChangePointOptions, true>;

/** What {@link changePoint} adds to the reading at which it fired. */
export interface Changed<T> {
  readonly change: {
    /** Whether the mean went up or down. */
    readonly direction: 'up' | 'down';
    /** The first reading after the change, as estimated; the reading itself says when the change was noticed. */
    readonly since: T;
    /** Readings from `since` to this one, both counted: how long it took to notice. */
    readonly readings: number;
    /** The statistic, above the threshold. */
    readonly evidence: number;
  };
}

interface Side<T> {
  readonly direction: 'up' | 'down';
  evidence: number;
  readings: number;
  since: T | undefined;
}

/**
 * An operator that emits a reading when the mean of one of its numbers has changed for good: the Page-Hinkley test, both ways.
 *
 * ```ts
 * sharpness.readings$
 *   .pipe(changePoint({ threshold: 20, tolerance: 1 }))
 *   .subscribe(({ step, change }) => console.log(`batch ${step}: ${change.direction} since batch ${change.since.step}`));
 * ```
 *
 * With x_t the values since the last alarm, x̄_t the mean of the first t, and d the tolerance,
 *
 *     up_t = max(0, up_{t-1} + x_t - x̄_t - d),   down_t = max(0, down_{t-1} + x̄_t - x_t - d),   up_0 = down_0 = 0.
 *
 * It fires when the larger of the two is above the threshold and t > `minReadings`. The change is dated to the first reading
 * after that sum was last 0. Then all begins anew, with the next reading.
 *
 * up_t is m_t - min m in Page's notation, m the running sum of x - x̄ - d. Sources: Page, Continuous inspection schemes,
 * Biometrika 41 (1954), for the sum; Hinkley, Inference about the change-point from cumulative sum tests, Biometrika 58
 * (1971), for the date; Gama, Sebastião and Rodrigues, On evaluating stream learning algorithms, Machine Learning 90 (2013),
 * for the running mean. A steady fall is one change after another; a trend says more about it.
 *
 * Values that are not finite are left out.
 *
 * @throws Error with one line, at the call, for options that there are not or that are out of range.
 */
export function changePoint<T extends Having<Field>, Field extends string = 'minimumSharpness'>(
  options: ChangePointOptions<Field>,
): OperatorFunction<T, T & Changed<T>> {
  checkKnownOptions('changePoint', options, knownOptions);
  const { threshold, tolerance = 0, minReadings = 5, field = 'minimumSharpness' } = options ?? {};
  checkNumber('changePoint: threshold', threshold, { above: 0 });
  checkNumber('changePoint: tolerance', tolerance, { atLeast: 0 });
  checkWhole('changePoint: minReadings', minReadings, { atLeast: 1 });
  checkField('changePoint', field);
  return (readings$) =>
    defer(() => {
      let count = 0;
      let mean = 0;
      const side = (direction: 'up' | 'down'): Side<T> => ({ direction, evidence: 0, readings: 0, since: undefined });
      let sides = [side('up'), side('down')];
      return readings$.pipe(
        concatMap((reading) => {
          const value = numberOf('changePoint', reading, field);
          if (!Number.isFinite(value)) {
            return [];
          }
          count++;
          mean += (value - mean) / count;
          for (const each of sides) {
            const deviation = each.direction === 'up' ? value - mean : mean - value;
            each.evidence = Math.max(0, each.evidence + deviation - tolerance);
            each.readings = each.evidence > 0 ? each.readings + 1 : 0;
            if (each.readings <= 1) {
              each.since = reading;
            }
          }
          const [first, second] = sides as [Side<T>, Side<T>];
          const { direction, evidence, readings, since } = first.evidence >= second.evidence ? first : second;
          if (evidence <= threshold || count <= minReadings || since === undefined) {
            return [];
          }
          count = 0;
          sides = [side('up'), side('down')];
          return [{ ...reading, change: { direction, since, readings, evidence } }];
        }),
      );
    });
}
