import type { Graph } from '../../network/graph.js';
import type { Head } from '../../network/heads.js';
import type { Operation, Parameter } from '../../network/layers/operation.js';
import type { WeighedBatch } from './weighed-batch.js';

/** What the forward pass gives of the blocks that need no sampling. */
export interface ClosedFormTraces {
  /** Over the samples; null for the other blocks. */
  readonly sums: readonly (number | null)[];
  /** One by one, of a random part of the data. */
  readonly ofSamples: readonly (readonly number[])[];
}

/** Adds them up batch by batch. */
export interface ClosedForm extends ClosedFormTraces {
  add(batch: WeighedBatch): void;
}

/**
 * Where the last step before z is a dense layer, its own blocks need no sampling: ||a_n||^2 sum_r w_{n,r} for the kernel and
 * sum_r w_{n,r} for the bias.
 *
 * @returns for each head, the place among `calls` of the call whose blocks the forward pass gives; -1 where there is none.
 */
export function closedFormCalls(graph: Graph, heads: readonly Head[], calls: readonly Operation[]): number[] {
  return heads.map((head) => closedFormCall(graph, head, calls));
}

/**
 * Sums over samples and, of a random part of them, one by one.
 *
 * @param calls those of the batches' `inputNorms`.
 * @param ofHeads what `closedFormCalls` found.
 * @param parameters the trained weights.
 */
export function closedForm(
  calls: readonly Operation[],
  ofHeads: readonly number[],
  parameters: readonly Parameter[],
  isRandomPart: boolean,
): ClosedForm {
  const isClosed = (parameter: Parameter) =>
    ofHeads.some((call) => call >= 0 && calls[call].parameters.includes(parameter));
  const sums = parameters.map((parameter): number | null => (isClosed(parameter) ? 0 : null));
  const ofSamples = parameters.map((): number[] => []);
  return {
    sums,
    ofSamples,
    add({ inputNorms, totals }) {
      totals.forEach((deltaNorms, head) => {
        const call = ofHeads[head];
        if (call < 0) {
          return;
        }
        const operation = calls[call];
        const places = operation.parameters.map((parameter) => parameters.indexOf(parameter));
        for (let n = 0; n < deltaNorms.length; n++) {
          const norms = operation.squaredNormsOfVector?.(inputNorms[call][n], deltaNorms[n]) as number[];
          places.forEach((b, i) => {
            if (b >= 0) {
              sums[b] = (sums[b] as number) + norms[i];
              if (isRandomPart) {
                ofSamples[b].push(norms[i]);
              }
            }
          });
        }
      });
    },
  };
}

/**
 * The call whose blocks the forward pass gives: a dense layer with trained weights, called once, right before the z of a
 * head without positions, which nothing else reads. Or -1.
 */
function closedFormCall(graph: Graph, { output, hasPositions }: Head, calls: readonly Operation[]): number {
  const z = graph.outputs[output];
  const last = graph.steps.find((step) => step.output === z);
  const operation = last?.operation;
  const found = calls.flatMap((each, call) => (each === operation ? [call] : []));
  const readElsewhere =
    graph.steps.some(({ inputs }) => inputs.includes(z)) || graph.outputs.filter((id) => id === z).length > 1;
  return operation?.squaredNormsOfVector && found.length === 1 && !readElsewhere && !hasPositions ? found[0] : -1;
}
