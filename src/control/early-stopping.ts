import type * as tfl from '@tensorflow/tfjs-layers';
import { FitCallback } from '../fit-callback.js';

export interface EarlyStoppingOptions {
  /** The field of the epoch logs to watch, for example `'minimumSharpness'` or `'val_loss'`. */
  readonly monitor: string;
  /** Smallest change that counts as an improvement, in units of the monitored value. Default 0. */
  readonly minDelta?: number;
  /** Epochs without improvement after which training stops; 0 stops at the first. Default 0. */
  readonly patience?: number;
  /** Whether lower (`'min'`) or higher (`'max'`) is better. By default higher for names that contain `acc`, else lower. */
  readonly mode?: 'min' | 'max' | 'auto';
  /** First epoch (zero-based) that counts: earlier ones neither improve nor stop. Default 0. */
  readonly startFromEpoch?: number;
  /** 1 says on the console that it stopped training. Default 0. */
  readonly verbose?: 0 | 1;
}

/** What {@link earlyStopping} returns. Its findings describe the current fit, or the last. */
export interface EarlyStopping extends tfl.Callback {
  /** The best value of the monitored field, if there was a number yet. */
  readonly best: number | undefined;
  /** Zero-based epoch at whose end training was stopped, if it was. */
  readonly stoppedEpoch: number | undefined;
}

/**
 * A callback that stops `fit` or `fitDataset` when a field of the epoch logs has stopped improving.
 *
 * ```ts
 * callbacks: [minimumSharpness({ data: xTrain }), earlyStopping({ monitor: 'minimumSharpness', patience: 5 })]
 * ```
 *
 * The options mean what they mean in Keras' EarlyStopping (https://keras.io/api/callbacks/early_stopping): a value
 * improves if it is better than the best one by more than `minDelta`, and `patience` epochs in a row without improvement
 * stop training. Each fit starts anew.
 *
 * It must stand after the callback that sets the field. Patience counts epochs, also those that only carry a reading
 * forward: with readings every k epochs, it should be a multiple of k.
 * NaN is never an improvement; before the first number it does not count against patience either, since that is how
 * `minimumSharpness` says that there is no reading yet. An epoch without the field does not count, and one line says so.
 *
 * @throws in one line for options that are out of range.
 */
export function earlyStopping(options: EarlyStoppingOptions): EarlyStopping {
  return new EarlyStoppingCallback(options);
}

class EarlyStoppingCallback extends FitCallback implements EarlyStopping {
  best: number | undefined;
  stoppedEpoch: number | undefined;

  readonly #monitor: string;
  readonly #minDelta: number;
  readonly #patience: number;
  readonly #lowerIsBetter: boolean;
  readonly #startFromEpoch: number;
  readonly #verbose: boolean;
  readonly #warned = new Set<string>();
  #wait = 0;

  constructor(options: EarlyStoppingOptions) {
    super();
    const { monitor, minDelta = 0, patience = 0, mode = 'auto', startFromEpoch = 0, verbose = 0 } = options ?? {};
    if (typeof monitor !== 'string' || monitor === '') {
      throw new Error("monitor must name a field of the epoch logs, for example { monitor: 'minimumSharpness' }.");
    }
    if (!(Number.isFinite(minDelta) && minDelta >= 0)) {
      throw new Error(`minDelta must be a finite number of at least 0, but it is ${minDelta}.`);
    }
    for (const [name, value] of Object.entries({ patience, startFromEpoch })) {
      if (!Number.isInteger(value) || value < 0) {
        throw new Error(`${name} must be a whole number of epochs, at least 0, but it is ${value}.`);
      }
    }
    if (mode !== 'min' && mode !== 'max' && mode !== 'auto') {
      throw new Error(`mode must be 'min', 'max' or 'auto', but it is ${mode}.`);
    }
    this.#monitor = monitor;
    this.#minDelta = minDelta;
    this.#patience = patience;
    this.#lowerIsBetter = mode === 'min' || (mode === 'auto' && !monitor.includes('acc'));
    this.#startFromEpoch = startFromEpoch;
    this.#verbose = verbose > 0;
  }

  override async onTrainBegin(): Promise<void> {
    this.beginFit();
    this.best = undefined;
    this.stoppedEpoch = undefined;
    this.#wait = 0;
  }

  override async onEpochEnd(epoch: number, logs: Record<string, number | { data(): Promise<ArrayLike<number>> }> = {}) {
    if (this.model === null) return;
    // Metrics are scalars until someone needs their value; History disposes them.
    const logged = logs[this.#monitor];
    const current = typeof logged === 'object' ? (await logged.data())[0] : logged;
    if (current === undefined) {
      this.complain(
        `the epoch logs have no "${this.#monitor}", only ${Object.keys(logs).join(', ') || 'nothing'}: ` +
          'training is not stopped. Put earlyStopping after the callback that sets the field.',
      );
      return;
    }
    if (epoch < this.#startFromEpoch || (this.best === undefined && Number.isNaN(current))) return;
    if (this.#improves(current)) {
      this.best = current;
      this.#wait = 0;
      return;
    }
    this.#wait++;
    if (this.#wait >= this.#patience) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
    }
  }

  override async onTrainEnd(): Promise<void> {
    if (this.#verbose && this.stoppedEpoch !== undefined) {
      console.log(`Epoch ${this.stoppedEpoch + 1}: early stopping, ${this.#monitor} was best at ${this.best}.`);
    }
  }

  #improves(value: number): boolean {
    if (this.best === undefined) return true;
    return this.#lowerIsBetter ? value < this.best - this.#minDelta : value > this.best + this.#minDelta;
  }

  protected override complain(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    console.warn(`tfjs-sharpness, earlyStopping: ${message}`);
  }
}
