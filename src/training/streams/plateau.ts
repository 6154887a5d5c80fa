import { concatMap, defer, type OperatorFunction } from 'rxjs';
import { checkKnownOptions, checkNumber, checkOneOf, checkWhole } from '../../checks.js';
import { checkField, type Having, numberOf } from './field.js';

export interface PlateauOptions<Field extends string = 'minimumSharpness'> {
  /** Readings in a row without improvement that make a plateau; 0 means 1. */
  readonly patience: number;
  /** Smallest change that counts as an improvement, in units of the field. Default 0. */
  readonly minDelta?: number;
  /** Whether lower or higher is better. Default `'min'`. */
  readonly mode?: 'min' | 'max';
  /** The number to watch. Default `'minimumSharpness'`. */
  readonly field?: Field;
}

const knownOptions = {
  patience: true,
  minDelta: true,
  mode: true,
  field: true,
} satisfies Record<keyof PlateauOptions, true>;

/** What {@link plateau} adds to a reading. */
export interface OnPlateau {
  /** The best value so far, which the readings since have not improved on. */
  readonly best: number;
}

/**
 * An operator that emits a reading when one of its numbers has not improved for `patience` readings.
 *
 * ```ts
 * sharpness.readings$.pipe(plateau({ patience: 5 }), take(1)).subscribe(() => { model.stopTraining = true; });
 * ```
 *
 * The options mean what they mean in `earlyStopping`, with readings for epochs: a value improves if it is better than the best
 * one by more than `minDelta`; NaN never does, and before the first number it does not count. A plateau that goes on is
 * emitted again after every further `patience` readings; `take(1)` keeps the first. The best value stays the best for good.
 *
 * @throws Error with one line, at the call, for options that there are not or that are out of range.
 */
export function plateau<T extends Having<Field>, Field extends string = 'minimumSharpness'>(
  options: PlateauOptions<Field>,
): OperatorFunction<T, T & OnPlateau> {
  checkKnownOptions('plateau', options, knownOptions);
  const { patience, minDelta = 0, mode = 'min', field = 'minimumSharpness' } = options ?? {};
  checkWhole('plateau: patience', patience, { atLeast: 0 });
  checkNumber('plateau: minDelta', minDelta, { atLeast: 0 });
  checkOneOf('plateau: mode', mode, ['min', 'max']);
  checkField('plateau', field);
  const improves = (value: number, best: number) =>
    mode === 'min' ? value < best - minDelta : value > best + minDelta;
  return (readings$) =>
    defer(() => {
      let best: number | undefined;
      let wait = 0;
      return readings$.pipe(
        concatMap((reading) => {
          const value = numberOf('plateau', reading, field);
          if (best === undefined ? !Number.isNaN(value) : improves(value, best)) {
            best = value;
            wait = 0;
          } else if (best !== undefined && ++wait >= patience) {
            wait = 0;
            return [{ ...reading, best }];
          }
          return [];
        }),
      );
    });
}
