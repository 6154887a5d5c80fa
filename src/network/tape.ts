import * as tf from '@tensorflow/tfjs-core';
import { gaugedTidy, type MemoryGauge } from '../tfjs/memory-gauge.js';
import { type Graph, readBy, type Step } from './graph.js';
import { inLayer, type RecordedCall } from './layers/operation.js';
import type { SensedCall } from './layers/sensitivity.js';
import { atOnce, type Walk } from './walk.js';

/** What a step is needed for once the forward pass is over. */
export interface StepPlan {
  readonly step: Step;
  /** The delta has to travel on to the inputs, because there are trained weights below. */
  readonly carriesDelta: boolean;
  /** The step has trained weights of its own. */
  readonly leavesNorms: boolean;
}

/** Marks what the backward pass will touch: nothing is computed below the first layer that has trained weights. */
export function planSteps(graph: Graph): StepPlan[] {
  const aboveWeights = new Set<number>();
  return graph.steps.map((step) => {
    const carriesDelta = step.inputs.some((input) => aboveWeights.has(input));
    const leavesNorms = step.operation.parameters.some((parameter) => parameter.trainable);
    if (carriesDelta || leavesNorms) {
      aboveWeights.add(step.output);
    }
    return { step, carriesDelta, leavesNorms };
  });
}

/** A forward pass over one chunk of samples, with what its backward pass needs. */
export interface Tape {
  /** The tensors that the loss reads, in the order of `graph.outputs`. */
  readonly outputs: readonly tf.Tensor[];
  /** One entry a step; null where the backward pass does not come by. */
  readonly calls: readonly (RecordedCall | null)[];
  /** One entry a step; empty unless everything is kept. */
  readonly sensed: readonly SensedCall[];
  dispose(): void;
}

/** A plan for a forward pass alone, which records nothing. */
export function withoutBackward(plan: readonly StepPlan[]): StepPlan[] {
  return plan.map(({ step }) => ({ step, carriesDelta: false, leavesNorms: false }));
}

/**
 * Runs the network as inference does and records what the backward pass needs; everything else is disposed on the way.
 *
 * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
 * @param keepAll keeps every tensor until the tape is disposed, and says of which steps what is saved is kept too.
 * @throws what the graph's `checkUnmoved` throws.
 */
export function record(...all: Parameters<typeof recording>): Tape {
  return atOnce(recording(...all));
}

/** `record`, layer by layer. The inputs have to live until it is over. */
export function* recording(
  graph: Graph,
  plan: readonly StepPlan[],
  inputs: tf.Tensor[],
  gauge: MemoryGauge,
  keepAll?: { readonly savedOf: (step: number) => boolean },
): Walk<Tape> {
  graph.checkUnmoved?.();
  const lastUse = new Map<number, number>();
  plan.forEach(({ step }, i) => {
    for (const id of readBy(step)) {
      lastUse.set(id, i);
    }
  });
  const ofType = (x: tf.Tensor, type = x.dtype) => (type === x.dtype ? x : gaugedTidy(gauge, () => tf.cast(x, type)));
  const values = new Map<number, tf.Tensor>();
  const foreign = new Set(inputs);
  const kept = new Set<tf.Tensor>();
  const calls: (RecordedCall | null)[] = [];
  const sensed: SensedCall[] = [];
  const dispose = () => {
    for (const tensor of new Set([...kept, ...values.values()])) {
      if (!foreign.has(tensor)) {
        tensor.dispose();
      }
    }
  };
  try {
    for (const [i, id] of graph.inputs.entries()) {
      values.set(id, ofType(inputs[i], graph.inputTypes?.get(id)));
    }
    for (const [i, { step, carriesDelta, leavesNorms }] of plan.entries()) {
      if (i > 0) {
        yield;
      }
      const stepInputs = step.inputs.map((id) => values.get(id) as tf.Tensor);
      const mask = step.mask === undefined ? undefined : values.get(step.mask);
      const needed = carriesDelta || leavesNorms || keepAll?.savedOf(i) === true;
      const { output, saved } = gaugedTidy(gauge, () => {
        const forward = inLayer(step.operation, () => step.operation.forward(stepInputs, needed, mask));
        // A rule may pass on what came in; each tensor of the tape is disposed on its own.
        const passedOn = stepInputs.includes(forward.output);
        return { output: passedOn ? tf.clone(forward.output) : forward.output, saved: needed ? forward.saved : [] };
      });
      values.set(step.output, output);
      const keptMask = needed ? mask : undefined;
      for (const tensor of keptMask ? [...saved, keptMask] : saved) {
        kept.add(tensor);
      }
      const inputShapes = stepInputs.map((x) => x.shape);
      calls.push(needed ? { saved, inputShapes, ...(keptMask && { mask: keptMask }) } : null);
      if (keepAll) {
        sensed.push({ inputs: stepInputs, output, saved, ...(mask && { mask }) });
        continue;
      }
      for (const id of new Set(readBy(step))) {
        const value = values.get(id) as tf.Tensor;
        if (lastUse.get(id) === i && !graph.outputs.includes(id)) {
          values.delete(id);
          if (!kept.has(value) && !foreign.has(value)) {
            value.dispose();
          }
        }
      }
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { outputs: graph.outputs.map((id) => values.get(id) as tf.Tensor), calls, sensed, dispose };
}
