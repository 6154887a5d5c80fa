import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
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
 * One time step of a recurrent cell, whose input has been through its kernel and bias: e = x W + b, [N, gates * units]. The
 * first of its states is what it puts out. Factors and states are [N, units].
 */
export interface Cell {
  readonly states: number;
  /**
   * @param u the recurrent kernel, [units, gates * units].
   * @returns the next states; what the recurrent kernel is multiplied by, with the columns of the kernel that it
   *   multiplies; and the derivatives that `back` takes.
   */
  step(e: tf.Tensor2D, states: tf.Tensor[], u: tf.Tensor2D): Step;
  /**
   * @param deltas of the next states, [R * N, units].
   * @param times multiplies a delta by factor i of the step.
   * @returns the delta of e, [R * N, gates * units], and those of the states.
   */
  back(
    deltas: tf.Tensor[],
    times: (delta: tf.Tensor, factor: number) => tf.Tensor,
    u: tf.Tensor2D,
  ): { delta: tf.Tensor; states: tf.Tensor[] };
  /**
   * Sensitivities (`Sensitivity`) through the step.
   *
   * @param e that of e + h U, but for what comes from the states, [N, gates * units].
   * @param states those of the states before.
   * @param factors of the step, squared.
   * @param u the recurrent kernel, squared.
   * @returns those of the next states.
   */
  sense(e: tf.Tensor2D, states: tf.Tensor[], factors: tf.Tensor[], u: tf.Tensor2D): tf.Tensor[];
  /** How many of the gates each of the step's recurrent inputs goes to. */
  readonly gatesOfInputs: readonly number[];
}

interface Step {
  readonly states: tf.Tensor[];
  readonly recurrentInputs: tf.Tensor[];
  readonly factors: tf.Tensor[];
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

/** h' = f(e + h U). */
function simpleCell({ activation }: Curves): Cell {
  return {
    states: 1,
    gatesOfInputs: [1],
    step(e, [h], u) {
      const x = tf.add(e, product(h, u));
      return { states: [activation.apply(x)], recurrentInputs: [h], factors: [activation.slope(x)] };
    },
    back([d], times, u) {
      const delta = times(d, 0);
      return { delta, states: [productBack(delta, u)] };
    },
    sense: (e, [h], [slope], u) => [tf.mul(tf.add(e, product(h, u)), slope)],
  };
}

/** i, f, o = sigma(e + h U), g = phi(e + h U) in the order i, f, g, o; c' = f c + i g; h' = o phi(c'). */
function lstmCell({ activation, gate }: Curves): Cell {
  return {
    states: 2,
    gatesOfInputs: [4],
    step(e, [h, c], u) {
      const [xi, xf, xg, xo] = tf.split(tf.add(e, product(h, u)), 4, 1);
      const [i, f, o] = [xi, xf, xo].map((x) => gate.apply(x));
      const g = activation.apply(xg);
      const next = tf.add(tf.mul(f, c), tf.mul(i, g));
      const shown = activation.apply(next);
      return {
        states: [tf.mul(o, shown), next],
        recurrentInputs: [h],
        factors: [
          tf.mul(o, activation.slope(next)),
          tf.mul(g, gate.slope(xi)),
          tf.mul(c, gate.slope(xf)),
          tf.mul(i, activation.slope(xg)),
          tf.mul(shown, gate.slope(xo)),
          f,
        ],
      };
    },
    back([dh, dNext], times, u) {
      const dc = tf.add(dNext, times(dh, 0));
      const delta = tf.concat([times(dc, 1), times(dc, 2), times(dc, 3), times(dh, 4)], 1);
      return { delta, states: [productBack(delta, u), times(dc, 5)] };
    },
    sense(e, [h, c], [ofCell, ofI, ofF, ofG, ofO, f], u) {
      const [i, forget, g, o] = tf.split(tf.add(e, product(h, u)), 4, 1);
      const next = tf.addN([tf.mul(i, ofI), tf.mul(forget, ofF), tf.mul(g, ofG), tf.mul(c, f)]);
      return [tf.add(tf.mul(next, ofCell), tf.mul(o, ofO)), next];
    },
  };
}

/** z, r = sigma(e + h U), g = phi(e + (r h) U) in the order z, r, g; h' = z h + (1 - z) g. */
function gruCell({ units, activation, gate }: Curves): Cell {
  const parts = (u: tf.Tensor2D) => tf.split(u, [2 * units, units], 1);
  return {
    states: 1,
    gatesOfInputs: [2, 1],
    step(e, [h], u) {
      const [gates, candidate] = parts(u);
      const [ez, er, eg] = tf.split(e, 3, 1);
      const [hz, hr] = tf.split(product(h, gates), 2, 1);
      const [xz, xr] = [tf.add(ez, hz), tf.add(er, hr)];
      const [z, r] = [xz, xr].map((x) => gate.apply(x));
      const reset = tf.mul(r, h);
      const xg = tf.add(eg, product(reset, candidate));
      const g = activation.apply(xg);
      return {
        states: [tf.add(tf.mul(z, h), tf.mul(oneMinus(z), g))],
        recurrentInputs: [h, reset],
        factors: [
          tf.mul(tf.sub(h, g), gate.slope(xz)),
          tf.mul(oneMinus(z), activation.slope(xg)),
          tf.mul(h, gate.slope(xr)),
          r,
          z,
        ],
      };
    },
    back([d], times, u) {
      const [gates, candidate] = parts(u);
      const dg = times(d, 1);
      const dReset = productBack(dg, candidate);
      const ofGates = tf.concat([times(d, 0), times(dReset, 2)], 1);
      const h = tf.add(tf.add(times(d, 4), times(dReset, 3)), productBack(ofGates, gates));
      return { delta: tf.concat([ofGates, dg], 1), states: [h] };
    },
    sense(e, [h], [ofZ, ofG, ofR, r, z], u) {
      const [gates, candidate] = parts(u);
      const [ez, er, eg] = tf.split(e, 3, 1);
      const [hz, hr] = tf.split(product(h, gates), 2, 1);
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
