import * as tf from '@tensorflow/tfjs-core';
import { sendingBack } from '../../network/backward.js';
import type { Graph } from '../../network/graph.js';
import type { CallWithDelta, Operation, Parameter, RecordedCall } from '../../network/layers/operation.js';
import { recording, type StepPlan, type Tape } from '../../network/tape.js';
import type { Walk } from '../../network/walk.js';
import { gradientsBy } from '../../tfjs/gradient-tape.js';
import type { MemoryGauge } from '../../tfjs/memory-gauge.js';
import { variableOf } from '../../tfjs/weights.js';

/** What the operation itself saved in a call of a graph that remembers inputs. */
export function ownCall<Call extends RecordedCall>(call: Call): Call {
  return { ...call, saved: call.saved.slice(0, -call.inputShapes.length) };
}

/** The inputs of a call of a graph that remembers them. */
export function inputsOf(call: RecordedCall): tf.Tensor[] {
  return call.saved.slice(-call.inputShapes.length);
}

/** The same graph, whose recorded calls keep their inputs too, behind what each operation saves. */
export function rememberInputs(graph: Graph): Graph {
  const remembering = new Map<Operation, Operation>();
  for (const { operation } of graph.steps) {
    if (remembering.has(operation)) {
      continue;
    }
    remembering.set(operation, {
      ...operation,
      forward(inputs, recording, mask) {
        const { output, saved } = operation.forward(inputs, recording, mask);
        return { output, saved: [...saved, ...inputs] };
      },
      backward: (call, delta, columns) => operation.backward(ownCall(call), delta, columns),
      gradients: (calls) => operation.gradients?.(calls.map(ownCall)) ?? gradientsByTfjs(operation, calls),
    });
  }
  return {
    ...graph,
    steps: graph.steps.map((step) => ({ ...step, operation: remembering.get(step.operation) as Operation })),
  };
}

/**
 * Sets up the gradient of sum_n <r_n, z_n>, over all outputs, by one weight tensor, with the network run from the layer of that weight on: what
 * enters there comes from a tape. Deltas travel by the rules of the layers, which are right where tf.js' gradients are not
 * (ties and signs in max pooling, dilation, resizing); what the weight itself gets comes from its layer's rule or, with the delta
 * at hand, from tf.js.
 *
 * @param graph made by `rememberInputs`.
 * @param tape of that graph or one that agrees with it below the weight.
 * @returns the gradient for the present value of that weight, in its shape, from r by the place of the output, in the shape of z.
 */
export function gradientAbove(
  graph: Graph,
  tape: Tape,
  parameter: Parameter,
): (residuals: ReadonlyMap<number, tf.Tensor>, gauge: MemoryGauge) => Walk<tf.Tensor> {
  const above = new Set<number>();
  const plan: StepPlan[] = [];
  const entering = new Map<number, tf.Tensor>();
  graph.steps.forEach((step, i) => {
    const carriesDelta = step.inputs.some((id) => above.has(id));
    const leavesNorms = step.operation.parameters.includes(parameter);
    const call = tape.calls[i];
    if (!call || !(carriesDelta || leavesNorms)) {
      return;
    }
    plan.push({ step, carriesDelta, leavesNorms });
    above.add(step.output);
    step.inputs.forEach((id, position) => {
      if (!above.has(id)) {
        entering.set(id, inputsOf(call)[position]);
      }
    });
    if (step.mask !== undefined) {
      entering.set(step.mask, call.mask as tf.Tensor);
    }
  });
  // Without `checkUnmoved`: it is run with the weight moved.
  const upper: Graph = {
    inputs: [...entering.keys()],
    outputs: graph.outputs,
    steps: plan.map(({ step }) => step),
  };
  return function* (residuals, gauge) {
    const moved = yield* recording(upper, plan, [...entering.values()], gauge);
    try {
      yield;
      const copied = new Map([...residuals].map(([output, r]) => [output, r.clone()]));
      const gradients = yield* sendingBack(upper, plan, moved, copied, 1, gauge, (operation, calls) =>
        (operation.gradients?.(calls) ?? []).filter((gradient) => gradient !== null),
      );
      const wanted = gradients.get(parameter) as tf.Tensor;
      tf.dispose([...gradients.values()].filter((gradient) => gradient !== wanted));
      return wanted;
    } finally {
      moved.dispose();
    }
  };
}

function gradientsByTfjs(operation: Operation, calls: readonly CallWithDelta[]): (tf.Tensor | null)[] {
  const variables = operation.parameters.flatMap((each) => (each.trainable ? [variableOf(each.variable)] : []));
  const product = () =>
    tf.addN(
      calls.map((call) => tf.sum(tf.mul(operation.forward(inputsOf(call), false, call.mask).output, call.delta))),
    );
  const gradients = gradientsBy(product, variables);
  let next = 0;
  return operation.parameters.map((each) =>
    each.trainable ? (gradients[next++] ?? tf.zerosLike(variableOf(each.variable))) : null,
  );
}
