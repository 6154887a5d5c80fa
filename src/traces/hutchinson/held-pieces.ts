import type { Graph } from '../../network/graph.js';
import type { Operation } from '../../network/layers/operation.js';
import type { Tape } from '../../network/tape.js';
import { inputsOf, ownCall } from './weight-gradients.js';

/**
 * The network without its kinks: every piecewise linear function (relu, max pooling, ...) goes on along the linear piece that
 * it stood on when the tape was recorded, whatever the weights become. The two agree around the recorded weights, up to the
 * nearest kink, so that they have the same derivatives there.
 *
 * @param graph made by `rememberInputs`.
 * @param tape of that graph; it has to live as long as the graph that is returned is used.
 */
export function holdPieces(graph: Graph, tape: Tape): Graph {
  const steps = graph.steps.map((step, i) => {
    const { onPieceOf } = step.operation;
    const recorded = tape.calls[i];
    if (!onPieceOf || !recorded) {
      return step;
    }
    const call = ownCall(recorded);
    const operation: Operation = {
      ...step.operation,
      forward: (inputs) => ({
        output: onPieceOf(call, inputsOf(recorded), inputs),
        saved: recorded.saved.map((each) => each.clone()),
      }),
    };
    return { ...step, operation };
  });
  return { ...graph, steps };
}
