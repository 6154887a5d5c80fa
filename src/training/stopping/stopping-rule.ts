import { BROKEN, type Losses, standingOf, withLoss } from './loss-guard.js';
import { type Average, nextAverage } from './smoothing.js';
import { type Comparison, type Criterion, change, notWaiting, type Waiting } from './stopping-criterion.js';

/** The part of the settings that a rule goes by. */
export interface RuleSettings {
  readonly comparison: Comparison;
  readonly criterion: Criterion;
  readonly startFromEpoch: number;
  readonly startFromAccuracy: number | undefined;
}

/** What a rule remembers: plain numbers, replaced and never changed. */
export interface RuleState {
  /** Moving average of the values that counted. */
  readonly average?: Average;
  readonly best?: Best;
  readonly waiting: Waiting;
  readonly losses: Losses;
  /** What there would be without the last improvement, as long as the loss after it has not shown that it was one. */
  readonly doubted?: Pick<RuleState, 'average' | 'best' | 'waiting'>;
}

/** The best value, and the zero-based epoch that it is of. */
export interface Best extends Average {
  readonly epoch: number;
  /** The loss of that epoch, where it is known. */
  readonly loss?: number;
}

/** One epoch, or reading, that is judged. What is not known is undefined. */
export interface Observation {
  /** Zero-based. */
  readonly epoch: number;
  readonly value: number;
  readonly standardError: number;
  /** Training loss and accuracy: means of the epoch, or since the reading before. */
  readonly loss: number | undefined;
  readonly accuracy: number | undefined;
  /** The loss that the guard looks at: the mean of the epoch, or of about an epoch's batches. */
  readonly steadyLoss: number | undefined;
  /** Whether the reading says that the network has collapsed, as far as it knows. */
  readonly collapsed?: boolean | undefined;
  /** See `standingOf`; Infinity does without the guard. */
  readonly margin: number;
}

/** What an observation comes to. */
export interface Verdict {
  readonly state: RuleState;
  readonly improved: boolean;
  readonly stops: boolean;
  /** Why it cannot be the best, if it cannot for its loss, or has collapsed. */
  readonly refused?: 'high' | 'unlearned' | 'collapsed';
}

/** Before the first epoch. */
export const untold: RuleState = { waiting: notWaiting, losses: {} };

/**
 * Tells a rule of the loss since it was told last, be there a value to judge or not.
 *
 * The mean loss of an epoch says little of the weights at its end, which are those that were measured: the last step may have
 * broken them. The batch after it tells. Where both that batch and the mean since then are those of a broken network, the last improvement was none.
 *
 * @param first loss of the first batch since then.
 * @param mean of all batches since then.
 * @returns the state, and whether it was taken back.
 */
export function lossSince(
  state: RuleState,
  first: number | undefined,
  mean: number | undefined,
  margin: number,
): { readonly state: RuleState; readonly takenBack: boolean } {
  const { doubted, ...rest } = { ...state, losses: withLoss(state.losses, mean) };
  if (doubted === undefined || mean === undefined) {
    return { state: { ...rest, ...(doubted && { doubted }) }, takenBack: false };
  }
  const isHigh = (loss: number | undefined) => standingOf(loss, rest.losses, Math.max(margin, BROKEN)) === 'high';
  const { average: _average, best: _best, ...others } = rest;
  return isHigh(first) && isHigh(mean)
    ? { state: { ...others, ...doubted }, takenBack: true }
    : { state: rest, takenBack: false };
}

/** Judges an observation. `lossSince` comes before. */
export function judge(state: RuleState, seen: Observation, settings: RuleSettings): Verdict {
  const { comparison, criterion, startFromEpoch, startFromAccuracy } = settings;
  const ignored = { state, improved: false, stops: false };
  if (
    seen.epoch < startFromEpoch ||
    (startFromAccuracy !== undefined && !((seen.accuracy ?? Number.NaN) >= startFromAccuracy))
  ) {
    return ignored;
  }
  const isGuarded = seen.margin < Number.POSITIVE_INFINITY;
  // A reading that knows that nothing has collapsed knows more than the loss of the first batch.
  const standing = standingOf(seen.steadyLoss, state.losses, seen.margin, seen.collapsed === false);
  const refused = isGuarded && seen.collapsed ? 'collapsed' : standing;
  if (refused === 'unlearned' || (refused === 'collapsed' && state.best === undefined)) {
    return { ...ignored, refused };
  }
  if (state.best === undefined && refused === 'fine' && Number.isNaN(seen.value)) {
    return ignored;
  }
  // What is refused takes no part in the average either.
  const value = refused === 'fine' ? seen.value : Number.NaN;
  const current = nextAverage(state.average, value, seen.standardError, comparison.smoothing);
  const average = Number.isFinite(value) ? current : state.average;
  // Minimum Sharpness falls with the loss and rises again: one of a loss that is far higher by now says nothing of this one.
  const isComparable =
    state.best !== undefined && standingOf(state.best.loss, state.losses, seen.margin, true) !== 'high';
  const improved =
    refused === 'fine' &&
    (!isComparable ? !Number.isNaN(value) : change(current, state.best as Best, comparison) === 'better');
  const tell = (isBetter: boolean) =>
    criterion(state.waiting, { current, improved: isBetter, loss: seen.loss ?? Number.NaN });
  const waiting = tell(improved);
  const { average: _average, best, doubted: _doubted, ...rest } = state;
  const next: RuleState = {
    ...rest,
    waiting,
    ...(average && { average }),
    ...(improved
      ? { best: { ...current, epoch: seen.epoch, ...(seen.steadyLoss !== undefined && { loss: seen.steadyLoss }) } }
      : best && { best }),
    ...(improved &&
      isGuarded && {
        doubted: {
          waiting: { ...tell(false), stops: false },
          ...(state.average && { average: state.average }),
          ...(best && { best }),
        },
      }),
  };
  return {
    state: next,
    improved,
    stops: waiting.stops,
    ...(refused !== 'fine' && { refused }),
  };
}
