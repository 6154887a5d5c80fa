import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Observable, ReplaySubject } from 'rxjs';
import { disposeMinibatch, type Minibatch } from '../measure/minibatch.js';
import { printable, type SharpnessReading } from '../measure/reading.js';
import { type LossRecorder, recordLosses } from '../tfjs/loss-recorder.js';
import { type MinibatchRecorder, recordMinibatches } from '../tfjs/minibatch-recorder.js';
import { type Limits, noReadingWithin, readWithin } from './budgeted-reading.js';
import type { CallbackSettings } from './callback-options.js';
import { epochLine } from './epoch-line.js';
import { type Logs, loggedValues, meanValues, sayNotRead, sayRead } from './logged-values.js';
import { type Problem, type Problems, problemsOf } from './problems.js';
import { isDue } from './schedule.js';
import { type Measuring, type SharpnessReader, sharpnessReader, type Trained } from './sharpness-reader.js';
import type { EpochLogs } from './streams/epoch-logs.js';
import { isolated } from './streams/isolated.js';
import { type TimeBudget, timeBudget } from './time-budget.js';

/** Measures Minimum Sharpness in a training loop that tells it of batches and epochs; see {@link sharpnessMonitor}. */
export interface Monitor {
  /**
   * Every reading, with `step` and `epoch`. Hot; a late subscriber gets the latest first. It never errors, and completes on
   * `dispose()`. What a subscriber throws goes to `problems$`, also from streams piped from this one.
   */
  readonly readings$: Observable<SharpnessReading>;
  /**
   * What `epochEnd` was given, as numbers, with the reading in it, and the means of what `batchEnd` was given in that epoch. It comes
   * after the epoch's readings, and like them it is hot, replays the latest and completes on `dispose()`.
   */
  readonly logs$: Observable<EpochLogs>;
  /** What went wrong, and when. The first time, each message is also a console warning. Completes on `dispose()`. */
  readonly problems$: Observable<Problem>;
  /** The last reading, if there was one. */
  readonly latest: SharpnessReading | undefined;
  /**
   * To be called, and awaited, after every training step. It never rejects.
   *
   * @param logs what there is to say of the batch, such as its loss: numbers or scalars, which stay yours. A reading that is taken now is
   *   put there under its `name`.
   * @returns the reading, if one was due and taken.
   */
  batchEnd(logs?: { [field: string]: number | tf.Tensor }): Promise<SharpnessReading | undefined>;
  /**
   * To be called, and awaited, after every epoch, or whatever the loop does again and again. It never rejects. Where `batchEnd` is
   * never called, an epoch counts as one batch.
   *
   * @param logs of the epoch. They are given the latest reading under its `name`, as `fit` has it: NaN where there is none yet, and where
   *   this epoch's has failed.
   * @returns the reading, if one was due and taken.
   */
  epochEnd(logs?: { [field: string]: number | tf.Tensor }): Promise<SharpnessReading | undefined>;
  /** Stops measuring, frees every tensor, puts the model back as it was and completes the streams. */
  dispose(): void;
}

/** Who trains, and so tells the monitor what happens: `fit` of each batch's begin too, a loop of the user's own only of ends. */
export type Trainer = 'fit' | 'own loop';

/**
 * What counts batches and epochs, decides when to read, and hands on what comes of it. Whoever trains tells it what happens;
 * it throws nothing.
 */
export interface TrainingMonitor extends Pick<Monitor, 'readings$' | 'logs$' | 'latest' | 'dispose' | 'batchEnd'> {
  readonly problems: Problems;
  readonly disposed: boolean;
  /**
   * What is trained from here on; null where it is not known, so that nothing can be read, and undefined while nobody can tell which of
   * several it is.
   */
  setModel(trained: Trained | null | undefined): void;
  /** The batches before those that it will be told of. */
  countFrom(step: number): void;
  /** Training begins, or goes on. */
  begin(): void;
  /**
   * Whether readings can be taken, and be put into the logs: what is wrong is a problem now, and not after the first epoch.
   *
   * @param logged names under which the logs have something else.
   */
  check(logged?: readonly string[]): Promise<void>;
  /** @param epoch zero-based. */
  epochBegin(epoch: number): void;
  /** The next batch that is trained on is looked at, where a reading is due after it. */
  batchBegin(): void;
  /** @param logs are given the latest reading, by its name; NaN where there is none yet, and where this epoch's has failed. */
  epochEnd(epoch: number, logs: Logs | undefined): Promise<SharpnessReading | undefined>;
  /** Training pauses. The model is as it was before `begin`. */
  end(): void;
}

const NOT_SEEN =
  'no minibatch was seen: a loop of your own shows them only where it trains by model.trainOnBatch. Pass { data }.';

const OWN_NAME: Readonly<Record<Trainer, string>> = {
  fit: 'give each callback its own name, minimumSharpness({ name }).',
  'own loop': 'give each monitor its own name, sharpnessMonitor(model, { name }).',
};

export function monitorOf(settings: CallbackSettings, measuring: Measuring, trainer: Trainer = 'fit'): TrainingMonitor {
  const { data, every, name, verbose } = settings;
  const isOwnLoop = trainer === 'own loop';
  const at = { step: settings.initialStep, epoch: 0 };
  const disposal = new AbortController();
  const problems = problemsOf(name, () => at);
  const read = sharpnessReader(settings, measuring, problems, disposal.signal);
  const budget = every.overhead === undefined ? undefined : timeBudget(every.overhead);
  const readings = new ReplaySubject<SharpnessReading>(1);
  const logs = new ReplaySubject<EpochLogs>(1);

  let trained: Trained | null | undefined = null;
  let recorder: MinibatchRecorder | undefined;
  let losses: LossRecorder | undefined;
  let isExpecting = false;
  let latest: SharpnessReading | undefined;
  /** The reading that epoch logs carry forward, and what it is of. */
  let carried: { readonly of: Trained; readonly reading: SharpnessReading } | undefined;
  let isToldOfBatches = false;
  let epochsEnded = 0;
  /** Whether a reading ever failed. */
  let everFailed = false;
  /** `hasFailed`: since the last reading, if there was one. */
  const newEpoch = () => ({ stepAtBegin: at.step, hasReading: false, hasFailed: false, means: meanValues() });
  let thisEpoch = newEpoch();
  /** What was found to be measurable, or not: `fit` may be called for every epoch. */
  const checked = new WeakSet<Trained>();
  /** Steps that this monitor was not told of. */
  let stepsBefore = settings.initialStep;
  /** Logs with a value of this monitor: a loop may use one object again and again. */
  const written = new WeakSet<Logs>();

  // In a loop of the user's own, the model may be run for whatever reason: it is trained on what its compiled losses see.
  const holdsMinibatch = () => recorder?.holds === true && (!isOwnLoop || losses?.holds === true);

  const takeMinibatch = (): Minibatch | undefined => {
    const isSeen = holdsMinibatch();
    const minibatch = { inputs: recorder?.take() ?? [], losses: losses?.take() ?? [] };
    if (isSeen) {
      return minibatch;
    }
    disposeMinibatch(minibatch);
    return undefined;
  };

  const readingOf = (of: Trained, limits: Limits | undefined): ReturnType<SharpnessReader> | 'none' => {
    const minibatch = takeMinibatch();
    if (isOwnLoop && data === undefined && minibatch === undefined) {
      problems.skip(NOT_SEEN);
      return 'none';
    }
    return read(of, minibatch, limits);
  };

  const tryReading = async (limits?: Limits): Promise<SharpnessReading | undefined> => {
    if (!trained || disposal.signal.aborted) {
      return undefined;
    }
    // Where nobody awaits the reading, these go on meanwhile.
    const [of, moment] = [trained, { ...at }];
    const reading = await readingOf(of, limits);
    // One that was due, and found nothing to measure, has failed; one within limits was given up, to be tried later.
    if (reading === 'failed' || (reading === 'none' && limits === undefined && !disposal.signal.aborted)) {
      thisEpoch.hasFailed = everFailed = true;
      return undefined;
    }
    if (reading === 'none') {
      return undefined;
    }
    latest = printable({ ...reading, ...moment });
    carried = { of, reading: latest };
    thisEpoch.hasReading = true;
    thisEpoch.hasFailed = false;
    readings.next(latest);
    return latest;
  };

  const readingWithin = async (within: TimeBudget): Promise<SharpnessReading | undefined> => {
    let reading: SharpnessReading | undefined;
    const givenUp = await readWithin(within, async (limits) => {
      reading = await tryReading(limits);
    });
    if (givenUp !== undefined) {
      problems.skipQuietly(givenUp);
    }
    return reading;
  };

  const endBatch = async (): Promise<SharpnessReading | undefined> => {
    budget?.start();
    at.step++;
    recorder?.stop();
    losses?.stop();
    if (isOwnLoop && isExpecting && losses?.isCurrent && !holdsMinibatch()) {
      problems.warn(NOT_SEEN); // the first reading may be due in an hour
    }
    isExpecting = false;
    if (isDue(every, 'batches', at.step)) {
      return tryReading();
    }
    const hasSubject = data !== undefined || holdsMinibatch();
    return budget?.affords() && !thisEpoch.hasFailed && hasSubject ? readingWithin(budget) : undefined;
  };

  const skipTaken = () =>
    problems.skip(`the epoch logs already have a "${name}" from someone else, which stays: ${OWN_NAME[trainer]}`);

  /** Puts a value into logs, where its place is free. */
  const put = (into: Logs, value: number): boolean => {
    if (Object.hasOwn(into, name) && !written.has(into)) {
      skipTaken();
      return false;
    }
    into[name] = value;
    written.add(into);
    return true;
  };

  const logValue = (epochLogs: Logs) => {
    const { hasReading, hasFailed } = thisEpoch;
    const known = carried !== undefined && carried.of === trained && !hasFailed ? carried.reading : undefined;
    if (put(epochLogs, known?.minimumSharpness ?? Number.NaN)) {
      const isRead = hasReading && !hasFailed;
      sayNotRead(epochLogs, name, !isRead);
      if (isRead && latest !== undefined) {
        sayRead(epochLogs, name, latest);
      }
    }
  };

  const handOn = async (epochLogs: Logs) => {
    try {
      logValue(epochLogs);
      if (!disposal.signal.aborted) {
        const moment = { ...at, batches: at.step - thisEpoch.stepAtBegin };
        const values = { ...thisEpoch.means.values(), ...(await loggedValues(epochLogs)) };
        if (verbose && Object.hasOwn(values, name)) {
          const isRead = thisEpoch.hasReading && !thisEpoch.hasFailed && written.has(epochLogs);
          console.log(epochLine(moment.epoch, values, name, isRead ? latest : undefined));
        }
        logs.next({ ...moment, logs: values });
      }
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

  /** Taps the model, to see its minibatches. What an earlier training has left behind, since it threw, goes. */
  const watchModel = () => {
    releaseModel();
    if (!trained || data !== undefined || disposal.signal.aborted) {
      return;
    }
    try {
      const model = trained as tfl.LayersModel; // functions have data
      losses = recordLosses(model);
      // Once the losses were seen, the model may still be run inside of another one.
      recorder = recordMinibatches(model, () => losses?.holds === true);
    } catch (error) {
      problems.fail(undefined, error);
    }
  };

  const expectBatch = () => {
    const isWanted = isDue(every, 'batches', at.step + 1) || isDue(every, 'epochs', epochsEnded + 1);
    // A batch that is kept already stays, with its labels.
    if (!(isWanted || budget?.affords()) || holdsMinibatch()) {
      return;
    }
    if (losses?.isCurrent === false) {
      watchModel();
    }
    tf.dispose(recorder?.take() ?? []);
    recorder?.record();
    losses?.record();
    isExpecting = true;
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
    setModel(now) {
      trained = now;
    },
    countFrom(step) {
      at.step = step;
      stepsBefore = step;
    },
    begin() {
      watchModel();
      if (!isOwnLoop) {
        budget?.start();
      }
    },
    async check(logged = []) {
      if (!trained || disposal.signal.aborted) {
        return;
      }
      if (logged.includes(name)) {
        skipTaken();
      }
      const { signal } = settings.measureOptions;
      if (data !== undefined && !signal?.aborted && !checked.has(trained)) {
        checked.add(trained);
        try {
          await measuring.check?.(trained, data, settings.measureOptions);
        } catch (error) {
          if (!disposal.signal.aborted && !signal?.aborted) {
            everFailed = true;
            problems.fail(undefined, error);
          }
        }
      }
    },
    epochBegin(epoch) {
      at.epoch = epoch;
      thisEpoch = newEpoch();
    },
    batchBegin: expectBatch,
    async batchEnd(batchLogs) {
      isToldOfBatches = true;
      const { means } = thisEpoch;
      const reading = await endBatch();
      try {
        const { [name]: _, ...values } = await loggedValues(batchLogs ?? {});
        means.add(values);
        if (reading && batchLogs) {
          put(batchLogs, reading.minimumSharpness);
        }
      } catch (error) {
        problems.fail('the logs of a batch could not be read', error);
      }
      return reading;
    },
    async epochEnd(epoch, epochLogs) {
      at.epoch = epoch;
      epochsEnded++;
      budget?.start();
      // Both begin at once, whoever awaits them, and there is one at most: a schedule has one unit.
      const ofBatch = isToldOfBatches ? undefined : endBatch();
      const ofEpoch = isDue(every, 'epochs', epochsEnded) ? tryReading() : undefined;
      const reading = (await ofBatch) ?? (await ofEpoch);
      const { hasReading, hasFailed, means } = thisEpoch;
      if (budget && !hasReading && !hasFailed && trained && !disposal.signal.aborted) {
        problems.skipQuietly(noReadingWithin(budget));
      }
      const all = epochLogs ?? (isOwnLoop || !means.isEmpty ? {} : undefined);
      if (trained !== null && all) {
        await handOn(all);
      }
      thisEpoch = newEpoch();
      return reading;
    },
    end() {
      releaseModel();
      budget?.stop();
      // What failed was said when it did.
      if (trained && latest === undefined && !everFailed && !disposal.signal.aborted) {
        problems.warn(
          `no reading was taken in ${at.step - stepsBefore} batches and ${epochsEnded} epochs: ` +
            `${budget ? `there was no time for one, every: { overhead: ${every.overhead} }` : 'none was due'}.`,
          'no reading',
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
