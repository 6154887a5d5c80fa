import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { type ActivationFunction, derivativeOf } from './activation.js';
import { multiplyEachColumn } from './columns.js';
import { matrixProduct } from './dense.js';
import { generic, throughTfjs } from './generic.js';
import { kernelAndBias, sumOfOuterProducts } from './kernel-and-bias.js';
import type { CallWithDelta, Layer, Operation, RecordedCall } from './operation.js';
import type { LayerRule, ParameterOf } from './rule.js';
import { joinPositions, kernelSquaredNorm } from './squared-norms.js';

interface CellLayer extends Layer {
  units: number;
  kernel: LayerVariable;
  recurrentKernel: LayerVariable;
  bias: LayerVariable | null;
  activation: ActivationFunction;
  recurrentActivation?: ActivationFunction;
}

interface RecurrentLayer extends Layer {
  cell: CellLayer;
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
}

interface BidirectionalLayer extends Layer {
  forwardLayer: RecurrentLayer;
  backwardLayer: RecurrentLayer;
  mergeMode: 'concat' | 'sum' | 'ave' | 'mul' | null;
}

/**
 * One time step of a recurrent cell, whose input has been through its kernel and bias: e = x W + b, [N, gates * units]. The
 * first of its states is what it puts out. Factors and states are [N, units].
 */
interface Cell {
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
const productBack = (d: tf.Tensor, u: tf.Tensor) => tf.matMul(d, u, false, true);
const oneMinus = (x: tf.Tensor) => tf.sub(1, x);

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
  };
}

const cells: Readonly<Record<string, (curves: Curves) => Cell>> = {
  SimpleRNNCell: simpleCell,
  LSTMCell: lstmCell,
  GRUCell: gruCell,
};

/** The cell of a layer, if it is one of the above and its activations work element by element. */
function cellOf({ cell }: RecurrentLayer): Cell | null {
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

/**
 * The recurrence of a layer, e -> h: [B, T, gates * units] -> [B, T, units] or, without sequences, [B, units]. Its one
 * parameter is the recurrent kernel U, with gradient sum_t h_{t-1}^T delta_t, delta_t that of e_t. At a masked step the states
 * stay as they are.
 *
 * @param turned whether a sequence comes out turned around.
 */
function recurrence(
  wrapper: Layer,
  layer: RecurrentLayer,
  cell: Cell,
  parameter: ParameterOf,
  turned = false,
): Operation {
  const { cell: cellLayer, goBackwards, returnSequences } = layer;
  const { units } = cellLayer;
  const kernel = parameter(cellLayer.recurrentKernel, 'fixed');
  const readKernel = () => cellLayer.recurrentKernel.read() as tf.Tensor2D;
  const inputCount = cell.gatesOfInputs.length;

  /** [N, 1]: 1 where the step counts, for each step. */
  const countedAt = (mask: tf.Tensor) => {
    const numbers: tf.Tensor3D = tf.reshape(tf.cast(tf.cast(mask, 'bool'), 'float32'), [mask.shape[0], -1, 1]);
    return (t: number) => atTime(numbers, t);
  };

  /** Deltas of e from those of the output, backward through time: [R * N, T, gates * units]. */
  function deltasOfSteps({ saved, mask }: RecordedCall, delta: tf.Tensor, columns: number): tf.Tensor3D {
    const factors = saved[0] as tf.Tensor3D;
    const counted = mask ? countedAt(mask) : null;
    const [samples, length] = factors.shape;
    const rows = samples * columns;
    const u = readKernel();
    const order = inOrder(length, goBackwards);
    const found: tf.Tensor[] = [];
    let states: tf.Tensor[] = Array.from({ length: cell.states }, () => tf.zeros([rows, units]));
    for (let place = length - 1; place >= 0; place--) {
      const t = order[place];
      const [ofStep, ...before] = tf.tidy(() => {
        const shown = returnSequences
          ? atTime(delta as tf.Tensor3D, turned ? length - 1 - place : place)
          : place === length - 1
            ? delta
            : null;
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

  /** What makes up the gradient of each part of the recurrent kernel: its inputs, and the deltas of its outputs. */
  function factorsOfKernel(calls: readonly CallWithDelta[], columns: number): [tf.Tensor3D, tf.Tensor3D][] {
    const deltas = joinPositions(calls.map((call) => deltasOfSteps(call, call.delta, columns)));
    const widths = cell.gatesOfInputs.map((gates) => gates * units);
    return (tf.split(deltas, widths, 2) as tf.Tensor3D[]).map((part, i) => [
      joinPositions(calls.map((call) => call.saved[1 + i] as tf.Tensor3D)),
      part,
    ]);
  }

  return {
    layer: wrapper,
    description: wrapper.getClassName(),
    scale: 'pins',
    piecewiseLinear: false,
    parameters: [kernel],
    usesMask: true,
    forward([e], recording = true, mask) {
      const [samples, length] = e.shape;
      const u = readKernel();
      const counted = mask ? countedAt(mask) : null;
      const order = inOrder(length, goBackwards);
      const outputs: tf.Tensor[] = [];
      const recorded: tf.Tensor[][] = [];
      let states: tf.Tensor[] = Array.from({ length: cell.states }, () => tf.zeros([samples, units]));
      for (const t of order) {
        const kept = tf.tidy(() => {
          const step = cell.step(atTime(e as tf.Tensor3D, t), states, u);
          const next = step.states.map((state, i) => {
            const share = counted?.(t);
            return share ? tf.add(tf.mul(state, share), tf.mul(states[i], oneMinus(share))) : state;
          });
          const more = recording
            ? [tf.concat(step.factors, 1), ...step.recurrentInputs.map((each) => tf.clone(each))]
            : [];
          return [...next, ...more];
        });
        states = kept.slice(0, cell.states);
        outputs.push(states[0]);
        recorded.push(kept.slice(cell.states));
      }
      const saved = recording
        ? Array.from({ length: 1 + inputCount }, (_, i) =>
            byTime(
              recorded.map((each) => each[i]),
              order,
            ),
          )
        : [];
      return {
        output: returnSequences ? tf.stack(turned ? outputs.toReversed() : outputs, 1) : states[0],
        saved,
      };
    },
    backward: (call, delta, columns) => [deltasOfSteps(call, delta, columns)],
    squaredNorms(calls, columns) {
      if (!kernel.trainable) {
        return [null];
      }
      const norms = factorsOfKernel(calls, columns).map(([inputs, deltas]) =>
        kernelSquaredNorm(inputs, deltas, columns),
      );
      return [tf.addN(norms)];
    },
    gradients(calls) {
      if (!kernel.trainable) {
        return [null];
      }
      const parts = factorsOfKernel(calls, 1).map(([inputs, deltas]) => sumOfOuterProducts(inputs, deltas));
      return [tf.concat(parts, 1)];
    },
  };
}

/** x W + b at every time step. */
function projection(wrapper: Layer, { cell }: RecurrentLayer, parameter: ParameterOf): Operation {
  const [fanIn, fanOut] = cell.kernel.shape as [number, number];
  const matrix = matrixProduct(() => cell.kernel.read() as tf.Tensor2D, fanIn, fanOut);
  const linear = kernelAndBias(wrapper, cell.kernel, cell.bias, parameter, matrix);
  return { ...linear, description: `input of ${wrapper.getClassName()}` };
}

/** Whether nothing but a sequence goes in: no states, and nothing but its output comes out. */
function isPlain(wrapper: Layer, { returnState }: RecurrentLayer): boolean {
  return !returnState && wrapper.inboundNodes.every(({ inputTensors }) => inputTensors.length === 1);
}

/**
 * SimpleRNN, GRU and LSTM: kernel and bias are a dense layer at every time step, and what follows holds its scale fixed.
 * Other cells, and states that come in or go out, go the generic way.
 */
export const recurrent: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as RecurrentLayer;
  const cell = cellOf(layer);
  if (!cell || !isPlain(layer, layer)) {
    return generic(layer, parameter);
  }
  return [projection(layer, layer, parameter), recurrence(layer, layer, cell, parameter)];
};

/**
 * Two operations beside each other, with their outputs joined along the last axis.
 *
 * @param width of the first output.
 * @param inputWidth of what the first takes of the last axis, the second the rest. Default: both take the whole input.
 */
function sideBySide(first: Operation, second: Operation, width: number, inputWidth?: number): Operation {
  const both = [first, second];
  const cut = (x: tf.Tensor, at: number) => tf.split(x, [at, x.shape[x.rank - 1] - at], x.rank - 1);
  const half = (call: RecordedCall, i: number): RecordedCall => ({
    ...call,
    saved: call.saved.slice((i * call.saved.length) / 2, ((i + 1) * call.saved.length) / 2),
  });
  const ofHalf = (calls: readonly CallWithDelta[], i: number) =>
    calls.map((call): CallWithDelta => ({ ...half(call, i), delta: cut(call.delta, width)[i] }));
  return {
    ...first,
    parameters: both.flatMap(({ parameters }) => parameters),
    forward([x], recording, mask) {
      const parts = inputWidth === undefined ? [x, x] : cut(x, inputWidth);
      const found = both.map((each, i) => each.forward([parts[i]], recording, mask));
      return {
        output: tf.concat(
          found.map(({ output }) => output),
          -1,
        ),
        saved: found.flatMap(({ saved }) => saved),
      };
    },
    backward(call, delta, columns) {
      const deltas = cut(delta, width);
      const [a, b] = both.map((each, i) => each.backward(half(call, i), deltas[i], columns)[0]);
      return [inputWidth === undefined ? tf.add(a, b) : tf.concat([a, b], -1)];
    },
    squaredNorms: (calls, columns) => both.flatMap((each, i) => each.squaredNorms?.(ofHalf(calls, i), columns) ?? []),
    gradients: (calls) => both.flatMap((each, i) => each.gradients?.(ofHalf(calls, i)) ?? []),
  };
}

/** A recurrent layer and a copy of it that takes the steps the other way, their outputs joined, added, averaged or multiplied. */
export const bidirectional: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as BidirectionalLayer;
  const { forwardLayer, backwardLayer, mergeMode } = layer;
  const [cell, otherCell] = [forwardLayer, backwardLayer].map(cellOf);
  if (!cell || !otherCell || mergeMode === null || !isPlain(layer, forwardLayer)) {
    return generic(layer, parameter);
  }
  const { units, kernel } = forwardLayer.cell;
  const width = kernel.shape[1] as number;
  const joined = [
    sideBySide(projection(layer, forwardLayer, parameter), projection(layer, backwardLayer, parameter), width),
    sideBySide(
      recurrence(layer, forwardLayer, cell, parameter),
      recurrence(layer, backwardLayer, otherCell, parameter, true),
      units,
      width,
    ),
  ];
  if (mergeMode === 'concat') {
    return joined;
  }
  const merged = ([x]: tf.Tensor[]) => {
    const [a, b] = tf.split(x, 2, x.rank - 1);
    return mergeMode === 'mul' ? tf.mul(a, b) : tf.mul(tf.add(a, b), mergeMode === 'ave' ? 0.5 : 1);
  };
  const properties = { scale: 'pins', piecewiseLinear: mergeMode !== 'mul' } as const;
  return [...joined, throughTfjs(layer, `${mergeMode} of ${layer.getClassName()}`, merged, properties)];
};
