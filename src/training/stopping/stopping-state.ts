import type { Losses } from './loss-guard.js';
import type { Average } from './smoothing.js';
import type { Waiting } from './stopping-criterion.js';
import type { Best, RuleState } from './stopping-rule.js';

/**
 * All that `earlyStopping` remembers of a training but the best weights, for JSON. `earlyStopping({ ..., state })` goes on from there.
 */
export interface StoppingState {
  readonly version: 1;
  /** What was monitored, and how: a training must go on with the same. */
  readonly monitor: string;
  readonly when: 'plateau' | 'worsensAsLossFalls';
  readonly mode: 'min' | 'max';
  readonly smoothing: number;
  /** Zero-based epoch in which training was stopped, if it was. */
  readonly stoppedEpoch?: number;
  /** What the rule remembers: averages, waiting, losses. Not for reading by others. */
  readonly rule: Readonly<Record<string, unknown>>;
}

/** What a state must agree with. */
type Identity = Pick<StoppingState, 'monitor' | 'when' | 'mode' | 'smoothing'>;

/** The state for JSON. */
export function savedState(rule: RuleState, identity: Identity, stoppedEpoch: number | undefined): StoppingState {
  const { monitor, when, mode, smoothing } = identity;
  return {
    version: 1,
    monitor,
    when,
    mode,
    smoothing,
    ...(stoppedEpoch !== undefined && { stoppedEpoch }),
    rule: saved(rule) as Readonly<Record<string, unknown>>,
  };
}

/** @throws Error with one line for what is no state, or one of another monitor, criterion, mode or smoothing. */
export function ruleOf(state: unknown, identity: Identity): RuleState {
  const given = record(state);
  if (given.version !== 1) {
    throw new Error(
      `state must be what the state of another earlyStopping was, of version 1, but its version is ${given.version}.`,
    );
  }
  for (const key of ['monitor', 'when', 'mode', 'smoothing'] as const) {
    if (given[key] !== identity[key]) {
      throw new Error(
        `state is of ${key} ${shown(given[key])}, but this earlyStopping has ${key} ${shown(identity[key])}: pass the same options.`,
      );
    }
  }
  return rule(record(given.rule));
}

/** As JSON can hold it: numbers that are not finite go by their names. */
function saved(value: unknown): unknown {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : String(value);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, each]) => each !== undefined)
          .map(([key, each]) => [key, saved(each)]),
      )
    : value;
}

function rule(given: Record<string, unknown>): RuleState {
  const { average: _average, best: _best, doubted, ...rest } = given;
  return {
    ...remembered(given),
    losses: losses(record(rest.losses)),
    ...(doubted !== undefined && { doubted: remembered(record(doubted)) }),
  };
}

function remembered({ average: mean, best, waiting: waited }: Record<string, unknown>) {
  return {
    waiting: waiting(record(waited)),
    ...(mean !== undefined && { average: average(record(mean)) }),
    ...(best !== undefined && { best: bestOf(record(best)) }),
  };
}

function bestOf(given: Record<string, unknown>): Best {
  const best = { ...average(given), epoch: whole(given.epoch) };
  return given.loss === undefined ? best : { ...best, loss: numberOf(given.loss) };
}

function average({ value, variance, count }: Record<string, unknown>): Average {
  return { value: numberOf(value), variance: numberOf(variance), count: whole(count) };
}

function waiting({ wait, stops, before }: Record<string, unknown>): Waiting {
  if (typeof stops !== 'boolean') {
    throw damaged();
  }
  const told = before === undefined ? undefined : record(before);
  return {
    wait: whole(wait),
    stops,
    ...(told && { before: { current: average(record(told.current)), loss: numberOf(told.loss) } }),
  };
}

function losses(given: Record<string, unknown>): Losses {
  const entries = (['first', 'firstSamples', 'lowest'] as const).flatMap((key) =>
    given[key] === undefined ? [] : [[key, numberOf(given[key])]],
  );
  return Object.fromEntries(entries) as Losses;
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw damaged();
}

function numberOf(value: unknown): number {
  if (typeof value === 'number' || value === 'NaN' || value === 'Infinity' || value === '-Infinity') {
    return Number(value);
  }
  throw damaged();
}

function whole(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) {
    return value as number;
  }
  throw damaged();
}

const damaged = () =>
  new Error(
    'state must be what the state of another earlyStopping was, as JSON has it, but a part is missing or another.',
  );

const shown = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value));
