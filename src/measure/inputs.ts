import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { inputNames } from '../tfjs/model-graph.js';

export type NamedTensors = { readonly [name: string]: tf.Tensor };

/** Inputs of a model, the samples in the first axis: [N, ...] each. */
export type TensorInputs = tf.Tensor | readonly tf.Tensor[] | NamedTensors;

/** A `tf.data.Dataset`, by its structure. It has to be batched. */
export interface DatasetInputs {
  iterator(): Promise<{ next(): Promise<IteratorResult<unknown>> }>;
}

export function isDataset(inputs: unknown): inputs is DatasetInputs {
  return typeof (inputs as DatasetInputs | null)?.iterator === 'function';
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
    const stranger = inputs.findIndex((input) => !(input instanceof tf.Tensor));
    if (stranger >= 0) {
      throw new Error(`inputs[${stranger}] is not a tensor: pass tensors, for example tf.tensor2d(...).`);
    }
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
      `but they are ${inputs === null ? 'null' : typeof inputs === 'object' ? 'an object without tensors' : typeof inputs}.`,
  );
}

function expectCount(names: readonly string[], tensors: tf.Tensor[]): tf.Tensor[] {
  if (tensors.length !== names.length) {
    throw new Error(
      `The model has ${names.length} inputs (${names.join(', ')}), but ${tensors.length} were given: pass one tensor for each.`,
    );
  }
  return tensors;
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

/** Whether a dataset yields inputs with labels, { xs, ys }, rather than inputs alone. */
export function isLabelled(item: unknown): item is { readonly xs: unknown; readonly ys: unknown } {
  return typeof item === 'object' && item !== null && !(item instanceof tf.Tensor) && 'xs' in item;
}

/** What a dataset yields, taken apart: inputs, or { xs, ys } with its labels. */
export function itemParts(model: tfl.LayersModel, item: unknown): { readonly xs: unknown; readonly ys: unknown } {
  return isLabelled(item) && !inputNames(model).includes('xs') ? item : { xs: item, ys: undefined };
}
