import * as tf from '@tensorflow/tfjs-core';
import { places } from '../../tfjs/mended-operations.js';
import { multiplyEachColumn } from './columns.js';
import { sumOfOuterProducts } from './kernel-and-bias.js';
import type { CallWithDelta, Forward, Layer, Operation, RecordedCall } from './operation.js';
import { type Cell, type CellLayer, letsScaleThrough, oneMinus, partsOf } from './recurrent-cells.js';
import type { ParameterOf } from './rule.js';
import { type Sensitivity, spread } from './sensitivity.js';
import { joinPositions, kernelSquaredNorm } from './squared-norms.js';

/** How a recurrent layer takes the time steps of a sequence, and what comes out of it. */
export interface ThroughTime {
  readonly returnSequences: boolean;
  /** Whether the states after the last step come out too. */
  readonly returnState: boolean;
  readonly goBackwards: boolean;
  /** Whether a sequence comes out turned around. */
  readonly turned: boolean;
}

/** A cell that takes the time steps of a sequence, one after the other. */
interface Recurrence extends ThroughTime {
  readonly cell: Cell;
  readonly units: number;
  /** The recurrent kernel U, [units, gates * units]. */
  readonly kernel: () => tf.Tensor2D;
}

/** The time steps in the order in which the layer takes them. */
const inOrder = (steps: number, backwards: boolean) =>
  Array.from({ length: steps }, (_, t) => (backwards ? steps - 1 - t : t));

/** [B, T, C] -> [B, C] of each time. */
const everyTime = (x: tf.Tensor) => places(x, 1) as tf.Tensor2D[];

/** [B, C] of each time step, given in the order in which they were taken: [B, T, C]. */
const byTime = (xs: readonly tf.Tensor[], order: readonly number[]) =>
  tf.stack(
    order.map((_, t) => xs[order.indexOf(t)]),
    1,
  ) as tf.Tensor3D;

/**
 * [N, 1] of each time step: 1 where the step counts, 0 where it is masked. A mask may be longer than the sequence, where it is that of
 * layers before a convolution or pooling: the steps meet it from the side from which they are taken.
 */
function counted(mask: tf.Tensor | undefined, length: number, backwards: boolean): tf.Tensor2D[] | undefined {
  const ofSteps = mask && everyTime(tf.reshape(tf.cast(tf.cast(mask, 'bool'), 'float32'), [mask.shape[0], -1, 1]));
  return backwards ? ofSteps?.slice(-length) : ofSteps?.slice(0, length);
}

/** What comes next where the step counts, and what was before where it is masked. */
const whereCounted = (next: tf.Tensor[], before: readonly tf.Tensor[], share: tf.Tensor2D | undefined) =>
  share ? next.map((each, i) => tf.add(tf.mul(each, share), tf.mul(before[i], oneMinus(share)))) : next;

/**
 * What comes out: h of the last step, [B, units], or of all, [B, T, units]. States that come out too stand behind the last step, all
 * but h: [B, steps + states - 1, units].
 *
 * @param outputs h of each step, in the order in which they were taken.
 * @param states after the last step.
 */
function packed(
  { returnSequences, returnState, turned }: Recurrence,
  outputs: tf.Tensor[],
  [last, ...others]: readonly tf.Tensor[],
): tf.Tensor {
  if (!returnSequences && !returnState) {
    return last;
  }
  const steps = !returnSequences ? [last] : turned ? [...outputs].reverse() : outputs;
  return tf.stack(returnState ? [...steps, ...others] : steps, 1);
}

/**
 * Forward through time, from e and the states before the first step, zeros where they are not given. At a masked step the states stay
 * as they are.
 *
 * @param inputs e, [N, T, gates * units], and states, [N, units] each.
 * @returns what `packed` makes of it; the factors that `Cell.back` takes, side by side, [N, T, factors * units], and what each part
 *   of the recurrent kernel is multiplied by, [N, T, units], where that is recorded.
 */
function forwardThroughTime(
  through: Recurrence,
  [e, ...given]: readonly tf.Tensor[],
  recording: boolean,
  mask: tf.Tensor | undefined,
): Forward {
  const { cell, units, kernel, goBackwards } = through;
  const [samples, length] = e.shape;
  const u = kernel();
  const [steps, shares] = [everyTime(e), counted(mask, length, goBackwards)];
  const order = inOrder(length, goBackwards);
  const outputs: tf.Tensor[] = [];
  const recorded: tf.Tensor[][] = [];
  let states = statesBefore(cell, given, [samples, units]);
  for (const t of order) {
    const kept = tf.tidy(() => {
      const { states: next, x } = cell.step(steps[t], states, u, recording);
      return [...whereCounted(next, states, shares?.[t]), ...(recording && x ? [x] : [])];
    });
    if (recording) {
      recorded.push([kept[cell.states], ...states]);
    }
    states = kept.slice(0, cell.states);
    outputs.push(states[0]);
  }
  return {
    output: packed(through, outputs, states),
    saved: recording ? recordedInTime(cell, recorded, order) : [],
  };
}

/** What all time steps leave for the backward pass, from x and the states before of each. */
function recordedInTime(cell: Cell, recorded: readonly tf.Tensor[][], order: readonly number[]): tf.Tensor[] {
  const [x, ...states] = recorded[0].map((_, i) =>
    byTime(
      recorded.map((each) => each[i]),
      order,
    ),
  );
  const { factors, recurrentInputs } = cell.record(x, states);
  return [factors.length === 1 ? factors[0] : tf.concat(factors, 2), ...recurrentInputs];
}

const statesBefore = (cell: Cell, given: readonly tf.Tensor[], shape: [number, number]): readonly tf.Tensor[] =>
  given.length > 0 ? given : Array.from({ length: cell.states }, () => tf.zeros(shape));

/**
 * Deltas backward through time, from those of what came out to those of e and of the states before the first step.
 *
 * @param delta of what `packed` has made, [R * N, ...].
 * @returns [R * N, T, gates * units], and [R * N, units] of each state.
 */
function deltasThroughTime(
  { cell, units, kernel, returnSequences, returnState, goBackwards, turned }: Recurrence,
  { saved: [factors], mask }: RecordedCall,
  delta: tf.Tensor,
  columns: number,
): [tf.Tensor3D, ...tf.Tensor[]] {
  const [samples, length] = factors.shape;
  const u = kernel();
  const [ofSteps, shares] = [everyTime(factors), counted(mask, length, goBackwards)];
  const order = inOrder(length, goBackwards);
  const given = delta.rank === 3 ? everyTime(delta) : [delta];
  const shown = returnState ? given.slice(0, 1 + given.length - cell.states) : given;
  /** The delta that h itself gets at a place in this order, where it gets one. */
  const shownAt = (place: number): tf.Tensor | undefined =>
    returnSequences ? shown[turned ? length - 1 - place : place] : shown[1 + place - length];
  const zeros = () => tf.zeros([samples * columns, units]);
  const found: tf.Tensor[] = [];
  let states: tf.Tensor[] = [
    zeros(),
    ...Array.from({ length: cell.states - 1 }, (_, i) => given[shown.length + i] ?? zeros()),
  ];
  for (let place = length - 1; place >= 0; place--) {
    const t = order[place];
    const [ofStep, ...before] = tf.tidy(() => {
      const at = shownAt(place);
      const next = at ? [tf.add(states[0], at), ...states.slice(1)] : states;
      const pieces = partsOf(ofSteps[t], units, cell.widths);
      const times = (d: tf.Tensor, factor: number) => multiplyEachColumn(d, pieces[factor], columns);
      const share = shares && tf.tile(shares[t], [columns, 1]);
      const back = cell.back(share ? next.map((each) => tf.mul(each, share)) : next, times, u);
      const kept = share && next.map((each) => tf.mul(each, oneMinus(share)));
      return [back.delta, ...back.states.map((each, i) => (kept ? tf.add(each, kept[i]) : each))];
    });
    tf.dispose(states);
    found.push(ofStep);
    states = before;
  }
  return [byTime(found, [...order].reverse()), ...states];
}

/** Sensitivities forward through time. Those of the recurrent kernel enter where it is multiplied, in e. */
function sensitivityOf(through: Recurrence): Sensitivity {
  const { cell, units, goBackwards } = through;
  return {
    readsSaved: true,
    entersAtInput: true,
    // Not in units of the largest: what a state adds to a gate is set against what e does.
    weights: () => [tf.square(through.kernel())],
    through([ofE, ...ofStates], { inputs: [e, ...given], saved: [factors], mask, weights: [u] = [] }) {
      if (!ofE && ofStates.every((each) => !each)) {
        return null;
      }
      const [samples, length] = e.shape;
      const [steps, squares] = [ofE ? spread(ofE, e.shape) : tf.zeros(e.shape), tf.square(factors)].map(everyTime);
      const shares = counted(mask, length, goBackwards);
      const order = inOrder(length, goBackwards);
      const outputs: tf.Tensor[] = [];
      const entering = given.map((state, i) => {
        const q = ofStates[i];
        return q ? spread(q, state.shape) : tf.zeros(state.shape);
      });
      let states = statesBefore(cell, entering, [samples, units]);
      for (const t of order) {
        const next = cell.sense(steps[t], states, partsOf(squares[t], units, cell.widths), u as tf.Tensor2D);
        states = whereCounted(next, states, shares?.[t]);
        outputs.push(states[0]);
      }
      return packed(through, outputs, states);
    },
    ofParameters({ saved: [, ...inputs] }) {
      const norms = inputs.map((each, i) => {
        const ofStep = tf.sum(tf.square(each), 2, true);
        return tf.tile(ofStep, [1, 1, cell.gatesOfInputs[i] * units]);
      });
      return [norms.length === 1 ? norms[0] : tf.concat(norms, 2)];
    },
  };
}

/**
 * What makes up the gradient of each part of the recurrent kernel, sum_t h_{t-1}^T delta_t: its inputs h, and the deltas of its
 * outputs, which are those of e.
 */
function factorsOfKernel({ cell, units }: Recurrence, calls: readonly CallWithDelta[]): [tf.Tensor3D, tf.Tensor3D][] {
  const deltas = joinPositions(calls.map(({ delta }) => delta as tf.Tensor3D));
  return (partsOf(deltas, units, cell.gatesOfInputs) as tf.Tensor3D[]).map((part, i) => [
    joinPositions(calls.map((call) => call.saved[1 + i] as tf.Tensor3D)),
    part,
  ]);
}

/**
 * The recurrence of a cell, e -> h: [B, T, gates * units] -> [B, T, units] or, without sequences, [B, units]. States before the first
 * step may go in behind e; those after the last may come out, see `packed` and `outputsOf`. Its one parameter is the recurrent kernel U.
 */
export function recurrence(
  wrapper: Layer,
  cellLayer: CellLayer,
  cell: Cell,
  parameter: ParameterOf,
  time: ThroughTime,
): Operation {
  const { units, recurrentKernel } = cellLayer;
  const parameterU = parameter(recurrentKernel, 'fixed');
  const through: Recurrence = { ...time, cell, units, kernel: () => recurrentKernel.read() as tf.Tensor2D };
  return {
    layer: wrapper,
    description: wrapper.getClassName(),
    scale: letsScaleThrough(cellLayer) ? 'ties' : 'pins',
    piecewiseLinear: false,
    parameters: [parameterU],
    usesMask: true,
    leavesAtInput: true,
    forward: (inputs, recording = true, mask) => forwardThroughTime(through, inputs, recording, mask),
    backward: (call, delta, columns) =>
      deltasThroughTime(through, call, delta, columns).slice(0, call.inputShapes.length),
    sensitivity: sensitivityOf(through),
    squaredNorms(calls, columns) {
      if (!parameterU.trainable) {
        return [null];
      }
      const norms = factorsOfKernel(through, calls).map(([inputs, deltas]) =>
        kernelSquaredNorm(inputs, deltas, columns),
      );
      return [tf.addN(norms)];
    },
    outerProducts: (calls) => [
      parameterU.trainable ? factorsOfKernel(through, calls).map(([inputs, deltas]) => ({ inputs, deltas })) : null,
    ],
    gradients(calls) {
      if (!parameterU.trainable) {
        return [null];
      }
      const parts = factorsOfKernel(through, calls).map(([inputs, deltas]) => sumOfOuterProducts(inputs, deltas));
      return [tf.concat(parts, 1)];
    },
  };
}
