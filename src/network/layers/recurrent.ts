import type * as tf from '@tensorflow/tfjs-core';
import { callsOf } from '../../tfjs/model-graph.js';
import { matrixProduct } from './dense.js';
import { generic, measuredAsWhole } from './generic.js';
import { kernelAndBias } from './kernel-and-bias.js';
import type { Layer, Operation } from './operation.js';
import { type RecurrentLayer, recurrence } from './recurrence.js';
import { type CellLayer, cellOf, letsScaleThrough } from './recurrent-cells.js';
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

const cellClasses = ['SimpleRNNCell', 'GRUCell', 'LSTMCell', 'ConvLSTM2DCell'];

/**
 * Recurrent layers measured as a whole. The kernels that their input meets first trade scale with what is in front; all that
 * follows is held fixed. Cells of the user's go the generic way.
 *
 * @param inner what `layer` is made of: itself, or the two of a bidirectional one.
 */
export function recurrentAsWhole(layer: Layer, inner: readonly RecurrentLayer[], parameter: ParameterOf): Operation[] {
  const stacks = inner.map(({ cell }) => (cell as CellLayer & { cells?: CellLayer[] }).cells ?? [cell]);
  const cells = stacks.flat();
  if (!cells.every((cell) => cellClasses.includes(cell.getClassName()))) {
    return generic(layer, parameter);
  }
  const first = new Set(stacks.map(([cell]) => cell.kernel));
  const parameters = layer.weights.map((weight) =>
    first.has(weight) ? parameter(weight, 'kernel', { from: 'input' }) : parameter(weight, 'fixed'),
  );
  const whole = measuredAsWhole(layer, { inputs: ['input'] }, parameters);
  return [{ ...whole, scaleUnknown: cells.some((cell) => letsScaleThrough(cell) !== false) }];
}

/**
 * SimpleRNN, GRU and LSTM: kernel and bias are a dense layer at every time step, and what follows holds its scale fixed, unless
 * it is a SimpleRNN with an activation such as ReLU, which passes it on.
 * Other cells, and states that come in or go out, are measured as a whole.
 */
export const recurrent: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as RecurrentLayer;
  const cell = cellOf(layer.cell);
  if (!cell || !isPlain(layer, layer)) {
    return recurrentAsWhole(layer, [layer], parameter);
  }
  return [projection(layer, layer, parameter), recurrence(layer, layer, cell, parameter)];
};
