import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { counted } from '../names.js';
import { inputNames } from '../tfjs/model-graph.js';

/** One weight a sample, [N], or one a position of an output, [N, ...positions]. */
export type SampleWeight = tf.Tensor | readonly number[] | Float32Array;

/** The same for all outputs, or by output: in their order, or by name. */
export type SampleWeights = SampleWeight | readonly SampleWeight[] | { readonly [output: string]: SampleWeight };

export type NamedTensors = { readonly [name: string]: tf.Tensor };

/** Inputs of a model, the samples in the first axis: [N, ...] each. */
export type TensorInputs = tf.Tensor | readonly tf.Tensor[] | NamedTensors;

/** Inputs with what only the loss reads of them. A batched dataset may yield the same. */
export interface LabelledInputs {
  readonly xs: TensorInputs;
  /** Labels as for `model.fit`: a tensor, one for each output, or by output name. */
  readonly ys?: TensorInputs;
  /** Weights of the samples or positions, as in the option of that name. */
  readonly sampleWeight?: SampleWeights;
}

/** What comes with a batch for the loss alone. */
export interface LossData {
  readonly labels?: TensorInputs | undefined;
  readonly sampleWeight?: SampleWeights | undefined;
  /** Place of the batch's first sample among the weights, where these are of more than the batch. */
  readonly firstWeight?: number;
}

/** A `tf.data.Dataset`, by its structure. It has to be batched, and to end. */
export interface DatasetInputs {
  /** Batches: Infinity where it repeats for ever, null where tf.js does not know. */
  readonly size?: number | null;
  iterator(): Promise<{ next(): Promise<IteratorResult<unknown>> }>;
}

export function isDataset(inputs: unknown): inputs is DatasetInputs {
  return typeof (inputs as DatasetInputs | null)?.iterator === 'function';
}

/**
 * @param name what to call it in the message.
 * @throws Error with one line for a dataset that says that it never ends.
 */
export function checkEnds(name: string, dataset: DatasetInputs): void {
  if (dataset.size === Number.POSITIVE_INFINITY) {
    throw new Error(
      `${name}: the dataset never ends (its size is Infinity, as after .repeat()), and a reading goes through all of it: pass ` +
        'dataset.take(n), n batches, or the dataset before it is repeated.',
    );
  }
}

/**
 * Puts the inputs in the order of `model.inputs` and checks names, ranks, shapes and dtypes against it.
 *
 * @throws Error with one line that says what does not fit.
 */
export function orderedInputs(model: tfl.LayersModel, inputs: unknown): tf.Tensor[] {
  const tensors = listInputs(model, inputs);
  const names = inputNames(model);
  tensors.forEach((tensor, i) => {
    checkInput(tensor, names[i], model.inputs[i]);
  });
  const samples = tensors[0].shape[0];
  const other = tensors.findIndex((tensor) => tensor.shape[0] !== samples);
  if (other > 0) {
    throw new Error(
      `Input '${names[other]}' has ${tensors[other].shape[0]} samples, but '${names[0]}' has ` +
        `${samples}: give all inputs the same number of samples.`,
    );
  }
  if (samples === 0) {
    throw new Error(`Input '${names[0]}' has no samples: give at least one.`);
  }
  return tensors;
}

function listInputs(model: tfl.LayersModel, inputs: unknown): tf.Tensor[] {
  const names = inputNames(model);
  if (inputs instanceof tf.Tensor) {
    return expectCount(names, [inputs]);
  }
  if (Array.isArray(inputs)) {
    checkTensors('inputs', inputs);
    return expectCount(names, inputs);
  }
  if (
    typeof inputs === 'object' &&
    inputs !== null &&
    Object.values(inputs).some((each) => each instanceof tf.Tensor)
  ) {
    return names.map((name) => {
      const tensor = (inputs as NamedTensors)[name];
      if (!(tensor instanceof tf.Tensor)) {
        throw new Error(`Input '${name}' is missing: pass { ${names.join(', ')} }, a tensor each.`);
      }
      return tensor;
    });
  }
  throw new Error(
    'inputs must be a tensor, an array of tensors, tensors by input name or a dataset that yields one of these, ' +
      `dataset.batch(32), but they are ${kindOf(inputs)}.`,
  );
}

/** @throws Error with one line for an array with something else in it, as a dataset yields it that is not batched. */
function checkTensors(name: string, list: readonly unknown[]): asserts list is readonly tf.Tensor[] {
  const stranger = list.findIndex((each) => !(each instanceof tf.Tensor));
  if (stranger >= 0) {
    throw new Error(
      `${name}[${stranger}] is not a tensor but ${kindOf(list[stranger])}: pass tensors, for example tf.tensor2d(...), or a ` +
        'dataset that is batched, dataset.batch(32).',
    );
  }
}

/** Of what is no tensor, in a word. */
function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') {
    return value === null ? 'null' : typeof value === 'number' ? 'a number' : typeof value;
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  return ArrayBuffer.isView(value) ? `a ${value.constructor.name}` : 'an object without tensors';
}

/**
 * What can be told of inputs without a model.
 *
 * @param name what to call them in messages.
 * @throws Error with one line for what no model could take.
 */
export function checkForm(name: string, given: unknown): void {
  if (given === null || typeof given !== 'object' || ArrayBuffer.isView(given)) {
    throw new Error(`${name} must be a tensor, several tensors or a dataset, but it is ${kindOf(given)}.`);
  }
  if (isDataset(given)) {
    checkEnds(name, given);
  } else if (Array.isArray(given)) {
    checkTensors(name, given);
  } else if ('xs' in given) {
    checkForm(`${name}.xs`, given.xs);
  } else if (!(given instanceof tf.Tensor) && !Object.values(given).some((each) => each instanceof tf.Tensor)) {
    throw new Error(`${name} must be a tensor, several tensors or a dataset, but it is ${kindOf(given)}.`);
  }
}

function expectCount(names: readonly string[], tensors: readonly tf.Tensor[]): tf.Tensor[] {
  if (tensors.length !== names.length) {
    throw new Error(
      `The model has ${counted(names.length, 'input')} (${names.join(', ')}), but ${tensors.length} ${tensors.length === 1 ? 'was' : 'were'} ` +
        'given: pass one tensor for each.',
    );
  }
  return [...tensors];
}

function checkInput(tensor: tf.Tensor, name: string, symbol: tfl.SymbolicTensor): void {
  if (tensor.isDisposed) {
    throw new Error(`Input '${name}' is a disposed tensor: keep it until the measurement is over.`);
  }
  if (!['float32', 'int32', 'bool'].includes(tensor.dtype)) {
    throw new Error(`Input '${name}' has dtype '${tensor.dtype}': pass 'float32', for example with x.toFloat().`);
  }
  // A number of samples that the model was built for binds neither predict nor fit.
  const expected = [null, ...symbol.shape.slice(1)];
  const fits =
    tensor.rank === expected.length && expected.every((size, axis) => size === null || size === tensor.shape[axis]);
  if (!fits) {
    const shown = expected.map((size) => size ?? 'any').join(', ');
    throw new Error(
      `Input '${name}' has shape [${tensor.shape.join(', ')}], but the model takes [${shown}]: samples come first` +
        `${tensor.rank === expected.length - 1 ? ', so batch the dataset or expand the first axis' : ''}.`,
    );
  }
}

const labelledOptions = { xs: true, ys: true, sampleWeight: true } satisfies Record<keyof LabelledInputs, true>;

/** Whether these are inputs with what the loss reads of them, { xs, ys, sampleWeight }, rather than inputs by these names. */
function isLabelled(given: unknown, names: readonly string[]): given is LabelledInputs {
  if (typeof given !== 'object' || given === null || given instanceof tf.Tensor || !('xs' in given)) {
    return false;
  }
  return (
    !names.includes('xs') ||
    Object.keys(given).some((key) => Object.hasOwn(labelledOptions, key) && !names.includes(key))
  );
}

/**
 * Inputs taken apart, as they are given or as a dataset yields them: inputs alone, or { xs, ys, sampleWeight }.
 *
 * @param names of the inputs: one of them may be called xs.
 * @throws Error with one line for more than xs, ys and sampleWeight.
 */
export function partsOf(
  given: unknown,
  names: readonly string[],
): { readonly xs: unknown } & Pick<LabelledInputs, 'ys' | 'sampleWeight'> {
  if (!isLabelled(given, names)) {
    return { xs: given };
  }
  checkKnownOptions('{ xs, ys }', given, labelledOptions);
  return given;
}
