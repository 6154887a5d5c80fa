import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { parts } from '../../tfjs/mended-operations.js';
import { timesTransposed } from '../../tfjs/products.js';
import { type ActivationFunction, derivativeOf, scaleOfActivation } from './activation.js';
import type { Layer } from './operation.js';

export interface CellLayer extends Layer {
  units: number;
  kernel: LayerVariable;
  recurrentKernel: LayerVariable;
  bias: LayerVariable | null;
  activation: ActivationFunction;
  recurrentActivation?: ActivationFunction;
}

/**
 * A recurrent cell, whose input has been through its kernel and bias: e = x W + b, [N, gates * units]. The first of its states is what
 * it puts out. States are [N, units].
 */
export interface Cell {
  readonly states: number;
  /**
   * One time step.
   *
   * @param u the recurrent kernel, [units, gates * units].
   * @param recording whether `x` is wanted.
   * @returns the next states, and x, which the activations take, [N, gates * units].
   */
  step(
    e: tf.Tensor2D,
    states: readonly tf.Tensor[],
    u: tf.Tensor2D,
    recording: boolean,
  ): { readonly states: tf.Tensor[]; readonly x?: tf.Tensor };
  /**
   * What the deltas of many time steps need, all at once.
   *
   * @param x of each step, [N, T, gates * units].
   * @param states those before each step, [N, T, units].
   * @returns the derivatives that `back` takes, and what the recurrent kernel is multiplied by, with the columns of the kernel that
   *   it multiplies.
   */
  record(
    x: tf.Tensor,
    states: readonly tf.Tensor[],
  ): { readonly factors: tf.Tensor[]; readonly recurrentInputs: tf.Tensor[] };
  /** How many units wide each of the factors is. */
  readonly widths: readonly number[];
  /**
   * @param deltas of the next states, [R * N, units].
   * @param times multiplies a delta by factor i of the step.
   * @returns the delta of e, [R * N, gates * units], and those of the states.
   */
  back(
    deltas: readonly tf.Tensor[],
    times: (delta: tf.Tensor, factor: number) => tf.Tensor,
    u: tf.Tensor2D,
  ): { readonly delta: tf.Tensor; readonly states: tf.Tensor[] };
  /**
   * Sensitivities (`Sensitivity`) through the step.
   *
   * @param e that of e + h U, but for what comes from the states, [N, gates * units].
   * @param states those of the states before.
   * @param factors of the step, squared.
   * @param u the recurrent kernel, squared.
   * @returns those of the next states.
   */
  sense(e: tf.Tensor2D, states: readonly tf.Tensor[], factors: readonly tf.Tensor[], u: tf.Tensor2D): tf.Tensor[];
  /** How many of the gates each of the recurrent inputs goes to. */
  readonly gatesOfInputs: readonly number[];
}

/** An activation with its derivative. */
interface Curve {
  apply(x: tf.Tensor): tf.Tensor;
  slope(x: tf.Tensor): tf.Tensor;
}

/** What a cell is made of besides its weights. */
interface Curves {
  readonly units: number;
  readonly activation: Curve;
  readonly gate: Curve;
}

const product = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b);
const productBack = (d: tf.Tensor, u: tf.Tensor) => timesTransposed(d as tf.Tensor2D, u as tf.Tensor2D);
export const oneMinus = (x: tf.Tensor) => tf.sub(1, x);
/** Parts of the last axis, so many units wide. */
export const partsOf = (x: tf.Tensor, units: number, widths: readonly number[]): tf.Tensor[] =>
  widths.length === 1
    ? [x]
    : parts(
        x,
        widths.map((width) => width * units),
        x.rank - 1,
      );

/** h' = f(e + h U). */
function simpleCell({ activation }: Curves): Cell {
  return {
    states: 1,
    gatesOfInputs: [1],
    widths: [1],
    step(e, [h], u) {
      const x = tf.add(e, product(h, u));
      return { states: [activation.apply(x)], x };
    },
    record: (x, [h]) => ({ factors: [activation.slope(x)], recurrentInputs: [h] }),
    back([d], times, u) {
      const delta = times(d, 0);
      return { delta, states: [productBack(delta, u)] };
    },
    sense: (e, [h], [slope], u) => [tf.mul(tf.add(e, product(h, u)), slope)],
  };
}

/** i, f, o = sigma(e + h U), g = phi(e + h U) in the order i, f, g, o; c' = f c + i g; h' = o phi(c'). */
function lstmCell({ units, activation, gate }: Curves): Cell {
  /** i, f, g and o. */
  const gatesOf = (x: tf.Tensor) => {
    const [inputAndForget, xg, xo] = partsOf(x, units, [2, 1, 1]);
    const [i, f] = partsOf(gate.apply(inputAndForget), units, [1, 1]);
    return [i, f, activation.apply(xg), gate.apply(xo)];
  };
  const carried = (c: tf.Tensor, [i, f, g]: readonly tf.Tensor[]) => tf.add(tf.mul(f, c), tf.mul(i, g));
  return {
    states: 2,
    gatesOfInputs: [4],
    // Of h' by c'; of c' by what i, f and g are made of and of h' by what o is; of c' by c.
    widths: [1, 4, 1],
    step(e, [h, c], u) {
      const x = tf.add(e, product(h, u));
      const gates = gatesOf(x);
      const next = carried(c, gates);
      return { states: [tf.mul(gates[3], activation.apply(next)), next], x };
    },
    record(x, [h, c]) {
      const gates = gatesOf(x);
      const [i, f, g, o] = gates;
      const next = carried(c, gates);
      const [xi, xf, xg, xo] = partsOf(x, units, [1, 1, 1, 1]);
      const ofGates = [
        tf.mul(g, gate.slope(xi)),
        tf.mul(c, gate.slope(xf)),
        tf.mul(i, activation.slope(xg)),
        tf.mul(activation.apply(next), gate.slope(xo)),
      ];
      return { factors: [tf.mul(o, activation.slope(next)), tf.concat(ofGates, -1), f], recurrentInputs: [h] };
    },
    back([dh, dNext], times, u) {
      const dc = tf.add(dNext, times(dh, 0));
      const delta = times(tf.concat([dc, dc, dc, dh], 1), 1);
      return { delta, states: [productBack(delta, u), times(dc, 2)] };
    },
    sense(e, [h, c], [ofCell, ofGates, f], u) {
      const [i, forget, g, o] = partsOf(tf.mul(tf.add(e, product(h, u)), ofGates), units, [1, 1, 1, 1]);
      const next = tf.addN([i, forget, g, tf.mul(c, f)]);
      return [tf.add(tf.mul(next, ofCell), o), next];
    },
  };
}

/** z, r = sigma(e + h U), g = phi(e + (r h) U) in the order z, r, g; h' = z h + (1 - z) g. */
function gruCell({ units, activation, gate }: Curves): Cell {
  const kernels = (u: tf.Tensor2D) => partsOf(u, units, [2, 1]);
  return {
    states: 1,
    gatesOfInputs: [2, 1],
    widths: [1, 1, 1, 1, 1],
    step(e, [h], u, recording) {
      const [gates, candidate] = kernels(u);
      const [ofGates, ofCandidate] = partsOf(e, units, [2, 1]);
      const xGates = tf.add(ofGates, product(h, gates));
      const [z, r] = partsOf(gate.apply(xGates), units, [1, 1]);
      const xg = tf.add(ofCandidate, product(tf.mul(r, h), candidate));
      const next = tf.add(tf.mul(z, h), tf.mul(oneMinus(z), activation.apply(xg)));
      return { states: [next], ...(recording && { x: tf.concat([xGates, xg], 1) }) };
    },
    record(x, [h]) {
      const [xz, xr, xg] = partsOf(x, units, [1, 1, 1]);
      const [z, r] = [xz, xr].map((each) => gate.apply(each));
      return {
        factors: [
          tf.mul(tf.sub(h, activation.apply(xg)), gate.slope(xz)),
          tf.mul(oneMinus(z), activation.slope(xg)),
          tf.mul(h, gate.slope(xr)),
          r,
          z,
        ],
        recurrentInputs: [h, tf.mul(r, h)],
      };
    },
    back([d], times, u) {
      const [gates, candidate] = kernels(u);
      const dg = times(d, 1);
      const dReset = productBack(dg, candidate);
      const ofGates = tf.concat([times(d, 0), times(dReset, 2)], 1);
      const h = tf.addN([times(d, 4), times(dReset, 3), productBack(ofGates, gates)]);
      return { delta: tf.concat([ofGates, dg], 1), states: [h] };
    },
    sense(e, [h], [ofZ, ofG, ofR, r, z], u) {
      const [gates, candidate] = kernels(u);
      const [ez, er, eg] = partsOf(e, units, [1, 1, 1]);
      const [hz, hr] = partsOf(product(h, gates), units, [1, 1]);
      const reset = tf.add(tf.mul(h, r), tf.mul(tf.add(er, hr), ofR));
      const candidates = tf.add(eg, product(reset, candidate));
      return [tf.addN([tf.mul(tf.add(ez, hz), ofZ), tf.mul(candidates, ofG), tf.mul(h, z)])];
    },
  };
}

const cells: Readonly<Record<string, (curves: Curves) => Cell>> = {
  SimpleRNNCell: simpleCell,
  LSTMCell: lstmCell,
  GRUCell: gruCell,
};

/**
 * Whether h' is multiplied by c > 0 when x W + b and h are: only in a cell without gates, with an activation such as ReLU.
 * Undefined where nothing is known of the activation.
 */
export function letsScaleThrough(cell: CellLayer): boolean | undefined {
  if (cell.getClassName() !== 'SimpleRNNCell') {
    return false;
  }
  const scale = scaleOfActivation(cell.activation);
  return scale && scale === 'ties';
}

/** A cell layer as one of the above, if it is one and its activations work element by element. */
export function cellOf(cell: CellLayer): Cell | null {
  if (!Object.hasOwn(cells, cell.getClassName())) {
    return null;
  }
  const curve = (f: ActivationFunction): Curve | null => {
    const slope = derivativeOf(f);
    return slope && { apply: (x) => f.apply(x), slope };
  };
  const activation = curve(cell.activation);
  const gate = cell.recurrentActivation ? curve(cell.recurrentActivation) : activation;
  return activation && gate && cells[cell.getClassName()]({ units: cell.units, activation, gate });
}
