import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { trainedParameters } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { outputNames } from '../tfjs/model-graph.js';
import type { PairSample } from '../traces/pairs/sampled-traces.js';
import { architectureOf } from './architecture.js';
import { canonicalJson } from './fingerprint.js';
import { curvatureOf, isSameCurvature } from './loss-fingerprint.js';
import type { RowNotes } from './loss-inputs.js';
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
import { knownLoss, readingOf, type SharpnessReading } from './reading.js';
import { checkProductsRoundNothing } from './rounded-products.js';
import { checkSampleForm, checksumOf, SAMPLE_VERSION, type SampledLoss, type SharpnessSample } from './sample-form.js';
import { type Subject, subjectOfModel } from './subject.js';
import { withTask } from './task.js';
import { fingerprintOf } from './weight-fingerprint.js';

/** How the model was measured, where that differs from what it was compiled with. */
export type MergeOptions = Pick<MeasureOptions, 'loss' | 'lossWeights' | 'countFrozen'>;

/**
 * Measures one share of the data, to be put together with others: several machines can measure one training set, each its own
 * share of it, disjoint from the others.
 *
 * @param options as for `measureSharpness`, with `method: { tolerance: 0.02 }` by default, without `{ hutchinson }` and `eigenvalues`. Shares
 *   must be drawn independently: give each a `seed` of its own.
 * @returns plain data: `JSON.parse(JSON.stringify(sample))` is the same sample. It takes a few numbers for each pair drawn
 *   and weight tensor; with `part`, also two or so for each sample run.
 * @throws Error with one line as `measureSharpness` does.
 * @throws RangeError with one line as `measureSharpness` does, also where the trace of a single pair or sample is not finite.
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
  if (options.eigenvalues !== undefined) {
    throw new Error(
      'eigenvalues cannot be merged from those of shares: ask measureSharpness for them, on all of the data.',
    );
  }
  return withTask(modelAssignment(model, inputs, { ...options, method }), async (task) => {
    await checkProductsRoundNothing('sampleSharpness');
    const { subject } = task;
    // The weights at the start, as they are in what follows.
    subject.graph.checkUnmoved?.();
    const fingerprint = await fingerprintOf(subject.weights);
    const losses = await Promise.all(subject.heads.map((head) => ownLossOf(head, model)));
    const { sample, missed } = await shareOf(task, method);
    const { loss: sums, places: _, ...others } = withoutNegatives(sample);
    const loss = knownLoss(subject, sums);
    const found = {
      ...identityOf(subject),
      losses,
      version: SAMPLE_VERSION,
      fingerprint,
      weightings: subject.weightings(),
      rows: subject.rows(),
      seed,
      ...(missed && { missed }),
      ...others,
      ...(loss && { loss }),
    } as const;
    return { ...found, checksum: checksumOf(found) };
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
 * @throws Error with one line when there are no samples, when one was changed on its way, when they are not of this model, of the
 *   same loss, the same weights and the same weighting of samples, when one is there twice or two were drawn with the same seed, and
 *   for options that there are not.
 * @throws RangeError with one line for numbers out of range.
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
  // In an order of their own, so that the same are merged to the same last digit.
  const inOrder = [...samples].sort((a, b) => (a.checksum < b.checksum ? -1 : 1));
  const shares = inOrder.map((sample) => ({ sample, ...(sample.missed && { missed: sample.missed }) }));
  const notedBy = (note: keyof RowNotes) =>
    subject.heads.map(({ name }) => name).filter((name) => samples.some(({ rows }) => rows[note].includes(name)));
  const rows = () => ({ assumed: notedBy('assumed'), uneven: notedBy('uneven') });
  return readingOf({ ...subject, rows, knowsLoss: () => true }, estimateOfShares(subject, shares), start);
}

/** What two samples must have in common with a model. */
function identityOf({ graph, heads, inputNames }: Pick<Subject, 'graph' | 'heads' | 'inputNames'>) {
  return {
    parameters: trainedParameters(graph).map(({ name }) => name),
    losses: heads.map(lossOf),
    architecture: architectureOf(graph, inputNames.length, heads.length),
  };
}

function lossOf({ name, hessian, lossWeight }: Head): SampledLoss {
  return { output: name, loss: hessian.name, lossWeight };
}

/** With what tells a loss of the user's own from another one. */
async function ownLossOf(head: Head, model: tfl.LayersModel): Promise<SampledLoss> {
  const loss = lossOf(head);
  const { shape } = model.outputs[outputNames(model).indexOf(head.name)];
  return loss.loss === 'factor'
    ? { ...loss, curvature: await curvatureOf(head.hessian, shape[shape.length - 1] as number) }
    : loss;
}

/** Squared norms from Gram matrices may be a little less than 0, by rounding. */
function withoutNegatives(sample: PairSample): PairSample {
  const { closedForm, traces, part } = sample;
  const each = (lists: readonly (readonly number[])[]) => lists.map((list) => list.map((trace) => Math.max(0, trace)));
  return {
    ...sample,
    closedForm: closedForm.map((sum) => (sum === null ? null : Math.max(0, sum))),
    traces: each(traces),
    ...(part && { part: { ...part, closedForm: each(part.closedForm) } }),
  };
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
  const checksums = new Map<string, number>();
  for (const [i, sample] of samples.entries()) {
    checkSampleForm(`samples[${i}]`, sample);
    checkOfModel(sample, i, identity);
    checkTogether(samples[0], sample, i);
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
    const twin = checksums.get(sample.checksum);
    if (twin !== undefined) {
      throw new Error(
        `samples[${twin}] and samples[${i}] are the same sample, drawn with seed ${sample.seed}: pass each once. Where two shares ` +
          'are alike, give each a seed of its own.',
      );
    }
    checksums.set(sample.checksum, i);
  }
}

function checkOfModel(sample: SharpnessSample, i: number, identity: ReturnType<typeof identityOf>): void {
  const names = sample.parameters.join(', ');
  if (names !== identity.parameters.join(', ')) {
    throw new Error(
      `samples[${i}] has the weights ${names}, but the model has ${identity.parameters.join(', ')}: merge samples of one model, ` +
        'and pass that model.',
    );
  }
  const losses = canonicalJson(sample.losses.map(({ output, loss, lossWeight }) => ({ output, loss, lossWeight })));
  if (losses !== canonicalJson(identity.losses)) {
    throw new Error(
      `samples[${i}] was measured with the loss ${losses}, but it is ${canonicalJson(identity.losses)} here: pass the same ` +
        'loss and lossWeights everywhere.',
    );
  }
  if (sample.architecture !== identity.architecture) {
    throw new Error(
      `samples[${i}] is of another architecture than the model, whose weights have the same names: merge samples of one model, and ` +
        'pass that model, as it was measured.',
    );
  }
}

function checkTogether(first: SharpnessSample, sample: SharpnessSample, i: number): void {
  const both = `samples[0] and samples[${i}]`;
  if (sample.fingerprint !== first.fingerprint) {
    throw new Error(`${both} were measured with different weights: merge samples of one state of the model.`);
  }
  const differs = sample.losses.find(
    ({ curvature = [] }, h) => !isSameCurvature(curvature, first.losses[h].curvature ?? []),
  );
  if (differs) {
    throw new Error(
      `${both} were measured with different losses of your own on '${differs.output}': pass one everywhere.`,
    );
  }
  const [one, other] = [first, sample].map(({ weightings }) => canonicalJson(weightings));
  if (one !== other) {
    throw new Error(
      `${both} were weighed in different ways, ${one} and ${other}: give sampleWeight and labels to every share or to none, ` +
        'and the same classWeight to all.',
    );
  }
}
