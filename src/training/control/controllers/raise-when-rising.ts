import { checkKnownOptions, checkNumber } from '../../../checks.js';
import type { Controller } from './controller.js';
import {
  afterChange,
  afterReading,
  checkRising,
  type Rise,
  type RisingOptions,
  risingOptions,
  unread,
} from './rising.js';

export interface RaiseWhenRisingOptions extends RisingOptions {
  /** The value goes no higher. */
  readonly max: number;
  /** What the value is multiplied by, above 1. Default 2. */
  readonly factor?: number;
}

const knownOptions = {
  max: true,
  factor: true,
  ...risingOptions,
} satisfies Record<keyof RaiseWhenRisingOptions, true>;

/** What {@link raiseWhenRising} remembers. */
export interface RaiseWhenRisingState extends Rise {
  readonly value: number;
}

/**
 * A controller that raises a value which flattens, such as weight decay or the radius `rho` of sharpness-aware minimization,
 * whenever Minimum Sharpness trends up.
 *
 * ```ts
 * steer(sharpness.readings$, raiseWhenRising({ factor: 1.5, max: 0.2 }), property(optimizer, 'rho'));
 * ```
 *
 * Over the last `window` readings, with the least-squares slope b of MS over the training step and its standard error, the n-th time
 *
 *     value becomes min(max, factor × value)   when   b > t(1 - (1 - confidence) / (n (n + 1)), degrees) × standard error,
 *
 * t the quantile of Student's distribution; the error also counts how readings scattered in up to four windows before, so that degrees
 * grows from window - 2 to 5 (window - 2). After a change the window is filled anew, so that the next decision rests on
 * readings that the change had a part in. A value that is `max` already or higher stays.
 *
 * @throws Error with one line for options that there are not or that are out of range, and in `begin` for a value that is not
 *   above 0: no factor raises it.
 */
export function raiseWhenRising(options: RaiseWhenRisingOptions): Controller<RaiseWhenRisingState> {
  checkKnownOptions('raiseWhenRising', options, knownOptions);
  const { max, factor = 2 } = options ?? {};
  const rising = checkRising('raiseWhenRising', options ?? {});
  checkNumber('raiseWhenRising: max', max, { above: 0 });
  checkNumber('raiseWhenRising: factor', factor, { above: 1 });
  return {
    begin(value) {
      if (value > 0) {
        return { ...unread, value };
      }
      throw new Error(`raiseWhenRising: the value is ${value}, which no factor raises: begin above 0.`);
    },
    next({ value, ...before }, reading) {
      const { rise, isRising } = afterReading(before, reading, rising);
      const higher = Math.min(max, factor * value);
      return higher > value && isRising ? { ...afterChange(rise), value: higher } : { ...rise, value };
    },
  };
}
