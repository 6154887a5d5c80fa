import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { Weight } from '../../tfjs/weights.js';
import { lineOf } from '../../warnings.js';
import type { Sensitivity } from './sensitivity.js';

export type Layer = layers.Layer;

/** What owns weights and computes something: a layer, or a function of the user's. */
export interface Owner {
  readonly name: string;
  getClassName(): string;
}

/**
 * How a weight tensor's gradient scales when the function is kept and the tensors around its layer are rescaled by
 * exp(s_in) and exp(s_out).
 *
 * - `kernel`: multiplies the layer's input; its trace scales as exp(-2 (s_out - s_in)).
 * - `bias`: is added to the layer's output; its trace scales as exp(-2 s_out).
 * - `fixed`: takes no part in the rescaling; its trace does not change.
 */
export type ParameterRole = 'kernel' | 'bias' | 'fixed';

/**
 * The place of a weight tensor among tensors whose scales have names. Multiplied by exp(s), one s a name, and 0 where there is
 * none, a rescaling multiplies a kernel by exp(s_to - s_from) and a bias by exp(s_to).
 */
export interface NamedPlace {
  /** The tensor that a kernel is multiplied with. */
  readonly from?: string;
  /** The tensor that comes out, or that a bias is added to. */
  readonly to?: string;
}

/** One weight tensor of a layer. */
export interface Parameter extends NamedPlace {
  /** `Variable.originalName`, with a number where a layer has several weights of one name. */
  readonly name: string;
  readonly layer: Owner;
  readonly variable: Weight;
  readonly role: ParameterRole;
  /** False for weights that training leaves alone: they have no trace, and their scale cannot move. */
  readonly trainable: boolean;
}

/**
 * What an operation does to the scales of its inputs and its output.
 *
 * - `ties`: positively homogeneous of degree 1 in all inputs together (ReLU, pooling, add, concatenate): all share one s.
 * - `adds`: homogeneous of degree 1 in each input (multiply, dot): s_out is the sum of the inputs' s.
 * - `pins`: not homogeneous (tanh, softmax, ReLU6): s = 0 on all sides.
 * - `resets`: unchanged when an input is multiplied by a positive number (layer normalization, cosine): each s_in is free,
 *   s_out = 0.
 * - `affine`: linear in the input and in its weights: s_out - s_in may be anything that its parameters allow.
 * - names, where several kernels work inside of one operation.
 */
export type ScaleBehaviour = 'ties' | 'adds' | 'pins' | 'resets' | 'affine' | NamedScales;

/**
 * The scales of an operation's inputs, of its output and of tensors inside of it, by names that its parameters use too (`from`,
 * `to`). The names are the operation's own.
 */
export interface NamedScales {
  /** A name for each input, in their order; an input without one has s = 0. */
  readonly inputs?: readonly (string | undefined)[];
  /** Without a name, the output has s = 0. */
  readonly output?: string;
  /**
   * What the scales have to obey, as powers: `{ query: 1, key: 1 }` says that the product of the two is 1, s_query + s_key = 0.
   * Without rules all of them are free.
   */
  readonly rules?: readonly Readonly<Record<string, number>>[];
}

/**
 * How the gradient of a squared norm goes back through an operation, that is, through its `forward`, `backward` and
 * `squaredNorms` (see `differentiable.ts`).
 *
 * - `linear`: linear in its one input, with no weights and nothing saved: `forward` and `backward` are each other's transpose.
 * - `selects`: piecewise linear without weights; what is saved says which piece, and a small step does not change it (ReLU, max
 *   pooling). `backward` is made of tf.js operations whose gradients are right.
 * - `smooth`: all three are made of tf.js operations whose gradients are right.
 */
export type Differentiable = 'linear' | 'selects' | 'smooth';

/** What the forward pass of one operation yields. */
export interface Forward {
  readonly output: Tensor;
  /** Tensors that `backward` and `squaredNorms` will need, with the samples in the first axis. */
  readonly saved: Tensor[];
}

/** One call of an operation on a chunk of N samples, as the tape keeps it. */
export interface RecordedCall {
  readonly saved: Tensor[];
  /** The mask that the operation used, where there was one, [N, ...]. */
  readonly mask?: Tensor;
  /** Shapes of the call's inputs, the batch axis (N) first. */
  readonly inputShapes: readonly (readonly number[])[];
}

/**
 * What the gradients of one weight tensor are made of, row by row of N rows with one column each: G_n = sum_t a_nt d_nt^T over the
 * positions t = 1..P.
 */
export interface OuterProducts {
  /** a, [N, P, F]; or tokens, [N, P], each of which stands for a row of the unit matrix; absent: a = 1. */
  readonly inputs?: Tensor3D | { readonly tokens: Tensor };
  /** d, [N, P, O]. */
  readonly deltas: Tensor3D;
}

/** A recorded call with the delta that reached its output. */
export interface CallWithDelta extends RecordedCall {
  readonly delta: Tensor;
  /** Takes sum_r ||d_r||^2 of each sample, [N], from an operation that says `factorsNorms`. */
  readonly seeDeltaNorm?: (norm: Tensor) => void;
}

/** What an operation does with the deltas of vectors whose columns have an axis of their own, [R, N, F]. */
export interface ByColumn {
  /** Delta of the output -> delta of its one input. */
  backward(call: RecordedCall, delta: Tensor3D): Tensor3D;
  /**
   * Of one call, in the order of `parameters`.
   *
   * @param seeDeltaNorm as that of `CallWithDelta`.
   */
  squaredNorms?(call: RecordedCall, delta: Tensor3D, seeDeltaNorm?: (norm: Tensor) => void): (Tensor | null)[];
}

/**
 * One elementary step of a network: a layer without its activation, or an activation.
 *
 * N is the number of samples in a chunk and R the number of columns of the output Hessian's factor that travel together.
 * A delta is d(c_{n,r}^T z_n) / d(tensor), stacked column by column: [R * N, ...shape of the tensor].
 * Every method runs inside a `tf.tidy` of the caller's.
 */
export interface Operation {
  readonly layer: Owner;
  /** For messages: what this is, for example `'Conv2D'` or `'tanh activation'`. */
  readonly description: string;
  /** Name of the activation function where the operation is one (`'softmax'`, `'relu'`, ...). */
  readonly activation?: string;
  readonly scale: ScaleBehaviour;
  /** Whether `scale` says so for want of knowledge: scale may then move that Minimum Sharpness holds fixed. */
  readonly scaleUnknown?: boolean;
  /** Whether the output is piecewise linear in the inputs, so that Gauss-Newton and Hessian traces agree. */
  readonly piecewiseLinear: boolean;
  /** Whether it is the same non-decreasing function for every element. Piecewise linear ones only: no rounding makes new ties. */
  readonly monotone?: boolean;
  /** Whether every element of the output is the largest of some elements of its one input, as in max pooling. */
  readonly takesMaxima?: boolean;
  /**
   * This and then an elementwise piecewise linear operation, as one operation whose backward pass costs no more than this one's
   * alone. Only for `forward` and `backward`.
   */
  before?(elementwise: Operation): Operation;
  /** The same where one column travels, in fewer launches. */
  readonly singly?: Pick<Operation, 'forward' | 'backward'>;
  readonly parameters: readonly Parameter[];
  /**
   * Those of them that are matrices which the input is multiplied with, [...taps, in, out], the taps of a convolution: what normalized sharpness
   * is a sum over.
   */
  readonly matrices?: readonly Parameter[];
  /**
   * Whether `squaredNorms` and `gradients` take the delta of the first input in place of that of the output: what its weights are
   * multiplied with is added there, as in a recurrence.
   */
  readonly leavesAtInput?: boolean;
  /** Whether its weights take one gradient for every sample and column, which is slow. */
  readonly oneByOne?: boolean;
  /** How gradients of Minimum Sharpness pass. Absent: they do not, and who needs them refuses the layer. */
  readonly differentiable?: Differentiable;
  /**
   * Untrained numbers that are subtracted from the input, such as a moving mean: a rescaling that keeps the function
   * multiplies them by exp(s_in).
   */
  readonly inputStatistics?: readonly Weight[];
  /**
   * @param recording false when nothing of `saved` will be used: it may then be empty. Default true.
   * @param mask the mask of the first input, where a layer before has made one and the operation says `usesMask`.
   */
  forward(inputs: Tensor[], recording?: boolean, mask?: Tensor): Forward;
  /** Whether the mask of the first input changes the output, as in a recurrent layer. */
  readonly usesMask?: boolean;
  /** Whether several outputs of the layer come side by side in one tensor (`packOutputs`). */
  readonly packsOutputs?: boolean;
  /** Delta of the output -> delta of each input. */
  backward(call: RecordedCall, delta: Tensor, columns: number): Tensor[];
  /**
   * Sum over columns of the squared gradient norm of each trainable parameter, [N] each, in the order of `parameters`
   * (null for those that are frozen). A layer that is called several times gets all its calls at once, since their
   * gradients add up before they are squared. Present wherever `parameters` is not empty.
   */
  squaredNorms?(calls: readonly CallWithDelta[], columns: number): (Tensor | null)[];
  /**
   * The same where input and output are vectors, in fewer launches: to most operations the columns are samples, and a change of
   * shape is a launch where backends cannot share memory between tensors. Present where it has some.
   */
  readonly byColumn?: ByColumn;
  /**
   * Whether its squared norms come as products with a norm of the delta that no bias shows: that may leave the range of float32
   * where the product does not.
   */
  readonly factorsNorms?: boolean;
  /** Gradients that are linear in something saved, and the only ones that depend on it: what can be scaled for their sake. */
  readonly linearIn?: readonly { readonly saved: number; readonly parameter: Parameter }[];
  /**
   * Gradient of each trainable parameter for one column, summed over the samples and the calls, in the order of
   * `parameters` (null for those that are frozen). Absent where tf.js is to differentiate `forward`.
   */
  gradients?(calls: readonly CallWithDelta[]): (Tensor | null)[];
  /**
   * What the gradient of each trainable parameter is made of for one column a sample, over all the calls, in the order of `parameters`
   * (null for those that are frozen): scalar products of gradients come from it (`gram.ts`). Several of them are parts of the weight
   * tensor that have no element in common. Absent: they come from squared norms of sums, which is slow.
   */
  outerProducts?(calls: readonly CallWithDelta[]): (readonly OuterProducts[] | null)[];
  /**
   * The linear piece of the function that a recorded call stood on, continued to other inputs: y_0 + D_0 (x - x_0). Present
   * where the output is piecewise linear in the inputs, but not linear.
   *
   * @param recorded inputs of the recorded call, x_0.
   */
  onPieceOf?(call: RecordedCall, recorded: readonly Tensor[], inputs: readonly Tensor[]): Tensor;
  /** How sensitivities to the weights go forward through it. Absent: by random signs (`byRandomSigns`). */
  readonly sensitivity?: Sensitivity;
  /**
   * The same for one sample whose output is a vector, where ||a||^2 of the input and sum_r ||d_r||^2 say it all, one number
   * a parameter. Present for dense layers only.
   */
  squaredNormsOfVector?(inputNorm: number, deltaNorm: number): number[];
}

/**
 * Runs one method of an operation.
 *
 * @throws Error with one line that names the layer where tf.js cannot do it, for example for want of a gradient.
 */
export function inLayer<T>({ layer, description }: Operation, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`Layer '${layer.name}' (${description}) cannot be measured: ${lineOf(error)}`, { cause: error });
  }
}
