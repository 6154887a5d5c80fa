import type { Graph } from '../../network/graph.js';
import type { Head } from '../../network/heads.js';
import type { Operation, Parameter } from '../../network/layers/operation.js';
import { planSteps } from '../../network/tape.js';
import type { SampleLosses } from '../exact.js';
import { type LossSums, sumOfLosses } from '../trace-sums.js';

/** What the forward pass gives of the blocks that need no sampling, and of the loss. */
export interface ClosedFormTraces {
  /** Over the samples; null for the other blocks. */
  readonly sums: readonly (number | null)[];
  /** One by one, of a random part of the data. */
  readonly ofSamples: readonly (readonly number[])[];
  /** Where the losses of the samples were asked for. */
  readonly loss?: LossSums | undefined;
}

/** Adds them up batch by batch. */
export interface ClosedForm extends ClosedFormTraces {
  /**
   * @param batch sum_r w of each sample and head, and ||a||^2 of the input of each head's operation: one array of [samples] a head.
   */
  add(batch: {
    readonly totals: readonly Float32Array[];
    readonly inputNorms: readonly Float32Array[];
    readonly loss?: SampleLosses;
  }): void;
}

/**
 * Where the last step before z is a dense layer, its own blocks need no sampling: ||a_n||^2 sum_r w_{n,r} for the kernel and
 * sum_r w_{n,r} for the bias.
 *
 * @returns for each head, the operation whose blocks the forward pass gives; null where there is none.
 */
export function closedFormOperations(graph: Graph, heads: readonly Head[]): (Operation | null)[] {
  const calls = planSteps(graph).flatMap(({ step, leavesNorms }) => (leavesNorms ? [step.operation] : []));
  return heads.map((head) => closedFormOperation(graph, head, calls));
}

/**
 * Sums over samples and, of a random part of them, one by one.
 *
 * @param closed what `closedFormOperations` found.
 * @param parameters the trained weights.
 */
export function closedForm(
  closed: readonly (Operation | null)[],
  parameters: readonly Parameter[],
  isRandomPart: boolean,
): ClosedForm {
  const isClosed = (parameter: Parameter) => closed.some((operation) => operation?.parameters.includes(parameter));
  const sums = parameters.map((parameter): number | null => (isClosed(parameter) ? 0 : null));
  const ofSamples = parameters.map((): number[] => []);
  let lossSums: LossSums | undefined;
  return {
    sums,
    ofSamples,
    get loss() {
      return lossSums;
    },
    add({ inputNorms, totals, loss }) {
      lossSums = sumOfLosses(lossSums, loss);
      totals.forEach((deltaNorms, head) => {
        const operation = closed[head];
        if (!operation) {
          return;
        }
        const places = operation.parameters.map((parameter) => parameters.indexOf(parameter));
        for (let n = 0; n < deltaNorms.length; n++) {
          const norms = operation.squaredNormsOfVector?.(inputNorms[head][n], deltaNorms[n]) as number[];
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
 * The operation whose blocks the forward pass gives: a dense layer with trained weights, called once, right before the z of a
 * head without positions, which nothing else reads.
 */
function closedFormOperation(
  graph: Graph,
  { output, hasPositions }: Head,
  calls: readonly Operation[],
): Operation | null {
  const z = graph.outputs[output];
  const last = graph.steps.find((step) => step.output === z);
  const operation = last?.operation;
  const found = calls.filter((each) => each === operation);
  const readElsewhere =
    graph.steps.some(({ inputs }) => inputs.includes(z)) || graph.outputs.filter((id) => id === z).length > 1;
  return operation?.squaredNormsOfVector && found.length === 1 && !readElsewhere && !hasPositions ? operation : null;
}
