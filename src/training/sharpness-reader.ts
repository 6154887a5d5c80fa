import type * as tfl from '@tensorflow/tfjs-layers';
import { withFirstOf } from '../abort-signals.js';
import { isDataset, type LabelledInputs } from '../measure/inputs.js';
import type { FunctionOfVariables } from '../measure/measure-function.js';
import type { SharpnessInputs } from '../measure/measure-sharpness.js';
import { disposeMinibatch, labelledMinibatch, type Minibatch } from '../measure/minibatch.js';
import type { MeasureOptions } from '../measure/options.js';
import type { SharpnessReading } from '../measure/reading.js';
import type { Limits } from './budgeted-reading.js';
import type { CallbackSettings } from './callback-options.js';
import { hasPasses, ORDER_CHANGES, watchOrder } from './data-order.js';
import type { Problems } from './problems.js';

/** What is trained, and measured. */
export type Trained = tfl.LayersModel | FunctionOfVariables;

/** The two ways of measuring: on the data that the value shall speak for, and on a random minibatch of it. */
export interface Measuring {
  whole(trained: Trained, data: SharpnessInputs, options: MeasureOptions): Promise<SharpnessReading>;
  minibatch(model: tfl.LayersModel, minibatch: LabelledInputs, options: MeasureOptions): Promise<SharpnessReading>;
  /** Throws where `whole` would, before it has measured anything. */
  check?(trained: Trained, data: SharpnessInputs, options: MeasureOptions): Promise<void>;
}

/**
 * Takes a reading of what is trained, and never throws: what went wrong is with the problems.
 *
 * @param trained a model, where there is no data.
 * @param minibatch what to measure then; it is disposed.
 * @param limits of a reading that may be given up.
 * @returns the reading; or `'failed'`, and trying again is likely to be in vain; or `'none'`: given up, or nothing to measure.
 */
export type SharpnessReader = (
  trained: Trained,
  minibatch: Minibatch | undefined,
  limits?: Limits,
) => Promise<SharpnessReading | 'failed' | 'none'>;

/** @param disposal aborted once nobody wants readings any more; what then fails is no problem. */
export function sharpnessReader(
  { data, measureOptions }: CallbackSettings,
  measuring: Measuring,
  problems: Problems,
  disposal: AbortSignal,
): SharpnessReader {
  const { signal: given, onProgress } = measureOptions;
  const optionsWithin = (limits: Limits): MeasureOptions => ({
    ...measureOptions,
    onProgress(progress) {
      limits.onProgress(progress);
      return onProgress?.(progress);
    },
  });
  const whole = isDataset(data) && hasPasses(data) ? watchOrder(data, () => problems.warn(ORDER_CHANGES)) : data;
  return async (trained, minibatch, limits) => {
    try {
      if (whole === undefined && minibatch === undefined) {
        problems.skip('no minibatch was seen: pass { data } to minimumSharpness().');
        return 'none';
      }
      const reading = await withFirstOf([given, disposal, limits?.signal], async (signal) => {
        const options = { ...(limits ? optionsWithin(limits) : measureOptions), signal };
        if (whole !== undefined) {
          return measuring.whole(trained, whole, options);
        }
        const model = trained as tfl.LayersModel;
        return measuring.minibatch(model, await labelledMinibatch(model, minibatch as Minibatch), options);
      });
      return disposal.aborted ? 'none' : reading;
    } catch (error) {
      if (disposal.aborted || limits?.signal.aborted) {
        return 'none';
      }
      if (given?.aborted) {
        problems.skip('no reading, since the signal given in the options was aborted.');
      } else {
        problems.fail(undefined, error);
      }
      return 'failed';
    } finally {
      disposeMinibatch(minibatch);
    }
  };
}
