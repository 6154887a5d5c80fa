import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import type { Operation, RecordedCall } from '../../network/layers/operation.js';
import { planSteps } from '../../network/tape.js';
import { constantForGradients } from '../../tfjs/gradient-tape.js';

/*
 * Gradients of the traces come from one level of tf.js's own tape around the whole trace kernel, forward and backward pass
 * together. (A gradient of a gradient would not do: tf.js is silently wrong there through operations that save their output, and
 * has no gradient for many of its gradient kernels.) So every tf.js operation between the weights
 * and the norms must have a right gradient, be a constant to the tape, or come with a gradient of our own.
 */

/**
 * A graph whose traces can be differentiated by its weights: the same operations, with the gradients that tf.js lacks.
 *
 * @throws Error with one line that names the first layer through which gradients do not pass, and says what to do.
 */
export function differentiableGraph(graph: Graph): Graph {
  const known = new Map<Operation, Operation>();
  const steps = planSteps(graph).map(({ step, carriesDelta, leavesNorms }) => {
    // What does not depend on trained weights is a constant anyway.
    if (!carriesDelta && !leavesNorms) {
      return step;
    }
    const operation = known.get(step.operation) ?? differentiable(step.operation);
    known.set(step.operation, operation);
    return { ...step, operation };
  });
  return { ...graph, steps };
}

function differentiable(operation: Operation): Operation {
  switch (operation.differentiable) {
    case 'linear':
      return linear(operation);
    case 'selects':
      return selecting(operation);
    case 'smooth':
      return operation;
    default:
      throw new Error(
        `Layer '${operation.layer.name}' (${operation.description}) has no second derivative in tf.js that can be relied on, so ` +
          'that the gradient of Minimum Sharpness does not exist for this model: use another layer there, for example relu, ' +
          'tanh or sigmoid as the activation and convolutions without dilation.',
      );
  }
}

/** The transpose of the one direction is the other. */
function linear(operation: Operation): Operation {
  const apply = (x: tf.Tensor) => operation.forward([x], false).output;
  const transpose = (inputShape: readonly number[], delta: tf.Tensor, columns: number) =>
    operation.backward({ saved: [], inputShapes: [inputShape] }, delta, columns)[0];
  return {
    ...operation,
    forward: ([x]) => ({
      output: tf.customGrad((...inputs) => ({
        value: apply(inputs[0] as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => transpose(x.shape, dy, 1),
      }))(x),
      saved: [],
    }),
    backward: ({ inputShapes }, delta, columns) => [
      tf.customGrad((...inputs) => ({
        value: transpose(inputShapes[0], inputs[0] as tf.Tensor, columns),
        gradFunc: (dy: tf.Tensor) => apply(dy),
      }))(delta),
    ],
  };
}

/** What is saved is computed from inputs that the tape does not see; the output's gradient is the operation's own delta. */
function selecting(operation: Operation): Operation {
  return {
    ...operation,
    forward(inputs) {
      const unseen = inputs.map((x) => constantForGradients(() => tf.clone(x)));
      const { output, saved } = operation.forward(unseen);
      const inputShapes: RecordedCall['inputShapes'] = inputs.map((x) => x.shape);
      const seen = tf.customGrad((...args) => {
        const save = args.at(-1) as tf.GradSaveFunc;
        save(saved);
        return {
          value: tf.clone(output),
          gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => operation.backward({ saved: kept, inputShapes }, dy, 1),
        };
      })(...inputs);
      return { output: seen, saved };
    },
  };
}
