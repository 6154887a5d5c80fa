import type { SampledMethod } from '../src/measure/options.js';
import { type Recording, replay } from './coverage-replay.js';
import { mean } from './statistics.js';

/** How true what the readings of one network say of their errors is, over many seeds. */
export interface Coverage {
  readonly readings: number;
  /** Shares of the readings that say `reliable: true`, and that ran every pair. */
  readonly reliable: number;
  readonly exact: number;
  /** Of the reliable ones: shares whose 95% interval holds the exact value, with t and with 1.96 standard errors; NaN of none. */
  readonly covered: number;
  readonly coveredBy196: number;
  /** The same, of the reliable ones that did not run every pair, and how many these are. */
  readonly coveredSampled: number;
  readonly sampled: number;
  /** Largest error of a reliable reading, relative to the exact value; 0 of none. */
  readonly worst: number;
  /** Of all readings: mean number of pairs, mean of value / exact value, and root mean square of the relative error. */
  readonly pairs: number;
  readonly ratio: number;
  readonly error: number;
}

/** float32 sums differ by this in the last digits. */
const ROUNDING = 1e-5;

/**
 * Takes the readings of the seeds `first`, `first + 1`, ...
 *
 * @param sizes of the pairs, where others shall be drawn by than those of the forward pass.
 */
export async function coverageOf(
  recording: Recording,
  method: SampledMethod,
  readings: number,
  first = 1,
  sizes?: Float32Array,
): Promise<Coverage> {
  const { truth } = recording;
  const all: {
    reliable: boolean;
    exact: boolean;
    off: number;
    half: number;
    half196: number;
    pairs: number;
    ratio: number;
  }[] = [];
  for (let i = 0; i < readings; i++) {
    const { reliable, minimumSharpness, standardError, margin, pairs } = await replay(
      recording,
      method,
      first + i,
      sizes,
    );
    all.push({
      reliable,
      exact: standardError === 0,
      off: Math.abs(minimumSharpness / truth - 1),
      half: margin / truth + ROUNDING,
      half196: (1.96 * standardError) / truth + ROUNDING,
      pairs,
      ratio: minimumSharpness / truth,
    });
  }
  const reliable = all.filter((reading) => reading.reliable);
  const sampled = reliable.filter(({ exact }) => !exact);
  const share = (list: typeof all, holds: (reading: (typeof all)[number]) => boolean) =>
    list.filter(holds).length / list.length;
  return {
    readings,
    reliable: reliable.length / readings,
    exact: share(all, ({ exact }) => exact),
    covered: share(reliable, ({ off, half }) => off <= half),
    coveredBy196: share(reliable, ({ off, half196 }) => off <= half196),
    coveredSampled: share(sampled, ({ off, half }) => off <= half),
    sampled: sampled.length,
    worst: Math.max(0, ...reliable.map(({ off }) => off)),
    pairs: mean(all.map((reading) => reading.pairs)),
    ratio: mean(all.map(({ ratio }) => ratio)),
    error: Math.sqrt(mean(all.map(({ off }) => off ** 2))),
  };
}

/** What a network is: whether its curvature may hide in few samples, or it was trained. */
export type Demand = 'hidden' | 'trained';

/**
 * What is wrong with what the readings to a tolerance said: nothing, where at least half of them are reliable, at least 88% of these
 * covered (of a trained network, between 91% and 98.5% of those that did not run every pair), and none of them more than 5
 * tolerances off.
 */
export function faultsOf(found: Coverage, tolerance: number, demand: Demand): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
  const { reliable, covered, coveredSampled, sampled, worst } = found;
  const faults: string[] = [];
  if (reliable < 0.5) {
    faults.push(`${percent(reliable)} reliable`);
  }
  if (covered < 0.88) {
    faults.push(`${percent(covered)} covered`);
  }
  // Few readings say little.
  if (demand === 'trained' && sampled >= 100 && (coveredSampled < 0.91 || coveredSampled > 0.985)) {
    faults.push(`${percent(coveredSampled)} covered`);
  }
  if (worst > 5 * tolerance) {
    faults.push(`${(worst / tolerance).toFixed(1)} tolerances off`);
  }
  return faults;
}
