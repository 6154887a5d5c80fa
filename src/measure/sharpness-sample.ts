import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { trainedParameters } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import type { PairSample } from '../traces/pairs/sampled-traces.js';
import { modelAssignment, type SharpnessInputs } from './measure-sharpness.js';
import { estimateOfShares, shareOf } from './methods.js';
import {
  checkMeasureOptions,
  DEFAULT_METHOD,
  isHutchinson,
  type MeasureOptions,
  measureOptionNames,
  networkOptionNames,
} from './options.js';
import { readingOf, type SharpnessReading } from './reading.js';
import { type Subject, subjectOfModel } from './subject.js';
import { withTask } from './task.js';
import { fingerprintOf } from './weight-fingerprint.js';

/** One output with its loss. */
export interface SampledLoss {
  readonly output: string;
  /** Name of the loss, or `'factor'` for one of the user's own. */
  readonly loss: string;
  readonly lossWeight: number;
}

/**
 * What was found in one share of the data: plain data, to be sent as JSON and put together with the samples of other shares
 * by `mergeSharpnessSamples`. Its numbers are sums over the share and values of the pairs drawn; what is for users is in the
 * reading that comes of it.
 */
export interface SharpnessSample extends PairSample {
  /** Names of the weight tensors, in the order of `closedForm` and `traces`. */
  readonly parameters: readonly string[];
  readonly losses: readonly SampledLoss[];
  /** Of all weights, bit by bit: samples of other weights do not go together. */
  readonly fingerprint: string;
  readonly seed: number;
  /** The tolerance that was asked for and missed, in a sentence. */
  readonly missed?: string;
}

/** How the model was measured, where that differs from what it was compiled with. */
export type MergeOptions = Pick<MeasureOptions, 'loss' | 'lossWeights' | 'countFrozen'>;

/**
 * Measures one share of the data, to be put together with others: several machines can measure one training set, each its own
 * share of it, disjoint from the others.
 *
 * @param options as for `measureSharpness`, with `method: { tolerance: 0.02 }` by default, and without `{ hutchinson }`. Shares
 *   must be drawn independently: give each a `seed` of its own.
 * @returns plain data: `JSON.parse(JSON.stringify(sample))` is the same sample. It takes a few numbers for each pair drawn
 *   and weight tensor; with `part`, also two or so for each sample run.
 * @throws Error with one line as `measureSharpness` does.
 *
 * @example
 * const sample = await sampleSharpness(model, xShare, { seed: machine });
 */
export async function sampleSharpness(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions = {},
): Promise<SharpnessSample> {
  checkKnownOptions('sampleSharpness', options, measureOptionNames);
  const { method = DEFAULT_METHOD, seed = 0 } = options;
  checkMeasureOptions(options);
  if (isHutchinson(method)) {
    throw new Error("method: { hutchinson } cannot be merged. Pass 'exact', { pairs: 256 } or { tolerance: 0.01 }.");
  }
  return withTask(modelAssignment(model, inputs, { ...options, method }), async (task) => {
    const { sample, missed } = await shareOf(task, method);
    return {
      ...identityOf(task.subject),
      fingerprint: await fingerprintOf(task.subject.weights),
      seed,
      ...(missed && { missed }),
      ...sample,
    };
  });
}

/**
 * Minimum Sharpness of all shares of the data together, of N_1, N_2, ... samples: the traces are
 * sum_i N_i T_{b,i} / sum_i N_i, minimised over the scales once, and the variance of the result is the sum of those of the shares.
 *
 * @param model the network that was measured, for what scales its layers can trade; its weights are not looked at.
 * @param samples of disjoint shares, each drawn with a seed of its own; those measured exactly may have any.
 * @param options `loss`, `lossWeights` and `countFrozen` as they were passed to `sampleSharpness`.
 * @returns a reading for all shares; `durationMs` is that of the merging.
 * @throws Error with one line when there are no samples, when they are not of this model, of the same loss and the same weights,
 *   when two were drawn with the same seed, and for options that there are not or that are out of range.
 *
 * @example
 * const reading = mergeSharpnessSamples(model, [await sampleSharpness(model, x1, { seed: 1 }), JSON.parse(received)]);
 */
export function mergeSharpnessSamples(
  model: tfl.LayersModel,
  samples: readonly SharpnessSample[],
  options: MergeOptions = {},
): SharpnessReading {
  const start = performance.now();
  checkKnownOptions('mergeSharpnessSamples', options, networkOptionNames);
  checkMeasureOptions(options);
  const subject = subjectOfModel(model, options);
  checkSamples(samples, identityOf(subject));
  const shares = samples.map((sample) => ({ sample, ...(sample.missed && { missed: sample.missed }) }));
  return readingOf(subject, estimateOfShares(subject, shares), start);
}

/** What two samples must have in common, besides the weights. */
function identityOf({ graph, heads }: Pick<Subject, 'graph' | 'heads'>) {
  const parameters = trainedParameters(graph);
  return { parameters: parameters.map(({ name }) => name), losses: heads.map(lossOf) };
}

function lossOf({ name, hessian, lossWeight }: Head): SampledLoss {
  return { output: name, loss: hessian.name, lossWeight };
}

/** @throws Error with one line unless the samples go together and with the model. */
function checkSamples(samples: readonly SharpnessSample[], identity: ReturnType<typeof identityOf>): void {
  if (!Array.isArray(samples)) {
    throw new Error('samples must be an array of what sampleSharpness returned, one for each share of the data.');
  }
  if (samples.length === 0) {
    throw new Error('samples: there are none. Pass what sampleSharpness returned, one for each share of the data.');
  }
  const seeds = new Map<number, number>();
  samples.forEach((sample: SharpnessSample, i) => {
    checkForm(sample, i);
    const [names, losses] = [sample.parameters.join(', '), JSON.stringify(sample.losses)];
    if (names !== identity.parameters.join(', ')) {
      throw new Error(
        `samples[${i}] has the weights ${names}, but the model has ${identity.parameters.join(', ')}: merge samples of one model, ` +
          'and pass that model.',
      );
    }
    if (losses !== JSON.stringify(identity.losses)) {
      throw new Error(
        `samples[${i}] was measured with the loss ${losses}, but it is ${JSON.stringify(identity.losses)} here: pass the same ` +
          'loss and lossWeights everywhere.',
      );
    }
    if (sample.fingerprint !== samples[0].fingerprint) {
      throw new Error(
        `samples[0] and samples[${i}] were measured with different weights: merge samples of one state of the model.`,
      );
    }
    const isRandom = sample.part !== undefined || sample.inclusion.some((pi) => pi < 1);
    const other = seeds.get(sample.seed);
    if (isRandom && other !== undefined) {
      throw new Error(
        `samples[${other}] and samples[${i}] were both drawn with seed ${sample.seed}, so that their errors go together: give ` +
          'each share a seed of its own.',
      );
    }
    if (isRandom) {
      seeds.set(sample.seed, i);
    }
  });
}

/** @throws Error with one line unless it has the form that `sampleSharpness` gives. */
function checkForm(sample: SharpnessSample, i: number): void {
  const lists = [sample?.parameters, sample?.losses, sample?.closedForm, sample?.traces, sample?.inclusion];
  const isWhole =
    lists.every((list) => Array.isArray(list)) &&
    sample.samples > 0 &&
    [sample.closedForm, sample.traces].every((list) => list.length === sample.parameters.length) &&
    sample.traces.every((ofPair, b) => ofPair.length === (sample.closedForm[b] === null ? sample.inclusion.length : 0));
  if (!isWhole) {
    throw new Error(`samples[${i}] is not what sampleSharpness returned: pass it whole, for example as JSON.`);
  }
}
