import type * as tfl from '@tensorflow/tfjs-layers';
import { type Observable, ReplaySubject } from 'rxjs';
import { disposeMinibatch, type Minibatch } from '../measure/minibatch.js';
import { printable, type SharpnessReading } from '../measure/reading.js';
import { type LossRecorder, recordLosses } from '../tfjs/loss-recorder.js';
import { type MinibatchRecorder, recordMinibatches } from '../tfjs/minibatch-recorder.js';
import { type Limits, noReadingWithin, readWithin } from './budgeted-reading.js';
import type { CallbackSettings } from './callback-options.js';
import { epochLine } from './epoch-line.js';
import { type Logs, loggedValues, sayNotRead, sayRead } from './logged-values.js';
import { type Problems, problemsOf } from './problems.js';
import { isDue } from './schedule.js';
import { type Measuring, sharpnessReader } from './sharpness-reader.js';
import type { EpochLogs } from './streams/epoch-logs.js';
import { isolated } from './streams/isolated.js';
import { timeBudget } from './time-budget.js';

/**
 * What counts batches and epochs, decides when to read, and hands on what comes of it. Whoever trains tells it what happens;
 * it throws nothing.
 */
export interface Monitor {
  /** Hot, with the latest for those who come late. */
  readonly readings$: Observable<SharpnessReading>;
  /** After the readings of the epoch, and like them. */
  readonly logs$: Observable<EpochLogs>;
  readonly problems: Problems;
  readonly latest: SharpnessReading | undefined;
  readonly disposed: boolean;
  /** The model that is trained from here on; null where it is not known, so that nothing can be read. */
  setModel(model: tfl.LayersModel | null): void;
  /** Training begins, or goes on. */
  begin(): void;
  /** @param epoch zero-based. */
  epochBegin(epoch: number): void;
  batchBegin(): void;
  batchEnd(): Promise<void>;
  /** @param logs are given the latest reading, by its name; NaN where there is none yet, and where this epoch's has failed. */
  epochEnd(epoch: number, logs: Logs | undefined): Promise<void>;
  /** Training pauses. The model is as it was before `begin`. */
  end(): void;
  /** Nothing is read any more, and the streams complete. */
  dispose(): void;
}

export function monitorOf(settings: CallbackSettings, measuring: Measuring): Monitor {
  const { data, every, name, verbose } = settings;
  const at = { step: settings.initialStep, epoch: 0 };
  const disposal = new AbortController();
  const problems = problemsOf(name, () => at);
  const read = sharpnessReader(settings, measuring, problems, disposal.signal);
  const budget = every.overhead === undefined ? undefined : timeBudget(every.overhead);
  const readings = new ReplaySubject<SharpnessReading>(1);
  const logs = new ReplaySubject<EpochLogs>(1);

  let model: tfl.LayersModel | null = null;
  let recorder: MinibatchRecorder | undefined;
  let losses: LossRecorder | undefined;
  let latest: SharpnessReading | undefined;
  /** The reading that epoch logs carry forward, and the model it is of. */
  let carried: { readonly model: tfl.LayersModel; readonly reading: SharpnessReading } | undefined;
  let epochsEnded = 0;
  /** Whether a reading ever failed. */
  let hasFailed = false;
  /** `hasFailed`: since the last reading, if there was one. */
  let thisEpoch = { stepAtBegin: 0, hasReading: false, hasFailed: false };

  const takeMinibatch = (): Minibatch | undefined => {
    const inputs = recorder?.take();
    const minibatch = { inputs: inputs ?? [], losses: losses?.take() ?? [] };
    if (inputs === undefined) {
      disposeMinibatch(minibatch);
      return undefined;
    }
    return minibatch;
  };

  const tryReading = async (limits?: Limits) => {
    if (model === null || disposal.signal.aborted) {
      return;
    }
    const trained = model;
    const reading = await read(trained, takeMinibatch(), limits);
    // One that was due, and found nothing to measure, has failed; one within limits was given up, to be tried later.
    if (reading === 'failed' || (reading === 'none' && limits === undefined && !disposal.signal.aborted)) {
      thisEpoch.hasFailed = hasFailed = true;
    } else if (reading !== 'none') {
      latest = printable({ ...reading, ...at });
      carried = { model: trained, reading: latest };
      thisEpoch.hasReading = true;
      thisEpoch.hasFailed = false;
      readings.next(latest);
    }
  };

  const logValue = (epochLogs: Logs) => {
    if (Object.hasOwn(epochLogs, name)) {
      problems.skip(
        `the epoch logs already have a "${name}" from someone else, which stays: give each callback its own name, minimumSharpness({ name }).`,
      );
    } else {
      const isKnown = carried?.model === model && !thisEpoch.hasFailed;
      epochLogs[name] = isKnown ? (carried as { reading: SharpnessReading }).reading.minimumSharpness : Number.NaN;
      if (!thisEpoch.hasReading || thisEpoch.hasFailed) {
        sayNotRead(epochLogs, name);
      } else if (latest !== undefined) {
        sayRead(epochLogs, name, latest);
      }
    }
  };

  const publish = async (epochLogs: Logs) => {
    if (disposal.signal.aborted) {
      return;
    }
    try {
      const values = await loggedValues(epochLogs);
      if (verbose && Object.hasOwn(values, name)) {
        console.log(epochLine(at.epoch, values, name, thisEpoch.hasReading ? latest : undefined));
      }
      logs.next({ ...at, batches: at.step - thisEpoch.stepAtBegin, logs: values });
    } catch (error) {
      problems.fail('the epoch logs could not be read', error);
    }
  };

  const releaseModel = () => {
    recorder?.remove();
    recorder = undefined;
    losses?.remove();
    losses = undefined;
  };

  return {
    readings$: isolated(readings, (error) => problems.fail('a subscriber to readings$ threw', error)),
    logs$: isolated(logs, (error) => problems.fail('a subscriber to logs$ threw', error)),
    problems,
    get latest() {
      return latest;
    },
    get disposed() {
      return disposal.signal.aborted;
    },
    setModel(trained) {
      model = trained;
    },
    begin() {
      // A training that threw did not say so: what it left behind goes now.
      releaseModel();
      if (model !== null && data === undefined && !disposal.signal.aborted) {
        try {
          recorder = recordMinibatches(model);
          losses = recordLosses(model);
        } catch (error) {
          problems.fail(undefined, error);
        }
      }
      budget?.start();
    },
    epochBegin(epoch) {
      at.epoch = epoch;
      thisEpoch = { stepAtBegin: at.step, hasReading: false, hasFailed: false };
    },
    batchBegin() {
      const due = isDue(every, 'batches', at.step + 1) || isDue(every, 'epochs', epochsEnded + 1);
      // A batch that is kept already stays, with its labels.
      if ((due || budget?.affords()) && recorder?.holds === false) {
        recorder.record();
        losses?.record();
      }
    },
    async batchEnd() {
      at.step++;
      recorder?.stop();
      losses?.stop();
      if (isDue(every, 'batches', at.step)) {
        await tryReading();
      }
      if (budget?.affords() && !thisEpoch.hasFailed && (data !== undefined || recorder?.holds)) {
        const givenUp = await readWithin(budget, tryReading);
        if (givenUp !== undefined) {
          problems.skipQuietly(givenUp);
        }
      }
    },
    async epochEnd(epoch, epochLogs) {
      at.epoch = epoch;
      epochsEnded++;
      if (isDue(every, 'epochs', epochsEnded)) {
        await tryReading();
      }
      const without = !thisEpoch.hasReading && !thisEpoch.hasFailed;
      if (budget && without && model !== null && !disposal.signal.aborted) {
        problems.skipQuietly(noReadingWithin(budget));
      }
      if (model !== null && epochLogs !== undefined) {
        logValue(epochLogs);
        await publish(epochLogs);
      }
    },
    end() {
      releaseModel();
      budget?.stop();
      // What failed was said when it did.
      if (model !== null && latest === undefined && !hasFailed && !disposal.signal.aborted) {
        problems.warn(
          `no reading was taken in ${at.step - settings.initialStep} batches and ${epochsEnded} epochs: ` +
            `${budget ? `there was no time for one, every: { overhead: ${every.overhead} }` : 'none was due'}.`,
        );
      }
    },
    dispose() {
      disposal.abort();
      releaseModel();
      readings.complete();
      logs.complete();
      problems.complete();
    },
  };
}
