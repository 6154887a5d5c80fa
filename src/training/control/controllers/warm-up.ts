import { checkKnownOptions, checkNumber, checkWhole } from '../../../checks.js';
import type { Controller } from './controller.js';

export interface WarmUpOptions {
  /** The value grows no further than this. */
  readonly max: number;
  /** What the value is multiplied by after each reading, above 1. Default 1.5. */
  readonly factor?: number;
  /** Number of readings that must agree before Minimum Sharpness counts as stable, at least 2. Default 4. */
  readonly window?: number;
  /** How far they may lie apart: (largest - smallest) / mean. Default 0.1. */
  readonly tolerance?: number;
}

const knownOptions = {
  max: true,
  factor: true,
  window: true,
  tolerance: true,
} satisfies Record<keyof WarmUpOptions, true>;

/** What {@link warmUp} remembers. */
export interface WarmUpState {
  readonly value: number;
  /** Minimum Sharpness of the latest readings, oldest first. */
  readonly recent: readonly number[];
  /** Whether it is over: the value stays for good. */
  readonly done: boolean;
}

/**
 * A controller that lets a small learning rate grow until Minimum Sharpness has become stable.
 *
 * ```ts
 * model.compile({ optimizer: tf.train.sgd(0.001), loss: 'categoricalCrossentropy' });
 * steer(sharpness.readings$, warmUp({ max: 0.1 }), learningRateOf(model));
 * ```
 *
 * After every reading that is a finite number the value becomes min(max, factor × value), until
 *
 *     (largest - smallest) / mean <= tolerance
 *
 * over the last `window` readings, or until it is `max`. Then it stays. A warm-up gives training the time to leave sharp
 * places for flatter ones, which tolerate a higher learning rate (Gilmer et al., A loss curvature perspective on training
 * instability in deep learning, arXiv 2110.04369); the rule itself is this package's. Readings with an error of their own,
 * from minibatches, lie apart by that error alone: the tolerance must be wider. A rate too small to change anything looks stable as well: begin with one that lowers the loss.
 *
 * @throws Error with one line for options that there are not or that are out of range, and in `begin` for a value that is not
 *   above 0: no factor raises it.
 */
export function warmUp(options: WarmUpOptions): Controller<WarmUpState> {
  checkKnownOptions('warmUp', options, knownOptions);
  const { max, factor = 1.5, window = 4, tolerance = 0.1 } = options ?? {};
  checkNumber('warmUp: max', max, { above: 0 });
  checkNumber('warmUp: factor', factor, { above: 1 });
  checkWhole('warmUp: window', window, { atLeast: 2 });
  checkNumber('warmUp: tolerance', tolerance, { atLeast: 0 });
  return {
    begin(value) {
      if (value > 0) {
        return { value, recent: [], done: value >= max };
      }
      throw new Error(`warmUp: the value is ${value}, which no factor raises: begin above 0.`);
    },
    next(state, { minimumSharpness }) {
      if (state.done || !Number.isFinite(minimumSharpness)) {
        return state;
      }
      const recent = [...state.recent, minimumSharpness].slice(-window);
      const mean = recent.reduce((sum, value) => sum + value, 0) / recent.length;
      const stable = recent.length === window && Math.max(...recent) - Math.min(...recent) <= tolerance * mean;
      const value = stable ? state.value : Math.min(max, factor * state.value);
      return { value, recent, done: stable || value >= max };
    },
  };
}
