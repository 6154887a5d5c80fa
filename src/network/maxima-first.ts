import { type Graph, readBy, type Step } from './graph.js';

/**
 * Puts max pooling in front of the activation that it follows, where the activation is monotone: f(max x) = max f(x). The
 * function and its gradients stay what they are (where f is flat, so that maxima tie, its derivative is 0 either way), and the
 * activation is left with fewer elements; where the pooling can take its slope along, the two become one step. Activations whose
 * output goes elsewhere too stay where they are, and so do the numbers of all other tensors.
 *
 * @param join false: all steps stay steps of their own. Default true.
 */
export function maximaFirst(graph: Graph, { join = true }: { readonly join?: boolean } = {}): Graph {
  const { steps, outputs } = graph;
  const ordered = [...steps];
  const reads = new Map<number, number>(outputs.map((id) => [id, 1]));
  for (const id of steps.flatMap(readBy)) {
    reads.set(id, (reads.get(id) ?? 0) + 1);
  }
  const madeBy = new Map(steps.map(({ output }, i) => [output, i]));
  steps.forEach(({ operation }, i) => {
    for (let later = i; operation.takesMaxima; ) {
      const { inputs } = ordered[later];
      const earlier = madeBy.get(inputs[0]);
      if (earlier === undefined || !ordered[earlier].operation.monotone || reads.get(inputs[0]) !== 1) {
        return;
      }
      const { operation: monotone } = ordered[earlier];
      ordered[earlier] = { ...ordered[earlier], operation };
      ordered[later] = { ...ordered[later], operation: monotone };
      later = earlier;
    }
  });
  return { ...graph, steps: join ? joined(ordered, reads) : ordered };
}

/** Poolings and the activations that alone read them, in one step where they can be. */
function joined(steps: readonly Step[], reads: ReadonlyMap<number, number>): Step[] {
  const readers = new Map(steps.map((step) => [step.inputs[0], step]));
  const done = new Set<Step>();
  return steps.flatMap((step) => {
    const next = readers.get(step.output);
    if (done.has(step)) {
      return [];
    }
    if (!step.operation.before || !next?.operation.monotone || reads.get(step.output) !== 1) {
      return [step];
    }
    done.add(next);
    return [{ ...step, operation: step.operation.before(next.operation), output: next.output }];
  });
}
