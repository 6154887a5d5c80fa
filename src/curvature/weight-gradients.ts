import * as tf from '@tensorflow/tfjs-core';
import { sendBack } from './backward.js';
import type { Graph } from './graph.js';
import { rawVariable } from './layers/generic.js';
import type { MemoryGauge } from './memory-gauge.js';
import type { CallWithDelta, Operation, Parameter, RecordedCall } from './operation.js';
import type { StepPlan, Tape } from './tape.js';

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
      forward(inputs, recording) {
        const { output, saved } = operation.forward(inputs, recording);
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
 * Gradients of sum_n <r_n, z_n> by the weights. Deltas travel by the rules of the layers, which are right where tf.js'
 * gradients are not (ties and signs in max pooling, dilation, resizing); what a layer's own weights get comes from its rule
 * or, with the delta at hand, from tf.js.
 *
 * @param graph made by `rememberInputs`.
 * @param outputDelta r, [N, K]. Disposed here.
 * @returns for each trained parameter, in its shape.
 */
export function weightGradients(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  outputDelta: tf.Tensor,
  gauge: MemoryGauge,
): Map<Parameter, tf.Tensor> {
  return sendBack(graph, plan, tape, outputDelta, 1, gauge, (operation, calls) =>
    (operation.gradients?.(calls) ?? []).filter((gradient) => gradient !== null),
  );
}

function gradientsByTfjs(operation: Operation, calls: readonly CallWithDelta[]): (tf.Tensor | null)[] {
  const variables = operation.parameters.flatMap((each) => (each.trainable ? [rawVariable(each.variable)] : []));
  const product = () =>
    tf.addN(
      calls.map((call) => tf.sum(tf.mul(operation.forward(inputsOf(call), false).output, call.delta))),
    ) as tf.Scalar;
  const { grads } = tf.variableGrads(product, variables);
  return operation.parameters.map((each) =>
    each.trainable ? (grads[rawVariable(each.variable).name] ?? tf.zeros(each.variable.shape as number[])) : null,
  );
}
