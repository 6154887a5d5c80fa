import { type Graph, trainedParameters } from '../../network/graph.js';
import type { Parameter } from '../../network/layers/operation.js';

/**
 * The trained weights in which z itself may be curved, so that the Hessian and the Gauss-Newton matrix may differ in their
 * block: those of a layer that is called several times, and those below or inside of something that is not piecewise linear. In
 * all others z is piecewise linear.
 */
export function curvedParameters(graph: Graph): Parameter[] {
  const belowCurvature = new Set<number>();
  const calls = new Map<unknown, number>();
  const curved = new Set<Parameter>();
  for (const { operation, inputs, output } of [...graph.steps].reverse()) {
    calls.set(operation, (calls.get(operation) ?? 0) + 1);
    const bends = belowCurvature.has(output) || !operation.piecewiseLinear;
    if (bends) {
      for (const input of inputs) {
        belowCurvature.add(input);
      }
    }
    if (bends || (calls.get(operation) as number) > 1) {
      for (const parameter of operation.parameters) {
        curved.add(parameter);
      }
    }
  }
  return trainedParameters(graph).filter((parameter) => curved.has(parameter));
}
