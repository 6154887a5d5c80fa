import * as tf from '@tensorflow/tfjs-core';
import { multiplyEachColumn } from './columns.js';
import { sumOfOuterProducts } from './kernel-and-bias.js';
import type { CallWithDelta, Forward, Layer, Operation, RecordedCall } from './operation.js';
import { type Cell, type CellLayer, letsScaleThrough, oneMinus } from './recurrent-cells.js';
import type { ParameterOf } from './rule.js';
import { type Sensitivity, spread } from './sensitivity.js';
import { joinPositions, kernelSquaredNorm } from './squared-norms.js';

export interface RecurrentLayer extends Layer {
  cell: CellLayer;
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
}

/** A cell that takes the time steps of a sequence, one after the other. */
interface Recurrence {
  readonly cell: Cell;
  readonly units: number;
  /** The recurrent kernel U, [units, gates * units]. */
  readonly kernel: () => tf.Tensor2D;
  readonly returnSequences: boolean;
  readonly goBackwards: boolean;
  /** Whether a sequence comes out turned around. */
  readonly turned: boolean;
}

/** The time steps in the order in which the layer takes them. */
const inOrder = (steps: number, backwards: boolean) =>
  Array.from({ length: steps }, (_, t) => (backwards ? steps - 1 - t : t));

/** [B, T, C] at one time: [B, C]. */
const atTime = (x: tf.Tensor3D, t: number) =>
  tf.reshape(tf.slice(x, [0, t, 0], [x.shape[0], 1, x.shape[2]]), [x.shape[0], x.shape[2]]) as tf.Tensor2D;

/** [B, C] of each time step, given in the order in which they were taken: [B, T, C]. */
const byTime = (xs: tf.Tensor[], order: readonly number[]) =>
  tf.stack(
    order.map((_, t) => xs[order.indexOf(t)]),
    1,
  ) as tf.Tensor3D;

/** [N, 1] of each time step: 1 where the step counts, 0 where it is masked. */
function countedAt(mask: tf.Tensor): (t: number) => tf.Tensor2D {
  const numbers: tf.Tensor3D = tf.reshape(tf.cast(tf.cast(mask, 'bool'), 'float32'), [mask.shape[0], -1, 1]);
  return (t) => atTime(numbers, t);
}

/** What comes next where the step counts, and what was before where it is masked. */
const whereCounted = (next: tf.Tensor[], before: readonly tf.Tensor[], share: tf.Tensor2D | undefined) =>
  share ? next.map((each, i) => tf.add(tf.mul(each, share), tf.mul(before[i], oneMinus(share)))) : next;

/**
 * Forward through time, e -> h. At a masked step the states stay as they are.
 *
 * @param e [N, T, gates * units].
 * @returns h; the factors that `Cell.back` takes, side by side, [N, T, factors * units], and what each part of the recurrent
 *   kernel is multiplied by, [N, T, units], where that is recorded.
 */
function forwardThroughTime(
  { cell, units, kernel, returnSequences, goBackwards, turned }: Recurrence,
  e: tf.Tensor3D,
  recording: boolean,
  mask: tf.Tensor | undefined,
): Forward {
  const [samples, length] = e.shape;
  const u = kernel();
  const counted = mask ? countedAt(mask) : null;
  const order = inOrder(length, goBackwards);
  const outputs: tf.Tensor[] = [];
  const recorded: tf.Tensor[][] = [];
  let states: tf.Tensor[] = Array.from({ length: cell.states }, () => tf.zeros([samples, units]));
  for (const t of order) {
    const kept = tf.tidy(() => {
      const step = cell.step(atTime(e, t), states, u);
      const next = whereCounted(step.states, states, counted?.(t));
      const more = recording ? [tf.concat(step.factors, 1), ...step.recurrentInputs.map((each) => tf.clone(each))] : [];
      return [...next, ...more];
    });
    states = kept.slice(0, cell.states);
    outputs.push(states[0]);
    recorded.push(kept.slice(cell.states));
  }
  const saved = recording
    ? Array.from({ length: 1 + cell.gatesOfInputs.length }, (_, i) =>
        byTime(
          recorded.map((each) => each[i]),
          order,
        ),
      )
    : [];
  return {
    output: returnSequences ? tf.stack(turned ? [...outputs].reverse() : outputs, 1) : states[0],
    saved,
  };
}

/**
 * Deltas backward through time, from those of h to those of e.
 *
 * @param delta [R * N, T, units] or, without sequences, [R * N, units].
 * @returns [R * N, T, gates * units].
 */
function deltasThroughTime(
  { cell, units, kernel, returnSequences, goBackwards, turned }: Recurrence,
  { saved, mask }: RecordedCall,
  delta: tf.Tensor,
  columns: number,
): tf.Tensor3D {
  const factors = saved[0] as tf.Tensor3D;
  const counted = mask ? countedAt(mask) : null;
  const [samples, length] = factors.shape;
  const rows = samples * columns;
  const u = kernel();
  const order = inOrder(length, goBackwards);
  /** The delta that h itself gets at a place in this order, where it gets one. */
  const shownAt = (place: number): tf.Tensor | null => {
    if (returnSequences) {
      return atTime(delta as tf.Tensor3D, turned ? length - 1 - place : place);
    }
    return place === length - 1 ? delta : null;
  };
  const found: tf.Tensor[] = [];
  let states: tf.Tensor[] = Array.from({ length: cell.states }, () => tf.zeros([rows, units]));
  for (let place = length - 1; place >= 0; place--) {
    const t = order[place];
    const [ofStep, ...before] = tf.tidy(() => {
      const shown = shownAt(place);
      const next = shown ? [tf.add(states[0], shown), ...states.slice(1)] : states;
      const at = atTime(factors, t);
      const times = (d: tf.Tensor, factor: number) =>
        multiplyEachColumn(d, tf.slice(at, [0, factor * units], [samples, units]), columns);
      if (!counted) {
        const back = cell.back(next, times, u);
        return [back.delta, ...back.states];
      }
      const share = tf.tile(counted(t), [columns, 1]);
      const back = cell.back(
        next.map((each) => tf.mul(each, share)),
        times,
        u,
      );
      const kept = next.map((each) => tf.mul(each, oneMinus(share)));
      return [back.delta, ...back.states.map((each, i) => tf.add(each, kept[i]))];
    });
    tf.dispose(states);
    found.push(ofStep);
    states = before;
  }
  tf.dispose(states);
  return byTime(found, [...order].reverse());
}

/** Sensitivities forward through time. Those of the recurrent kernel enter where it is multiplied, in e. */
function sensitivityOf(through: Recurrence): Sensitivity {
  const { cell, units, returnSequences, goBackwards, turned } = through;
  return {
    readsSaved: true,
    entersAtInput: true,
    // Not in units of the largest: what a state adds to a gate is set against what e does.
    weights: () => [tf.square(through.kernel())],
    through([given], { inputs: [e], saved: [factors], mask, weights = [] }) {
      if (!given) {
        return null;
      }
      const [samples, length] = e.shape;
      const q = spread(given, e.shape) as tf.Tensor3D;
      const squares = tf.square(factors) as tf.Tensor3D;
      const u = weights[0] as tf.Tensor2D;
      const counted = mask ? countedAt(mask) : null;
      const order = inOrder(length, goBackwards);
      const outputs: tf.Tensor[] = [];
      let states: tf.Tensor[] = Array.from({ length: cell.states }, () => tf.zeros([samples, units]));
      for (const t of order) {
        const before = states;
        const next = cell.sense(atTime(q, t), before, tf.split(atTime(squares, t), squares.shape[2] / units, 1), u);
        states = whereCounted(next, before, counted?.(t));
        outputs.push(states[0]);
      }
      return returnSequences ? tf.stack(turned ? [...outputs].reverse() : outputs, 1) : states[0];
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
function factorsOfKernel(
  through: Recurrence,
  calls: readonly CallWithDelta[],
  columns: number,
): [tf.Tensor3D, tf.Tensor3D][] {
  const { cell, units } = through;
  const deltas = joinPositions(calls.map((call) => deltasThroughTime(through, call, call.delta, columns)));
  const widths = cell.gatesOfInputs.map((gates) => gates * units);
  return (tf.split(deltas, widths, 2) as tf.Tensor3D[]).map((part, i) => [
    joinPositions(calls.map((call) => call.saved[1 + i] as tf.Tensor3D)),
    part,
  ]);
}

/**
 * The recurrence of a layer, e -> h: [B, T, gates * units] -> [B, T, units] or, without sequences, [B, units]. Its one
 * parameter is the recurrent kernel U.
 *
 * @param turned whether a sequence comes out turned around.
 */
export function recurrence(
  wrapper: Layer,
  { cell: cellLayer, returnSequences, goBackwards }: RecurrentLayer,
  cell: Cell,
  parameter: ParameterOf,
  turned = false,
): Operation {
  const { units, recurrentKernel } = cellLayer;
  const parameterU = parameter(recurrentKernel, 'fixed');
  const through: Recurrence = {
    cell,
    units,
    kernel: () => recurrentKernel.read() as tf.Tensor2D,
    returnSequences,
    goBackwards,
    turned,
  };
  return {
    layer: wrapper,
    description: wrapper.getClassName(),
    scale: letsScaleThrough(cellLayer) ? 'ties' : 'pins',
    piecewiseLinear: false,
    parameters: [parameterU],
    usesMask: true,
    forward: ([e], recording = true, mask) => forwardThroughTime(through, e as tf.Tensor3D, recording, mask),
    backward: (call, delta, columns) => [deltasThroughTime(through, call, delta, columns)],
    sensitivity: sensitivityOf(through),
    squaredNorms(calls, columns) {
      if (!parameterU.trainable) {
        return [null];
      }
      const norms = factorsOfKernel(through, calls, columns).map(([inputs, deltas]) =>
        kernelSquaredNorm(inputs, deltas, columns),
      );
      return [tf.addN(norms)];
    },
    gradients(calls) {
      if (!parameterU.trainable) {
        return [null];
      }
      const parts = factorsOfKernel(through, calls, 1).map(([inputs, deltas]) => sumOfOuterProducts(inputs, deltas));
      return [tf.concat(parts, 1)];
    },
  };
}
