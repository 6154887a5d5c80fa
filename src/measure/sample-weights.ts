import * as tf from '@tensorflow/tfjs-core';
import { asWritten } from '../checks.js';
import { checkWeightShape } from '../network/heads.js';
import type { LossData, SampleWeight, SampleWeights } from './inputs.js';
import { orderedLabels } from './labels.js';
import { forEachOutput, type HeadPlan } from './loss.js';

/** Weight of each class. */
export type ClassWeight = { readonly [classIndex: number]: number };

/** The same for all outputs, in their order, or by name. */
export type ClassWeights = ClassWeight | readonly ClassWeight[] | { readonly [output: string]: ClassWeight };

/** What the samples of an output are weighed by. */
export interface Weighting {
  readonly output: string;
  /** Whether each has a weight of its own. */
  readonly bySample: boolean;
  /** The weights of the classes, where it goes by these too. */
  readonly byClass: ClassWeight | null;
  /** Whether each counts as many times as its row of labels adds up to: with labels, where the loss goes by that. */
  readonly byLabels: boolean;
}

/** Makes the weights of the samples in a batch: one tensor for each head that has weights. */
export interface BatchWeights {
  /** Whether a head has weights. */
  has(plan: HeadPlan): boolean;
  /** By what; complete once the data has been read. */
  weighting(plan: HeadPlan): Omit<Weighting, 'byLabels'>;
  /**
   * @param samples N.
   * @param given the weights of the samples, where there are some, and labels for the weights of classes.
   * @returns [N] or [N, ...positions] for each head that has weights, in their order; the caller disposes them.
   */
  of(samples: number, given: LossData): Promise<tf.Tensor[]>;
}

/** @throws Error with one line unless they are one, or some by output, and none of them is disposed. */
export function checkSampleWeight(weights: unknown): asserts weights is SampleWeights {
  const given = isOneSampleWeight(weights)
    ? [weights]
    : typeof weights === 'object' && weights !== null
      ? Object.values(weights).filter((each) => each !== undefined)
      : [];
  if (given.length === 0 || !given.every(isOneSampleWeight)) {
    throw new Error(
      'sampleWeight must be a tensor or an array of numbers, one for each sample, or one of these by output.',
    );
  }
  given.forEach(checkKept);
}

/** @throws Error with one line for a disposed tensor. */
function checkKept(weights: SampleWeight): void {
  if (weights instanceof tf.Tensor && weights.isDisposed) {
    throw new Error('sampleWeight is a disposed tensor: keep it until the measurement is over.');
  }
}

/** @throws Error with one line unless it holds numbers of at least 0 by class, perhaps by output. */
export function checkClassWeight(weights: unknown): asserts weights is ClassWeights {
  const fine = (each: unknown): boolean =>
    typeof each === 'object' &&
    each !== null &&
    !Array.isArray(each) &&
    Object.keys(each).length > 0 &&
    Object.values(each).every((value) => Number.isFinite(value) && value >= 0);
  const several = typeof weights === 'object' && weights !== null ? Object.values(weights) : [];
  if (!fine(weights) && !(several.length > 0 && several.every(fine))) {
    throw new Error(
      `classWeight: ${asWritten(weights)} is not known. Pass a weight of at least 0 for each class, for example ` +
        '{ 0: 1, 1: 5 }, or that by output.',
    );
  }
}

/**
 * What `sampleWeight` and `classWeight` make of a batch, head by head.
 *
 * @param names of the outputs.
 * @param shapes of the outputs, [any, ...positions, K], as far as they are known. One-hot labels have the rank of their output,
 *   numbers of classes one axis less or a last axis of length 1.
 * @param mayWeigh whether weights of samples may come with a batch: without any, all are 1.
 */
export function batchWeights(
  plans: readonly HeadPlan[],
  names: readonly string[],
  shapes: readonly (readonly (number | null)[])[],
  mayWeigh: boolean,
  classWeight: ClassWeights | undefined,
): BatchWeights {
  const ofClasses = perOutput<ClassWeight>('classWeight', classWeight, isOneClassWeight, names);
  const weighed = new Set<number>();
  const has = ({ place }: HeadPlan) => mayWeigh || ofClasses[place] !== undefined;
  return {
    has,
    weighting: ({ name, place }) => ({
      output: name,
      bySample: weighed.has(place),
      byClass: ofClasses[place] ?? null,
    }),
    async of(samples, { labels, sampleWeight, firstWeight }) {
      if (sampleWeight !== undefined) {
        checkSampleWeight(sampleWeight);
      }
      const ofSamples = perOutput<SampleWeight>('sampleWeight', sampleWeight, isOneSampleWeight, names);
      ofSamples.forEach((each, place) => {
        if (each !== undefined) {
          weighed.add(place);
        }
      });
      const found: tf.Tensor[] = [];
      try {
        const byClass = plans.filter(({ place }) => ofClasses[place] !== undefined).map(({ place }) => place);
        const without = [...names.keys()].filter((place) => !byClass.includes(place));
        const labelList =
          byClass.length === 0 ? [] : orderedLabels(labels, names, samples, 'classWeight needs labels', without);
        for (const { place, name } of plans.filter(has)) {
          const [given, classes] = [ofSamples[place], ofClasses[place]];
          const factors = [
            given === undefined ? null : await sampleFactor(given, samples, shapes[place], name, firstWeight),
            classes === undefined
              ? null
              : await classFactor(classes, labelList[place] as tf.Tensor, shapes[place].length, name),
          ].filter((factor) => factor !== null);
          found.push(factors.length === 0 ? tf.ones([samples]) : factors.reduce(product));
        }
        return found;
      } catch (error) {
        tf.dispose(found);
        throw error;
      }
    },
  };
}

/** How many samples these weights are of. */
export function weightedSamples(weights: SampleWeights): number {
  const [first] = isOneSampleWeight(weights) ? [weights] : Object.values(weights).filter((each) => each !== undefined);
  return first instanceof tf.Tensor ? (first.shape[0] ?? 0) : first.length;
}

/** By the first entry of an array: all are looked at where they are used, a batch at a time. */
function isOneSampleWeight(weights: unknown): weights is SampleWeight {
  return (
    weights instanceof tf.Tensor ||
    ArrayBuffer.isView(weights) ||
    (Array.isArray(weights) && typeof weights.find((each) => each !== undefined && each !== null) !== 'object')
  );
}

function isOneClassWeight(weights: ClassWeights): weights is ClassWeight {
  return !Array.isArray(weights) && Object.values(weights).every((value) => typeof value === 'number');
}

function perOutput<T extends object>(
  what: string,
  given: T | readonly T[] | { readonly [output: string]: T } | undefined,
  isOne: (given: never) => boolean,
  names: readonly string[],
): (T | undefined)[] {
  if (given === undefined) {
    return names.map(() => undefined);
  }
  return isOne(given as never) ? names.map(() => given as T) : forEachOutput<T>(what, given as readonly T[], names);
}

/** [N] times [N, ...positions], in either order; both are disposed. */
function product(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const weights = tf.tidy(() => {
    const rank = Math.max(a.rank, b.rank);
    const [x, y] = [a, b].map((each) => tf.reshape(each, [...each.shape, ...Array<number>(rank - each.rank).fill(1)]));
    return tf.mul(x, y);
  });
  tf.dispose([a, b]);
  return weights;
}

/**
 * @param output its shape, where that is known.
 * @param first where the weights are of more samples than these: place of the first.
 * @throws Error with one line when the weights do not fit the samples.
 */
async function sampleFactor(
  weights: SampleWeight,
  samples: number,
  output: readonly (number | null)[] | undefined,
  name: string,
  first: number | undefined,
): Promise<tf.Tensor> {
  checkKept(weights);
  const isTensor = weights instanceof tf.Tensor;
  const [given = 0, ...positions] = isTensor ? weights.shape : [weights.length];
  if (first === undefined ? given !== samples : given < first + samples) {
    const wanted = first === undefined ? `${samples} samples` : `a dataset of at least ${first + samples} samples`;
    throw new Error(`sampleWeight has ${given} entries for ${wanted}: give one for each.`);
  }
  if (output) {
    checkWeightShape([given, ...positions], output, name);
  }
  const begin = first ?? 0;
  const values = isTensor ? await valuesOfRows(weights, begin, samples) : weights.slice(begin, begin + samples);
  const wrong = values.findIndex(
    (value: unknown) => !(typeof value === 'number' && value >= 0 && Number.isFinite(value)),
  );
  if (wrong >= 0) {
    throw new Error(
      `sampleWeight[${begin * (values.length / samples) + wrong}] is ${asWritten(values[wrong])}: weights are finite and at least 0.`,
    );
  }
  const shape = values.length === samples ? [samples] : [samples, ...positions];
  return tf.tensor(Float32Array.from(values), shape, 'float32');
}

async function valuesOfRows(weights: tf.Tensor, begin: number, rows: number): Promise<Float32Array> {
  const part = tf.slice(weights, begin, rows);
  try {
    return Float32Array.from(await part.data());
  } finally {
    part.dispose();
  }
}

/** The weight of the class of each sample or position. */
async function classFactor(weights: ClassWeight, labels: tf.Tensor, rank: number, output: string): Promise<tf.Tensor> {
  const last = labels.rank - 1;
  const classes = tf.tidy(() => {
    if (labels.rank < rank) {
      return labels.clone();
    }
    return labels.shape[last] > 1 ? tf.argMax(labels, last) : tf.squeeze(labels, [last]);
  });
  try {
    const found = await classes.data();
    const values = Float32Array.from(found, (index) => {
      const weight = weights[index];
      if (weight === undefined) {
        throw new Error(
          `classWeight has no weight for class ${index}, which the labels of '${output}' contain: give every class one.`,
        );
      }
      return weight;
    });
    return tf.tensor(values, classes.shape, 'float32');
  } finally {
    classes.dispose();
  }
}
