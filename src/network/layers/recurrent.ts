import type * as tf from '@tensorflow/tfjs-core';
import { callsOf } from '../../tfjs/model-graph.js';
import { matrixProduct } from './dense.js';
import { generic } from './generic.js';
import { kernelAndBias } from './kernel-and-bias.js';
import type { Layer, Operation } from './operation.js';
import { type RecurrentLayer, recurrence } from './recurrence.js';
import { cellOf } from './recurrent-cells.js';
import type { LayerRule, ParameterOf } from './rule.js';

/** x W + b at every time step. */
export function projection(wrapper: Layer, { cell }: RecurrentLayer, parameter: ParameterOf): Operation {
  const [fanIn, fanOut] = cell.kernel.shape as [number, number];
  const matrix = matrixProduct(() => cell.kernel.read() as tf.Tensor2D, fanIn, fanOut);
  const linear = kernelAndBias(wrapper, cell.kernel, cell.bias, parameter, matrix);
  return { ...linear, description: `input of ${wrapper.getClassName()}` };
}

/** Whether nothing but a sequence goes in: no states, and nothing but its output comes out. */
export function isPlain(wrapper: Layer, { returnState }: RecurrentLayer): boolean {
  return !returnState && callsOf(wrapper).every(({ inputs }) => inputs.length === 1);
}

/**
 * SimpleRNN, GRU and LSTM: kernel and bias are a dense layer at every time step, and what follows holds its scale fixed.
 * Other cells, and states that come in or go out, go the generic way.
 */
export const recurrent: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as RecurrentLayer;
  const cell = cellOf(layer.cell);
  if (!cell || !isPlain(layer, layer)) {
    return generic(layer, parameter);
  }
  return [projection(layer, layer, parameter), recurrence(layer, layer, cell, parameter)];
};
