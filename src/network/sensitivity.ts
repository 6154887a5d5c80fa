import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from './graph.js';
import { type Head, squaredNormsOf } from './heads.js';
import { inLayer, type Parameter } from './layers/operation.js';
import { byRandomSigns, type SensedCall, type Sensitivity, squaredNormOfSamples } from './layers/sensitivity.js';
import type { StepPlan, Tape } from './tape.js';

/**
 * The share of pairs' sizes that goes by their curvature alone, whatever the sensitivity says. Over 87 networks that hide their
 * curvature, or were trained, errors are least between 0.05 and 0.1; the larger guards better against sensitivities that are wrong.
 */
const SHARE_OF_CURVATURE = 0.1;
/** Traces of biases are small in Minimum Sharpness, which balances those of kernels: so much of a kernel's share. */
const SHARE_OF_BIASES = 0.1;

/** Sensitivities over the chunks of one source. */
export interface SensitivityPass {
  /** Whether a step's sensitivity needs what its forward pass saves. */
  savedOf(step: number): boolean;
  /**
   * The sizes of the pairs: 0.45 s / mean s for s = sum_i c_i^2 q_i, as much of a sample's sum of s in proportion to ||c||^2, and
   * 0.1 ||c||^2. Inside of a `tf.tidy` of the caller's.
   *
   * @param tape of the next chunk, with everything kept.
   * @param curvature ||c||^2 of every pair, [N, R].
   * @returns [N, R].
   */
  sizes(tape: Tape, curvature: tf.Tensor2D): tf.Tensor2D;
  dispose(): void;
}

/** A sensitivity, and the logarithm of what it has been divided by, where that is followed. */
interface Sensed {
  readonly q: tf.Tensor;
  readonly log: tf.Tensor | null;
}

/**
 * How strongly every output of the network depends on its weights, sample by sample, from one pass forward:
 * q_i = sum_b nu_b sum over theta in b of (d z_i / d theta)^2, as `Sensitivity` propagates it. With the columns c of the output
 * Hessian, sum_i c_i^2 q_i then stands in for the sum of a pair's squared gradient norms, each block's on one scale: it misses
 * that paths meet with signs, but no unit that is awake for few samples, however large the weights in front of it.
 *
 * The factors nu_b are set where the weights enter: there, each block counts as much as each of those below, on average over
 * the samples so far, each by how much the loss is curved there.
 *
 * @param known the weights whose traces are known without sampling.
 */
export function sensitivityPass(
  graph: Graph,
  plan: readonly StepPlan[],
  heads: readonly Head[],
  known: ReadonlySet<Parameter>,
): SensitivityPass {
  const { below, isAbove } = weightsBelow(graph, plan, known);
  const lastUse = new Map(plan.flatMap(({ step }, i) => step.inputs.map((id): [number, number] => [id, i])));
  const means = new Map<string, WeightedMean>();
  /** What is made of each step's weights. */
  const ofWeights = tf.tidy(() =>
    plan.map(({ step: { operation, output } }) =>
      isAbove.has(output) ? (operation.sensitivity?.weights?.() ?? []).map((each) => tf.keep(each)) : [],
    ),
  );
  const meets =
    new Set(heads.map(({ output }) => graph.outputs[output])).size > 1 ||
    plan.some(({ step: { inputs } }) => inputs.filter((id) => isAbove.has(id)).length > 1);

  /** A mean over samples and elements, over all chunks so far. */
  function meanOf(key: string, x: tf.Tensor, weights: tf.Tensor): tf.Tensor {
    const mean = means.get(key) ?? new WeightedMean();
    means.set(key, mean);
    return mean.add(x, weights);
  }

  /** What the weights of a step add, each block with a mean of 1; null where that is the same for all samples. */
  function entering(step: number, call: SensedCall, at: tf.Tensor, weights: tf.Tensor): (tf.Tensor | null)[] {
    const { parameters, sensitivity } = plan[step].step.operation;
    if (parameters.every((each) => !each.trainable || known.has(each))) {
      return [];
    }
    const squares =
      sensitivity?.ofParameters?.(call) ??
      parameters.map(() => call.inputs.map((x) => squaredNormOfSamples(x, at.rank)).reduce((a, b) => tf.add(a, b)));
    return squares.flatMap((each, i) => {
      if (!parameters[i].trainable || known.has(parameters[i])) {
        return [];
      }
      return each ? [tf.div(each, meanOf(`${step} ${i}`, each, weights))] : [null];
    });
  }

  /** Those below, whose mean becomes their number, and those that enter. */
  function joined(
    step: number,
    from: Sensed | null,
    call: SensedCall,
    at: tf.Tensor,
    weights: tf.Tensor,
  ): Sensed | null {
    const added = entering(step, call, at, weights);
    const mean = from && tf.div(meanOf(`${step}`, from.q, weights), Math.max(1, below[step]));
    // Small tensors first.
    const parts = added.filter((each) => each !== null);
    const constant = SHARE_OF_BIASES * added.filter((each) => each === null).length;
    if (constant > 0) {
      const ones = [at.shape[0], ...at.shape.slice(1).map(() => 1)];
      parts.push(parts.length > 0 ? tf.scalar(constant) : tf.fill(ones, constant));
    }
    if (from && mean) {
      parts.push(tf.div(from.q, mean));
    }
    if (parts.length === 0) {
      return null;
    }
    return {
      q: parts.reduce((a, b) => tf.add(a, b)),
      log: meets ? tf.add(from?.log ?? 0, mean ? tf.log(mean) : 0) : null,
    };
  }

  function through(sensitivity: Sensitivity, from: readonly (Sensed | null)[], call: SensedCall): Sensed | null {
    const { q, log } = onOneScale(from);
    const found = q.some((each) => each !== null) ? sensitivity.through(q, call) : null;
    const unit = log && sensitivity.unit ? tf.mul(tf.log(sensitivity.unit()), 2) : 0;
    return found && { q: found, log: log && tf.add(log, unit) };
  }

  function sense(step: number, from: readonly (Sensed | null)[], call: SensedCall, weights: tf.Tensor): Sensed | null {
    const { operation } = plan[step].step;
    const { parameters } = operation;
    const sensitivity = operation.sensitivity ?? byRandomSigns(operation);
    if (sensitivity.entersAtInput) {
      return through(sensitivity, [joined(step, from[0], call, call.inputs[0], weights)], call);
    }
    const passed = through(sensitivity, from, call);
    return parameters.length > 0 ? joined(step, passed, call, call.output, weights) : passed;
  }

  return {
    savedOf(step) {
      const { operation, output } = plan[step].step;
      return operation.sensitivity?.readsSaved === true && isAbove.has(output);
    },
    sizes(tape, curvature) {
      const weights = tf.sum(curvature, 1);
      const values = new Map<number, Sensed>();
      plan.forEach(({ step: { operation, inputs, output } }, i) => {
        if (!isAbove.has(output)) {
          return;
        }
        const from = inputs.map((id) => values.get(id) ?? null);
        const found = inLayer(operation, () =>
          tensorsTidy(() => {
            const sensed = sense(i, from, { ...tape.sensed[i], weights: ofWeights[i] }, weights);
            // What is handed on becomes a tensor of its own.
            return sensed && { ...sensed, q: tf.clone(sensed.q) };
          }),
        );
        if (found) {
          values.set(output, found);
        }
        for (const id of new Set(inputs)) {
          if (lastUse.get(id) === i && !graph.outputs.includes(id)) {
            values.get(id)?.q.dispose();
            values.delete(id);
          }
        }
      });
      const { q } = onOneScale(heads.map((head) => values.get(graph.outputs[head.output]) ?? null));
      if (q.every((each) => each === null)) {
        return curvature;
      }
      const moved = squaredNormsOf(
        heads,
        tape.outputs,
        q.map((each, head) => each ?? tf.zerosLike(tape.outputs[heads[head].output])),
      );
      // Over the pairs, each by its curvature.
      const ofSamples = tf.div(tf.sum(moved, 1, true), tf.maximum(tf.reshape(weights, [-1, 1]), 1e-37));
      const share = tf.div((1 - SHARE_OF_CURVATURE) / 2, meanOf('heads', ofSamples, weights));
      const ofCurvature = tf.mul(curvature, tf.add(tf.mul(ofSamples, share), SHARE_OF_CURVATURE));
      return tf.add(tf.mul(moved, share), ofCurvature) as tf.Tensor2D;
    },
    dispose() {
      for (const mean of means.values()) {
        mean.dispose();
      }
      means.clear();
      tf.dispose(ofWeights);
    },
  };
}

/** `tf.tidy` for what may be null. */
function tensorsTidy(scope: () => Sensed | null): Sensed | null {
  let found: Sensed | null = null;
  tf.tidy(() => {
    found = scope();
    return found ? [found.q, ...(found.log ? [found.log] : [])] : [];
  });
  return found;
}

/** Sensitivities by the one that has been divided by most, and the logarithm of that. */
function onOneScale(from: readonly (Sensed | null)[]): { q: (tf.Tensor | null)[]; log: tf.Tensor | null } {
  const logs = from.flatMap((each) => each?.log ?? []);
  const q = from.map((each) => each?.q ?? null);
  if (logs.length < 2) {
    return { q, log: logs[0] ?? null };
  }
  const log = logs.reduce((a, b) => tf.maximum(a, b));
  return { q: from.map((each) => each && tf.mul(each.q, tf.exp(tf.sub(each.log as tf.Tensor, log)))), log };
}

/** Of all that has been added, each sample with its weight; of its elements, each counts the same. */
class WeightedMean {
  #sum: tf.Tensor | null = null;
  #weight: tf.Tensor | null = null;
  #value: tf.Tensor | null = null;

  /** @returns the mean so far, a scalar; 1 where it is 0. */
  add(x: tf.Tensor, weights: tf.Tensor): tf.Tensor {
    const ofSample = x.rank === 1 ? x : tf.mean(tf.reshape(x, [x.shape[0], -1]), 1);
    const [sum, weight] = [tf.sum(tf.mul(ofSample, weights)), tf.sum(weights)];
    const before = [this.#sum, this.#weight, this.#value];
    this.#sum = tf.keep(this.#sum ? tf.add(this.#sum, sum) : sum);
    this.#weight = tf.keep(this.#weight ? tf.add(this.#weight, weight) : weight);
    const mean = tf.div(this.#sum, tf.maximum(this.#weight, 1e-37));
    this.#value = tf.keep(tf.where(tf.greater(mean, 0), mean, 1));
    tf.dispose(before.filter((each) => each !== null));
    return this.#value;
  }

  dispose(): void {
    tf.dispose([this.#sum, this.#weight, this.#value].filter((each) => each !== null));
  }
}

/** How many of the weights that are sampled lie below each step, and the tensors that have any trained ones below. */
function weightsBelow(graph: Graph, plan: readonly StepPlan[], known: ReadonlySet<Parameter>) {
  const sets = new Map<number, ReadonlySet<Parameter>>(graph.inputs.map((id) => [id, new Set()]));
  const isAbove = new Set<number>();
  const below = plan.map(({ step, carriesDelta, leavesNorms }) => {
    const under = new Set(step.inputs.flatMap((id) => [...(sets.get(id) ?? [])]));
    const own = step.operation.parameters.filter((each) => each.trainable && !known.has(each));
    sets.set(step.output, new Set([...under, ...own]));
    if (carriesDelta || leavesNorms) {
      isAbove.add(step.output);
    }
    return under.size;
  });
  return { below, isAbove };
}
