import type { Operation } from './operation.js';

/** One call of an operation in the network. Tensors are numbered; a step's output is numbered after its inputs. */
export interface Step {
  readonly operation: Operation;
  readonly inputs: readonly number[];
  readonly output: number;
}

/** A network as a list of elementary steps in topological order, nested models and activations unfolded. */
export interface Graph {
  readonly inputs: readonly number[];
  readonly output: number;
  readonly steps: readonly Step[];
  /** Shape of each numbered tensor without the batch axis; null where it is not known before a call. */
  readonly shapes: readonly (readonly (number | null)[])[];
}
