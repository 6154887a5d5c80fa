import { describe, expect, it } from 'vitest';
import { type RuleState, untold } from '../../../src/training/stopping/stopping-rule.js';
import { ruleOf, savedState } from '../../../src/training/stopping/stopping-state.js';

const identity = { monitor: 'minimumSharpness', when: 'plateau' as const, mode: 'min' as const, smoothing: 0.5 };
const average = { value: 3, variance: 0.25, count: 4 };
const full: RuleState = {
  average,
  best: { ...average, value: Number.POSITIVE_INFINITY, epoch: 7, loss: 0.5 },
  waiting: { wait: 2, stops: false, before: { current: { ...average, value: Number.NaN }, loss: 0.5 } },
  losses: { first: 2.4, firstSamples: 32, lowest: 0.1 },
  doubted: { average, best: { ...average, epoch: 3 }, waiting: { wait: 1, stops: false } },
};
const throughJson = (state: unknown) => JSON.parse(JSON.stringify(state));

it.each([
  ['the state before the first epoch', untold],
  ['all that there can be', full],
])('%s comes back from JSON as it was', (_, rule) => {
  expect(ruleOf(throughJson(savedState(rule, identity, 8)), identity)).toEqual(rule);
});

it('says when training was stopped', () => {
  expect(savedState(full, identity, 8).stoppedEpoch).toBe(8);
  expect(savedState(full, identity, undefined)).not.toHaveProperty('stoppedEpoch');
});

describe('refuses in one line', () => {
  const good = () => throughJson(savedState(full, identity, undefined));
  it.each<[string, unknown, RegExp]>([
    ['nothing', null, /^state must be/],
    ['text', '{}', /^state must be/],
    ['another version', { ...good(), version: 2 }, /its version is 2/],
    ['another field', { ...good(), monitor: 'val_loss' }, /^state is of monitor 'val_loss', but .*'minimumSharpness'/],
    ['another criterion', { ...good(), when: 'worsensAsLossFalls' }, /^state is of when/],
    ['another smoothing', { ...good(), smoothing: 0 }, /^state is of smoothing 0, but .* smoothing 0.5/],
    ['no rule', { ...good(), rule: undefined }, /a part is missing/],
    ['a count that is none', { ...good(), rule: { ...good().rule, waiting: { wait: -1, stops: false } } }, /a part/],
    ['a best that is null', { ...good(), rule: { ...good().rule, best: null } }, /a part/],
    ['a value that is null', { ...good(), rule: { ...good().rule, average: { ...average, value: null } } }, /a part/],
    ['no waiting', { ...good(), rule: { losses: {} } }, /a part/],
  ])('%s', (_, state, message) => {
    expect(() => ruleOf(state, identity)).toThrow(message);
    expect(() => ruleOf(state, identity)).toThrow(/^[^\n]+$/);
  });
});
