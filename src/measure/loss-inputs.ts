import * as tf from '@tensorflow/tfjs-core';
import type { Head } from '../network/heads.js';
import type { OutputHessian } from '../network/output-hessian.js';
import { isDataset, type LossData, partsOf } from './inputs.js';
import { checkedLabels, checkRowSums, labelsAtHand, labelsOfForm, orderedLabels, rowSumsOf } from './labels.js';
import type { HeadPlan } from './loss.js';
import type { MeasureOptions } from './options.js';
import type { BatchWeights, Weighting } from './sample-weights.js';

/** What may come with a batch for the loss alone. */
export interface LossForm {
  readonly labels: boolean;
  readonly sampleWeight: boolean;
}

/** What may come with these inputs: of a dataset that is not known before its end. */
export function lossForm(inputs: unknown, names: readonly string[], options: MeasureOptions): LossForm {
  if (isDataset(inputs)) {
    return { labels: true, sampleWeight: true };
  }
  const { ys, sampleWeight } = partsOf(inputs, names);
  return {
    labels: (ys ?? options.labels) !== undefined,
    sampleWeight: (sampleWeight ?? options.sampleWeight) !== undefined,
  };
}

/** What is known of the rows of labels, by the names of the outputs: of those where it matters. */
export interface RowNotes {
  /** Outputs whose rows, or some of them, were not at hand and are taken to add up to 1. */
  readonly assumed: readonly string[];
  /** Outputs with logits some of whose rows do not. */
  readonly uneven: readonly string[];
}

/** Makes what only the loss reads of a batch, the graph's last inputs. */
export interface LossInputs {
  /**
   * @param shapes of the outputs, [any, ...positions, K].
   * @returns weights of the heads that have some, row sums of those that have some, labels that are needed, and labels for the loss
   *   alone; the caller disposes them.
   * @throws Error with one line where labels are missing that the method or a loss needs, or that do not fit.
   */
  of(samples: number, given: LossData, shapes: readonly (readonly (number | null)[])[]): Promise<tf.Tensor[]>;
  /** Complete once the data has been read. */
  rows(): RowNotes;
  /** By what the samples were weighed, head by head; complete once the data has been read. */
  weightings(): Weighting[];
  /** Whether the loss itself is known for all samples; complete once the data has been read. */
  knowsLoss(): boolean;
}

/** That the Hessian of a loss cannot be had without the labels of an output. */
export function labelsMissing({ name }: OutputHessian, output: string): Error {
  const what = name === 'factor' ? 'the loss of your own' : `'${name}'`;
  return new Error(
    `The curvature of ${what} depends on the labels of '${output}': pass labels, or { xs, ys } or a dataset of these.`,
  );
}

/** Whether the loss of a head is known where its labels are. */
export function mayKnowLoss({ hessian, labels }: Head): boolean {
  return hessian.value !== undefined && (hessian.labels === 'none' || labels !== null);
}

/** A softmax, as a target, adds up to 1 but for this. */
const ROUNDING = 1e-3;

/**
 * @param names of the outputs.
 * @param labelsOfMethod whether the method needs the labels of every output that has some.
 */
export function lossInputs(
  plans: readonly HeadPlan[],
  heads: readonly Head[],
  names: readonly string[],
  weights: BatchWeights,
  labelsOfMethod = false,
): LossInputs {
  // Of classes there is nothing to be taken for granted.
  const matters = ({ hessian }: Head) => hessian.byRowSum && hessian.labels !== 'classes';
  const assumed = new Set(heads.filter((head) => matters(head) && head.rowSums === null).map(({ name }) => name));
  const uneven = new Set<string>();
  const labelled = new Set<string>();
  const hasNone = ({ hessian }: Head) => hessian.labels === 'none';
  const needs = (head: Head) => head.hessian.needsLabels === true || (labelsOfMethod && !hasNone(head));
  const readsLabels = heads.some(({ rowSums, labels }) => rowSums !== null || labels !== null);
  let isKnown = heads.every(mayKnowLoss);

  return {
    rows: () => ({ assumed: [...assumed], uneven: [...uneven] }),
    knowsLoss: () => isKnown,
    weightings: () => plans.map((plan) => ({ ...weights.weighting(plan), byLabels: labelled.has(plan.name) })),
    async of(samples, { labels, sampleWeight, firstWeight }, shapes) {
      const found = await weights.of(samples, { labels, sampleWeight, firstWeight });
      const checked: tf.Tensor[] = [];
      try {
        if (heads.some((head) => labelsOfMethod && needs(head))) {
          const without = plans.filter((_, i) => hasNone(heads[i])).map(({ place }) => place);
          orderedLabels(labels, names, samples, 'Traces of the Hessian depend on the labels', without);
        }
        const atHand = readsLabels ? labelsAtHand(labels, names, samples) : [];
        const needed: (tf.Tensor | undefined)[] = [];
        for (const [i, head] of heads.entries()) {
          const { place, name } = plans[i];
          if (!needs(head)) {
            continue;
          }
          const given = atHand[place];
          if (given === undefined) {
            throw labelsMissing(head.hessian, name);
          }
          needed[i] = await checkedLabels(given, head.hessian.labels, shapes[place], name);
          checked.push(needed[i] as tf.Tensor);
        }
        for (const [i, head] of heads.entries()) {
          if (head.rowSums === null) {
            continue;
          }
          const { place, name } = plans[i];
          const given = needed[i] ?? atHand[place];
          const { sums, areKnown } = rowSumsOf(given, samples, head.hessian.labels, shapes[place], name);
          found.push(sums);
          if (!areKnown) {
            if (matters(head)) {
              assumed.add(name);
            }
            continue;
          }
          labelled.add(name);
          const values = (await sums.data()) as Float32Array;
          checkRowSums(values, samples, name);
          if (head.hessian.name === 'softmaxCrossEntropy' && values.some((sum) => Math.abs(sum - 1) > ROUNDING)) {
            uneven.add(name);
          }
        }
        for (const [i, head] of heads.entries()) {
          if (head.labels !== null && !needs(head)) {
            const { place } = plans[i];
            const given = labelsOfForm(atHand[place], head.hessian.labels, shapes[place]);
            isKnown &&= given !== undefined;
            checked.push(given ?? tf.zeros([samples]));
          }
        }
        return [...found, ...checked];
      } catch (error) {
        tf.dispose([found, checked]);
        throw error;
      }
    },
  };
}
