import type * as tf from '@tensorflow/tfjs-core';
import { matrixProduct } from './dense.js';
import { generic, measuredAsWhole } from './generic.js';
import { kernelAndBias } from './kernel-and-bias.js';
import type { Layer, Operation } from './operation.js';
import { recurrence } from './recurrence.js';
import { type CellLayer, cellOf, letsScaleThrough } from './recurrent-cells.js';
import { placesOf } from './recurrent-states.js';
import type { ParameterOf, WiredRule, Wiring } from './rule.js';

export interface RecurrentLayer extends Layer {
  /** One cell, or several of which each takes what the one before puts out. */
  cell: CellLayer | StackedCells;
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
}

interface StackedCells extends Layer {
  cells: (CellLayer | StackedCells)[];
}

/** The cells of a recurrent layer, the first one first. */
function cellsOf(cell: CellLayer | StackedCells): CellLayer[] {
  return 'cells' in cell ? cell.cells.flatMap(cellsOf) : [cell];
}

/** x W + b at every time step. */
function projection(wrapper: Layer, cell: CellLayer, parameter: ParameterOf): Operation {
  const [fanIn, fanOut] = cell.kernel.shape as [number, number];
  const matrix = matrixProduct(() => cell.kernel.read() as tf.Tensor2D, fanIn, fanOut);
  const linear = kernelAndBias(wrapper, cell.kernel, cell.bias, parameter, matrix);
  return { ...linear, description: `input of ${wrapper.getClassName()}` };
}

const cellClasses = ['SimpleRNNCell', 'GRUCell', 'LSTMCell', 'ConvLSTM2DCell'];

/**
 * Recurrent layers measured as a whole. The kernels that their input meets first trade scale with what is in front; all that
 * follows is held fixed. Cells of the user's go the generic way.
 *
 * @param inner what `layer` is made of: itself, or the two of a bidirectional one.
 */
export function recurrentAsWhole(layer: Layer, inner: readonly RecurrentLayer[], parameter: ParameterOf): Operation[] {
  const stacks = inner.map(({ cell }) => cellsOf(cell));
  const cells = stacks.flat();
  if (!cells.every((cell) => cellClasses.includes(cell.getClassName()))) {
    return generic(layer, parameter);
  }
  const first = new Set(stacks.map(([cell]) => cell.kernel));
  const parameters = layer.weights.map((weight) =>
    first.has(weight) ? parameter(weight, 'kernel', { from: 'input' }) : parameter(weight, 'fixed'),
  );
  const whole = measuredAsWhole(layer, { inputs: ['input'] }, parameters);
  const matrices = parameters.filter(({ role }) => role === 'kernel');
  return [{ ...whole, matrices, scaleUnknown: cells.some((cell) => letsScaleThrough(cell) !== false) }];
}

/**
 * A recurrent layer, cell by cell: each is a dense layer at every time step and then its recurrence, and its steps are all done before
 * those of the next cell. States go in behind the sequence and come out behind the output, those of the last cell first.
 *
 * @param turned whether a sequence comes out turned around.
 * @returns null where a cell is none of tf.js', or has an activation that does not work element by element.
 */
export function cellByCell(
  wrapper: Layer,
  { cell, returnSequences, returnState, goBackwards }: RecurrentLayer,
  parameter: ParameterOf,
  turned = false,
): Wiring | null {
  const cellLayers = cellsOf(cell);
  const cells = cellLayers.flatMap((each) => cellOf(each) ?? []);
  if (cells.length < cellLayers.length) {
    return null;
  }
  const name = wrapper.getClassName();
  const stages = cells.map((each, i) => {
    const isLast = i === cells.length - 1;
    // Between cells the steps stand in their own order.
    const isTurned = isLast ? turned : goBackwards;
    const isSequence = isLast ? returnSequences : true;
    const others = each.states - 1;
    return {
      cell: each,
      projection: projection(wrapper, cellLayers[i], parameter),
      recurrence: recurrence(wrapper, cellLayers[i], each, parameter, {
        returnSequences: isSequence,
        returnState,
        goBackwards,
        turned: isTurned,
      }),
      output: isSequence
        ? placesOf(wrapper, `output of ${name}`, 0, -others)
        : placesOf(wrapper, `output of ${name}`, 0),
      states: Array.from({ length: each.states }, (_, state) => {
        const last = isSequence && isTurned ? 0 : -others - 1;
        return placesOf(wrapper, `state ${state} of ${name}`, state === 0 ? last : state - 1 - others);
      }),
    };
  });
  return {
    operations: stages.flatMap((stage) => [
      stage.projection,
      stage.recurrence,
      ...(returnState ? [stage.output, ...stage.states] : []),
    ]),
    connect<T>([x, ...given]: readonly T[], apply: (operation: Operation, inputs: readonly T[]) => T) {
      let current = x;
      let end = given.length;
      const left: T[] = [];
      for (const { cell: each, projection: first, recurrence: second, output, states } of stages) {
        const own = given.slice(Math.max(0, end - each.states), end);
        end -= own.length;
        const found = apply(second, [apply(first, [current]), ...own]);
        current = returnState ? apply(output, [found]) : found;
        if (returnState) {
          left.unshift(...states.map((state) => apply(state, [found])));
        }
      }
      return [current, ...left];
    },
  };
}

/**
 * SimpleRNN, GRU, LSTM and stacks of their cells: kernel and bias are a dense layer at every time step, and what follows holds its
 * scale fixed, unless it is a SimpleRNN with an activation such as ReLU, which passes it on. Other cells are measured as a whole.
 */
export const recurrent: WiredRule = (anyLayer, parameter) => {
  const layer = anyLayer as RecurrentLayer;
  return cellByCell(layer, layer, parameter) ?? recurrentAsWhole(layer, [layer], parameter);
};
