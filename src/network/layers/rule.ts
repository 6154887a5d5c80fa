import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkOneOf } from '../../checks.js';
import { layersInside } from '../../tfjs/layers-inside.js';
import type {
  Layer,
  NamedPlace,
  NamedScales,
  Operation,
  Parameter,
  ParameterRole,
  ScaleBehaviour,
} from './operation.js';

/** Makes the record of one weight of the layer at hand, with its place among the names of an operation that has `NamedScales`. */
export type ParameterOf = (variable: LayerVariable, role: ParameterRole, place?: NamedPlace) => Parameter;

/**
 * How a layer class is taken apart: its elementary operations, applied one after the other (none: it passes its input
 * on). The first takes all of the layer's inputs, the others take one.
 *
 * @param layer the layer instance; it is built.
 * @param parameter makes the record of one of its weights.
 * @throws Error with one line that says why this layer cannot be measured.
 */
export type LayerRule = (layer: Layer, parameter: ParameterOf) => Operation[];

/**
 * How the operations of a layer go together, for layers that are no chain of them: several things go in or come out, or go past one
 * another inside.
 */
export interface Wiring {
  readonly operations: readonly Operation[];
  /**
   * One call of the layer.
   *
   * @param inputs of the call.
   * @param apply runs one of the operations.
   * @returns the outputs of the call, or one that has them all (`packsOutputs`).
   */
  connect<T>(inputs: readonly T[], apply: (operation: Operation, inputs: readonly T[]) => T): readonly T[];
}

/** A `LayerRule` for a layer that may be no chain. */
export type WiredRule = (layer: Layer, parameter: ParameterOf) => Operation[] | Wiring;

/** @throws what `checkOperations` throws. */
export function wiringOf(layer: Layer, made: Operation[] | Wiring): Wiring {
  if (made !== null && typeof made === 'object' && 'connect' in made) {
    return made;
  }
  checkOperations(layer, made);
  return {
    operations: made,
    connect: (inputs, apply) => made.reduce((current, operation) => [apply(operation, current)], inputs),
  };
}

/** A layer class that cannot be measured: the reason follows its name, and says what to do. */
export function refused(reason: string): LayerRule {
  return (layer) => {
    throw new Error(`Layer '${layer.name}' (${layer.getClassName()}) ${reason}`);
  };
}

/**
 * Looks for layers that carry state from batch to batch, which the trace kernel does not follow: the layer, or one inside of it.
 *
 * @throws Error with one line that names it.
 */
export function checkIndependent(layer: Layer): void {
  const stateful = layersInside(layer).find((each) => each.stateful);
  if (stateful) {
    throw new Error(
      `Layer '${stateful.name}' (${stateful.getClassName()}) is stateful, so that its samples are not independent: build it with ` +
        'stateful: false.',
    );
  }
}

/** What is wrong with a layer that works along the batch axis: its samples have no gradients of their own. */
export function alongSamples(layer: Layer): Error {
  return new Error(
    `Layer '${layer.name}' (${layer.getClassName()}) works along axis 0, where the samples are, so that they are not independent: ` +
      'give it another axis.',
  );
}

const scales: readonly Exclude<ScaleBehaviour, NamedScales>[] = ['ties', 'adds', 'pins', 'resets', 'affine'];

const namedScales = { inputs: true, output: true, rules: true } satisfies Record<keyof NamedScales, true>;

/**
 * Looks at what a rule has returned, which may be a user's own: a slip in an operation would go unnoticed.
 *
 * @throws Error with one line for operations without a forward or backward pass or a known `scale`, for weights without
 *   `squaredNorms`, for those with a place among names that the operation does not have, and for `matrices` that are no matrices among
 *   its weights.
 */
export function checkOperations(layer: Layer, operations: unknown): asserts operations is Operation[] {
  const where = `The rule of layer '${layer.name}' (${layer.getClassName()})`;
  if (!Array.isArray(operations)) {
    throw new Error(`${where} must return an array of operations.`);
  }
  for (const operation of operations as Operation[]) {
    const named = typeof operation.scale === 'object' && operation.scale !== null;
    if (named) {
      checkKnownOptions(`${where}: scale`, operation.scale, namedScales);
    } else {
      checkOneOf(`${where}: scale`, operation.scale, scales);
    }
    for (const method of ['forward', 'backward'] as const) {
      if (typeof operation[method] !== 'function') {
        throw new Error(`${where}: an operation has no ${method}, a function.`);
      }
    }
    if (!Array.isArray(operation.parameters)) {
      throw new Error(
        `${where}: an operation has no parameters: give an array of them, empty where it has no weights.`,
      );
    }
    const placed = operation.parameters.find(({ from, to }) => from !== undefined || to !== undefined);
    if (placed && !named) {
      throw new Error(
        `${where}: weight '${placed.name}' has a place between scales with names, but the scale of its operation is ` +
          `'${operation.scale}': make that { inputs, output }, with names.`,
      );
    }
    if (operation.parameters.length > 0 && typeof operation.squaredNorms !== 'function') {
      throw new Error(`${where}: an operation with weights has no squaredNorms, a function.`);
    }
    checkMatrices(where, operation);
  }
}

function checkMatrices(where: string, { matrices = [], parameters }: Operation): void {
  if (!Array.isArray(matrices) || !matrices.every((each) => parameters.includes(each))) {
    throw new Error(
      `${where}: matrices must be some of its parameters, as the second argument of the rule has made them: list those that the input ` +
        'is multiplied with.',
    );
  }
  const vector = (matrices as readonly Parameter[]).find(({ variable }) => variable.read().shape.length < 2);
  if (vector) {
    throw new Error(
      `${where}: '${vector.name}' of shape [${vector.variable.read().shape}] is in matrices, but is none: list weights of shape ` +
        '[...taps, in, out] only, and leave gains and biases out.',
    );
  }
}
