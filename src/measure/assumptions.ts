import { enumerateNames } from '../names.js';
import type { Graph } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import type { Owner } from '../network/layers/operation.js';
import { planSteps } from '../network/tape.js';

/** Why the traces are those of the Gauss-Newton matrix only, one sentence each; none where they are the Hessian's. */
export function reasonsNotExact(graph: Graph): string[] {
  const plan = planSteps(graph).filter(({ carriesDelta, leavesNorms }) => carriesDelta || leavesNorms);
  const smooth = new Map<string, Set<string>>();
  for (const { description, layer, piecewiseLinear } of plan.map(({ step }) => step.operation)) {
    if (!piecewiseLinear) {
      smooth.set(description, (smooth.get(description) ?? new Set()).add(layer.name));
    }
  }
  const operations = plan.filter(({ leavesNorms }) => leavesNorms).map(({ step }) => step.operation);
  const shared = new Set(
    operations.filter((operation, i) => operations.indexOf(operation) !== i).map(({ layer }) => layer.name),
  );
  const reasons: string[] = [];
  if (smooth.size > 0) {
    const causes = [...smooth].map(([description, names]) => `${description} of ${enumerateNames(names)}`);
    reasons.push(`Traces are of the Gauss-Newton matrix, not the Hessian, because of the ${causes.join('; ')}.`);
  }
  if (shared.size > 0) {
    reasons.push(
      `Traces are of the Gauss-Newton matrix, not the Hessian, because ${enumerateNames(shared)} is called several times.`,
    );
  }
  return reasons;
}

/** What the loss has besides, one sentence. */
export function regularizerAssumptions(graph: Graph): string[] {
  const hasOne = (layer: Owner) => Object.entries(layer).some(([key, value]) => /Regularizer$/.test(key) && value);
  const layers = [...new Set(graph.steps.map(({ operation }) => operation.layer))].filter(hasOne);
  return layers.length > 0
    ? [`The regularizers of ${enumerateNames(layers.map(({ name }) => name))} are not counted.`]
    : [];
}

/** How the outputs share in the loss, one sentence each. */
export function headAssumptions(heads: readonly Head[]): string[] {
  const assumptions: string[] = [];
  if (heads.length > 1) {
    const terms = heads.map(({ name, lossWeight }) => `'${name}' (weight ${lossWeight})`);
    assumptions.push(`The loss is the sum over the outputs ${terms.join(', ')}.`);
  }
  const positioned = heads.filter(({ hasPositions }) => hasPositions).map(({ name }) => name);
  if (positioned.length > 0) {
    assumptions.push(
      `The loss of ${enumerateNames(positioned)} is the mean over positions, masked ones included, as in tf.js.`,
    );
  }
  return assumptions;
}
