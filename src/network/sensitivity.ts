import * as tf from '@tensorflow/tfjs-core';
import { meanOf } from '../tfjs/mended-operations.js';
import { squaredNormsAndOnes } from '../tfjs/sum-of-squares.js';
import type { Graph } from './graph.js';
import type { Head } from './heads.js';
import { inLayer, type Operation, type Parameter } from './layers/operation.js';
import { byRandomSigns, type SensedCall, type Sensitivity, squaredNormOfSamples } from './layers/sensitivity.js';
import type { StepPlan, Tape } from './tape.js';

/** Traces of biases are small in Minimum Sharpness, which balances those of kernels: so much of a kernel's share. */
const SHARE_OF_BIASES = 0.1;
/** What is nowhere above 0 is divided by this. */
const SMALLEST_MEAN = 1e-37;

/** Sensitivities over the chunks of one source. */
export interface SensitivityPass {
  /** Whether a step's sensitivity needs what its forward pass saves. */
  savedOf(step: number): boolean;
  /**
   * q of the next chunk times the weights of its samples, up to a factor that is the same for all samples and heads. Inside of a
   * `tf.tidy` of the caller's.
   *
   * @param tape of the chunk, with everything kept.
   * @param weights of the samples in the means, [N, 1]; null: all the same.
   */
  sensitivities(tape: Tape, weights: tf.Tensor2D | null): Sensitivities;
  dispose(): void;
}

/** What a chunk gives. */
export interface Sensitivities {
  /** q of each head, [N, ...] with the axes of its z, 1 where it is the same along one; null where no sampled weight is below. */
  readonly q: readonly (tf.Tensor | null)[];
  /** ||x||^2 of the inputs of some operations, in the first columns of numbers: [N, operations or more]. */
  readonly inputNorms: { readonly numbers: tf.Tensor2D; readonly operations: readonly Operation[] } | null;
}

/** A sensitivity on its way. */
interface Sensed {
  readonly q: tf.Tensor;
  /** A scalar that it may be divided by to stay in the range of float32; null where it is about 1. */
  readonly size: tf.Tensor | null;
  /** The logarithm of what it has been divided by, where that is followed. */
  readonly log: tf.Tensor | null;
}

/**
 * How strongly every output of the network depends on its weights, sample by sample, from one pass forward:
 * q_i = sum_b nu_b sum over theta in b of (d z_i / d theta)^2, as `Sensitivity` propagates it. With the columns c of the output
 * Hessian, sum_i c_i^2 q_i then stands in for the sum of a pair's squared gradient norms, each block's on one scale: it misses
 * that paths meet with signs, but no unit that is awake for few samples, however large the weights in front of it.
 *
 * The factors nu_b are set where the weights enter: there, each block counts as much as each of those below, on average over
 * the samples so far, each by how much the loss is curved there. A sample's sensitivities carry its weight in that from the start, so
 * that means are plain ones.
 *
 * What counts is the number of operations on the device, most of them on a few numbers. So what enters as one number a sample is put
 * on its scale for all layers at once; and sensitivities are never scaled where they are large: what enters goes by their size, and
 * the squares of the next kernel take the factor that keeps them in the range of float32.
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
  /** Means over all samples so far; those that have come with the chunk at hand count once it is through. */
  let means = new Map<string, tf.Tensor>();
  let samplesBefore = 0;
  /** What is made of each step's weights. */
  const ofWeights: tf.Tensor[][] = [];
  const madeOfWeights = tf.tidy(() => {
    for (const { step } of plan) {
      const { operation, inputs } = step;
      ofWeights.push(inputs.some((id) => isAbove.has(id)) ? (operation.sensitivity?.weights?.() ?? []) : []);
    }
    return ofWeights.flat();
  });
  madeOfWeights.forEach(tf.keep);
  const meets =
    new Set(heads.map(({ output }) => graph.outputs[output])).size > 1 ||
    plan.some(({ step: { inputs } }) => inputs.filter((id) => isAbove.has(id)).length > 1);
  const isSampled = (parameter: Parameter) => parameter.trainable && !known.has(parameter);

  /** One chunk. */
  function chunkPass(tape: Tape, weights: tf.Tensor2D | null) {
    const [samples] = tape.outputs[0].shape;
    const share = samples / (samplesBefore + samples);
    const news = new Map<string, tf.Tensor>();
    let scaled: ReadonlyMap<number, tf.Tensor> = new Map();
    let inputNorms: Sensitivities['inputNorms'] = null;

    /** The mean over all chunks, from that of this one. */
    function overAll(key: string, mean: tf.Tensor): tf.Tensor {
      const before = means.get(key);
      const found = tf.keep(before ? tf.add(tf.mul(before, 1 - share), tf.mul(mean, share)) : tf.clone(mean));
      news.set(key, found);
      return found;
    }

    const callOf = (step: number): SensedCall => ({ ...tape.sensed[step], weights: ofWeights[step] });

    /** What the sampled weights of a step add: one tensor for each, or null where it is the same for all samples. */
    function added(step: number): (tf.Tensor | null)[] {
      const { parameters, sensitivity } = plan[step].step.operation;
      const call = callOf(step);
      const at = sensitivity?.entersAtInput ? call.inputs[0] : call.output;
      const squares =
        sensitivity?.ofParameters?.(call) ??
        parameters.map(() => call.inputs.map((x) => squaredNormOfSamples(x, at.rank)).reduce((a, b) => tf.add(a, b)));
      return squares.filter((_, i) => isSampled(parameters[i]));
    }

    /**
     * Where a layer's kernels add one number a sample: r = sum of what its weights add, each with a mean of 1, over the number of
     * weights below; [N, 1] by the step.
     */
    function scaledAtOnce(): ReadonlyMap<number, tf.Tensor> {
      const found = plan.flatMap(({ step: { operation, output } }, step) => {
        const { inputs } = tape.sensed[step];
        const isAlike = isAbove.has(output) && operation.sensitivity?.addsToSamples?.(tape.sensed[step]);
        return isAlike && inputs[0].dtype === 'float32' ? [{ step, operation, x: inputs[0] }] : [];
      });
      if (found.length === 0) {
        return new Map();
      }
      const numbers = squaredNormsAndOnes(found.map(({ x }) => x));
      inputNorms = { numbers, operations: found.map(({ operation }) => operation) };
      const shares = new Float32Array((found.length + 1) * found.length);
      found.forEach(({ step, operation }, i) => {
        const share = 1 / Math.max(1, below[step]);
        for (const { role } of operation.parameters.filter(isSampled)) {
          const [row, own] = role === 'kernel' ? [i, share] : [found.length, share * SHARE_OF_BIASES];
          shares[row * found.length + i] += own;
        }
      });
      const entries = weights ? tf.mul(numbers, weights) : numbers;
      const scales = tf.maximum(overAll('samples', meanOf(entries, 0)), SMALLEST_MEAN);
      const scaled = tf.matMul(
        tf.div(entries, scales) as tf.Tensor2D,
        tf.tensor2d(shares, [found.length + 1, found.length]),
      );
      const ofSteps = found.length === 1 ? [scaled] : tf.split(scaled, found.length, 1);
      return new Map(found.map(({ step }, i) => [step, ofSteps[i]]));
    }

    /** A tensor of N numbers with so many axes. */
    const withAxes = (x: tf.Tensor, rank: number) =>
      rank === 2 ? x : tf.reshape(x, [samples, ...Array<number>(rank - 1).fill(1)]);

    /** r of a step, with the axes of a tensor. */
    function entering(step: number, rank: number): tf.Tensor | null {
      if (!plan[step].step.operation.parameters.some(isSampled)) {
        return null;
      }
      const r = scaled.get(step);
      if (r) {
        return withAxes(r, rank);
      }
      const parts = added(step);
      const share = 1 / Math.max(1, below[step]);
      const constant = share * SHARE_OF_BIASES * parts.filter((each) => each === null).length;
      const sums = parts.flatMap((each, i) => {
        if (!each) {
          return [];
        }
        const weighed = weights ? tf.mul(each, withAxes(weights, each.rank)) : each;
        const mean = tf.maximum(overAll(`${step} ${i}`, meanOf(weighed)), SMALLEST_MEAN);
        return [tf.div(weighed, share === 1 ? mean : tf.div(mean, share))];
      });
      if (constant > 0) {
        const ones = weights && tf.div(weights, tf.maximum(overAll(`${step} ones`, meanOf(weights)), SMALLEST_MEAN));
        sums.push(ones ? tf.mul(withAxes(ones, rank), constant) : tf.scalar(constant));
      }
      return sums.length > 0 ? sums.reduce((a, b) => tf.add(a, b)) : null;
    }

    /** Those below and those that enter, by the size of those below. */
    function joined(step: number, from: Sensed | null, at: tf.Tensor): Sensed | null {
      const own = entering(step, at.rank);
      if (own === null) {
        return from;
      }
      if (!from) {
        const q = own.rank === 0 ? tf.mul(tf.ones([samples, ...Array<number>(at.rank - 1).fill(1)]), own) : own;
        return { q: below[step] > 1 ? tf.mul(q, below[step]) : q, size: null, log: meets ? tf.scalar(0) : null };
      }
      const mean = overAll(`${step}`, meanOf(from.q));
      const size = meets ? tf.where(tf.greater(mean, 0), mean, 1) : tf.maximum(mean, SMALLEST_MEAN);
      return { q: tf.add(from.q, tf.mul(own, size)), size, log: from.log };
    }

    function through(sensitivity: Sensitivity, from: readonly (Sensed | null)[], call: SensedCall): Sensed | null {
      const { q, log } = onOneScale(from);
      const present = from.filter((each) => each !== null);
      if (present.length === 0) {
        return null;
      }
      const { unit } = sensitivity;
      const size = present.length === 1 ? present[0].size : null;
      const divisor = unit ? size : null;
      const weights = divisor ? call.weights?.map((each) => tf.div(each, divisor)) : call.weights;
      const found = sensitivity.through(q, { ...call, weights });
      if (!found) {
        return null;
      }
      const logs = log
        ? [log, ...(divisor ? [tf.log(divisor)] : []), ...(unit ? [tf.mul(tf.log(unit()), 2)] : [])]
        : [];
      return { q: found, size: divisor ? null : size, log: log && logs.reduce((a, b) => tf.add(a, b)) };
    }

    function sense(step: number, from: readonly (Sensed | null)[]): Sensed | null {
      const { operation } = plan[step].step;
      const call = callOf(step);
      const sensitivity = operation.sensitivity ?? byRandomSigns(operation);
      if (sensitivity.entersAtInput) {
        return through(sensitivity, [joined(step, from[0], call.inputs[0]), ...from.slice(1)], call);
      }
      const passed = through(sensitivity, from, call);
      return operation.parameters.length > 0 ? joined(step, passed, call.output) : passed;
    }

    function run(): Sensitivities {
      scaled = scaledAtOnce();
      const values = new Map<number, Sensed>();
      plan.forEach(({ step: { operation, inputs, output } }, i) => {
        if (!isAbove.has(output)) {
          return;
        }
        const from = inputs.map((id) => values.get(id) ?? null);
        const found = inLayer(operation, () =>
          sensedTidy(() => {
            const sensed = sense(i, from);
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
      return { q, inputNorms };
    }

    try {
      return { news, found: run() };
    } catch (error) {
      tf.dispose([...news.values()]);
      throw error;
    }
  }

  return {
    savedOf(step) {
      const { operation, output } = plan[step].step;
      return operation.sensitivity?.readsSaved === true && isAbove.has(output);
    },
    sensitivities(tape, weights) {
      const { news, found } = chunkPass(tape, weights);
      tf.dispose([...news.keys()].flatMap((key) => means.get(key) ?? []));
      means = new Map([...means, ...news]);
      samplesBefore += tape.outputs[0].shape[0];
      return found;
    },
    dispose() {
      tf.dispose([...means.values()]);
      means = new Map();
      tf.dispose(madeOfWeights);
    },
  };
}

/** `tf.tidy` for what may be null. */
function sensedTidy(scope: () => Sensed | null): Sensed | null {
  let found: Sensed | null = null;
  tf.tidy(() => {
    found = scope();
    return found ? [found.q, ...(found.size ? [found.size] : []), ...(found.log ? [found.log] : [])] : [];
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
