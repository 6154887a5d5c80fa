import { type Graph, readBy } from './graph.js';

/**
 * Puts max pooling in front of the activation that it follows, where the activation is monotone: f(max x) = max f(x). The
 * function and its gradients stay what they are (where f is flat, so that maxima tie, its derivative is 0 either way), and the
 * activation is left with fewer elements. Activations whose output goes elsewhere too stay where they are, and so do the numbers of all other tensors.
 */
export function maximaFirst(graph: Graph): Graph {
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
  return { ...graph, steps: ordered };
}
