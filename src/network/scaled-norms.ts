import * as tf from '@tensorflow/tfjs-core';
import type { MemoryGauge } from '../tfjs/memory-gauge.js';
import { identityOfValues } from '../tfjs/value-identity.js';
import { sendingBackAs } from './backward.js';
import { aligned, type Scaled, scaledTo, sumOf } from './block-floating-point.js';
import type { Graph } from './graph.js';
import type { CallWithDelta, Operation, Parameter, ParameterRole, RecordedCall } from './layers/operation.js';
import type { StepPlan, Tape } from './tape.js';
import type { Walk } from './walk.js';

/** How large numbers are kept on the way, as exponents of two. */
export interface Magnitudes {
  /** The largest of what travels: high up, so that far smaller ones beside it survive. */
  readonly travelling: number;
  /** The largest of what is squared. */
  readonly squared: number;
}

/** Largest weights, by the values of their tensor. */
const known = new WeakMap<object, number>();

async function largestWeight(values: tf.Tensor): Promise<number> {
  const identity = identityOfValues(values);
  let largest = known.get(identity);
  if (largest === undefined) {
    largest = 0;
    for (const weight of await values.data()) {
      largest = Math.max(largest, Math.abs(weight));
    }
    known.set(identity, largest);
  }
  return largest;
}

/** The largest weights of an operation. */
export interface LargestWeights {
  readonly kernel: number;
  readonly bias: number;
}

/** Of every operation of the plan. Read as they are stored: some backends take the smallest numbers of float32 for 0. */
export async function largestWeights(plan: readonly StepPlan[]): Promise<Map<Operation, LargestWeights>> {
  const found = new Map<Operation, LargestWeights>();
  for (const { operation } of plan.map(({ step }) => step)) {
    const largestOf = async (wanted: ParameterRole) => {
      const those = operation.parameters.filter(({ role }) => role === wanted);
      return Math.max(0, ...(await Promise.all(those.map(({ variable }) => largestWeight(variable.read())))));
    };
    found.set(operation, { kernel: await largestOf('kernel'), bias: await largestOf('bias') });
  }
  return found;
}

/**
 * `sendingNormsBack` in block floating point: every sample's deltas are scaled by powers of two from layer to layer, so that neither
 * they nor their squares leave the range of float32, and so are the inputs of kernels before they are squared.
 *
 * @param outputDeltas disposed here.
 * @param weights what `largestWeights` found.
 * @returns for each trained parameter that a delta reached, one column: [N].
 */
export function scalingNorms(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDeltas: ReadonlyMap<number, Scaled>,
  columns: number,
  gauge: MemoryGauge,
  weights: ReadonlyMap<Operation, LargestWeights>,
  { travelling, squared }: Magnitudes,
): Walk<Map<Parameter, Scaled>> {
  return sendingBackAs<Scaled, Scaled>(graph, plan, tape, outputDeltas, gauge, {
    back(operation, call, delta) {
      // So that the products with the kernel get the magnitude that is wanted, whatever the kernel's.
      const kernel = weights.get(operation)?.kernel || 1;
      const magnitude = Math.min(travelling + 10, travelling - Math.floor(Math.log2(kernel)));
      const { tensor, exponent } = scaledTo(magnitude, delta);
      return operation.backward(call, tensor, columns).map((each) => scaledTo(travelling, { tensor: each, exponent }));
    },
    add: sumOf,
    leave: (operation, calls) => normsOf(operation, calls, columns, squared),
  });
}

type ScaledCall = RecordedCall & { readonly delta: Scaled };

function normsOf(operation: Operation, calls: readonly ScaledCall[], columns: number, magnitude: number): Scaled[] {
  const linearIn = operation.linearIn ?? [];
  const ofDeltas = aligned(calls.map(({ delta }) => scaledTo(linearIn.length > 0 ? 0 : magnitude, delta)));
  const ofSaved = linearIn.map(({ saved }) =>
    aligned(
      calls.map((call) => {
        // What is done at every step of a sequence has steps in the place of samples.
        const tensor = tf.reshape(call.saved[saved], [ofDeltas.exponent.shape[0], -1]);
        return scaledTo(0, { tensor, exponent: tf.zerosLike(ofDeltas.exponent) });
      }),
    ),
  );
  const scaled = calls.map(
    (call, i): CallWithDelta => ({
      ...call,
      saved: call.saved.map((x, place) => {
        const found = linearIn.findIndex(({ saved }) => saved === place);
        return found < 0 ? x : tf.reshape(ofSaved[found].tensors[i], x.shape);
      }),
      delta: ofDeltas.tensors[i],
    }),
  );
  const norms = operation.squaredNorms?.(scaled, columns) ?? [];
  return operation.parameters.flatMap((parameter, b) => {
    const tensor = norms[b];
    if (!tensor) {
      return [];
    }
    const place = linearIn.findIndex((each) => each.parameter === parameter);
    const exponent = place < 0 ? ofDeltas.exponent : tf.add(ofDeltas.exponent, ofSaved[place].exponent);
    return [{ tensor, exponent: tf.mul(exponent, 2) as tf.Tensor1D }];
  });
}
