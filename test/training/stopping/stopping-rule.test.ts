import { describe, expect, it } from 'vitest';
import { withFirstBatch } from '../../../src/training/stopping/loss-guard.js';
import { checkStoppingOptions, type EarlyStoppingOptions } from '../../../src/training/stopping/stopping-options.js';
import { judge, lossSince, type Observation, untold } from '../../../src/training/stopping/stopping-rule.js';

/** Values of an epoch: what is monitored, the mean loss, and the loss of the first batch (default: the same). */
type Epoch = readonly [value: number, loss: number, first?: number];

/** Runs a rule over epochs: the best epoch after each, and when it stops. */
function run(
  epochs: readonly Epoch[],
  options: Partial<EarlyStoppingOptions> = {},
  margin = 0.25,
  collapsed: (boolean | undefined)[] = [],
) {
  const settings = checkStoppingOptions({ monitor: 'value', patience: 99, ...options });
  let rule = untold;
  let stopped: number | undefined;
  const bests: (number | undefined)[] = [];
  const refused: (string | undefined)[] = [];
  const takenBack: number[] = [];
  for (const [epoch, [value, loss, first = loss]] of epochs.entries()) {
    rule = { ...rule, losses: withFirstBatch(rule.losses, first, 32) };
    const heard = lossSince(Object.freeze(rule), first, loss, margin);
    if (heard.takenBack) {
      takenBack.push(epoch);
    }
    const seen: Observation = {
      epoch,
      value,
      standardError: 0,
      loss,
      steadyLoss: loss,
      accuracy: undefined,
      collapsed: collapsed[epoch],
      margin,
    };
    const verdict = judge(Object.freeze(heard.state), seen, settings);
    rule = verdict.state;
    bests.push(rule.best?.epoch);
    refused.push(verdict.refused);
    if (verdict.stops && stopped === undefined) {
      stopped = epoch;
    }
  }
  return { rule, bests, refused, takenBack, stopped };
}

describe('the guard on the loss', () => {
  const learning: Epoch[] = [
    [50, 1.5, 2.4],
    [30, 0.6],
    [25, 0.3],
  ];

  it('keeps an epoch that has broken down from being the best, and counts it against patience', () => {
    const broken: Epoch[] = [...learning, [0, 9, 0.3], [0, 14], [0, 14]];
    expect(run(broken, { patience: 3 })).toMatchObject({ bests: [0, 1, 2, 2, 2, 2], stopped: 5, takenBack: [] });
    expect(run(broken, { patience: 3 }).refused.slice(2)).toEqual([undefined, 'high', 'high', 'high']);
    expect(run(broken, {}, Number.POSITIVE_INFINITY).bests.at(-1)).toBe(3);
  });

  it('takes back an epoch whose last step broke the network', () => {
    // Its mean loss is as good as ever; the next epoch begins at 14.
    const found = run([...learning, [0, 0.25], [0, 14], [0, 14]], { patience: 3 });
    expect(found.bests).toEqual([0, 1, 2, 3, 2, 2]);
    expect(found.takenBack).toEqual([4]);
    // As if it had been none from the start: waited for 3, 4 and 5.
    expect(found.stopped).toBe(5);
  });

  it('takes nothing back for one bad batch, nor for an epoch that breaks down later', () => {
    expect(run([...learning, [20, 0.25], [21, 0.3, 3]]).bests.at(-1)).toBe(3);
    expect(run([...learning, [20, 0.25], [0, 9, 0.3]]).bests.at(-1)).toBe(3);
  });

  it('takes back the first epoch that counted too', () => {
    const found = run([...learning, [0, 0.25], [0, 14], [22, 0.3, 14]], { startFromEpoch: 3 });
    expect(found.bests).toEqual([undefined, undefined, undefined, 3, undefined, 5]);
  });

  it('judges nothing as long as nothing is learned', () => {
    const found = run(
      [
        [0, 14, 2.4],
        [0, 14],
        [0, 13],
        [40, 2],
        [30, 1],
      ],
      { patience: 1 },
    );
    expect(found.bests).toEqual([undefined, undefined, undefined, 3, 4]);
    expect(found.refused.slice(0, 3)).toEqual(['unlearned', 'unlearned', 'unlearned']);
    expect(found.stopped).toBeUndefined();
  });

  it('leaves what is refused out of the average', () => {
    const epochs: Epoch[] = [...learning, [0, 14, 0.3], [26, 0.3]];
    const kept = run(epochs, { smoothing: 0.5 }).rule.average!;
    const without = run([...learning, [26, 0.3]], { smoothing: 0.5 }).rule.average!;
    expect(kept).toEqual(without);
  });

  it('believes a reading that says whether the network has collapsed', () => {
    const broken: Epoch[] = [...learning, [0, 0.25]];
    const says = [false, false, false, true];
    const guarded = run(broken, {}, 0.25, says);
    expect([guarded.bests.at(-1), guarded.refused.at(-1)]).toEqual([2, 'collapsed']);
    expect(run(broken, {}, Number.POSITIVE_INFINITY, says).bests.at(-1)).toBe(3);
    // Of nothing but that no epoch is the best, and patience does not begin.
    expect(run([[0, 14, 2.4], ...learning], { patience: 1 }, 0.25, [true]).bests).toEqual([undefined, 1, 2, 3]);
    // An easy first batch, of a model that was trained before.
    const tuned: Epoch[] = [
      [20, 0.1, 0.02],
      [18, 0.09],
    ];
    expect(run(tuned).refused).toEqual(['unlearned', 'unlearned']);
    expect(run(tuned, {}, 0.25, [false, false]).bests).toEqual([0, 1]);
  });

  it('lets a best epoch go whose loss is far above the lowest by now, and waits anew', () => {
    // Flat before anything was learned, sharper as it learns.
    const slow: Epoch[] = [
      [5, 2.3, 2.4],
      [10, 2],
      [20, 1.7],
      [30, 1.4],
      [40, 1.1],
      [41, 1.0],
      [42, 0.95],
      [43, 0.9],
    ];
    const found = run(slow, { patience: 3 });
    expect(found.bests).toEqual([0, 0, 0, 3, 3, 3, 3, 3]);
    expect(found.stopped).toBe(6);
    expect(run(slow, { patience: 3 }, Number.POSITIVE_INFINITY)).toMatchObject({ stopped: 3, bests: Array(8).fill(0) });
    // A value that is no number is no best, old or not.
    expect(run([slow[0]!, [Number.NaN, 0.5], [50, 0.5]]).bests).toEqual([0, 0, 2]);
  });

  it('breaks a streak of rises while the loss falls', () => {
    const options = { when: 'worsensAsLossFalls' as const, patience: 2 };
    const rising: Epoch[] = [
      [1, 1, 2.4],
      [2, 0.9],
      [3, 0.8],
    ];
    expect(run(rising, options).stopped).toBe(2);
    expect(run([rising[0]!, rising[1]!, [0, 14, 0.9], [3, 0.8, 14], [4, 0.7]], options).stopped).toBeUndefined();
  });
});
