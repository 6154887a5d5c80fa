import * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions } from '../checks.js';
import { perSampleGradients, throughTfjs } from '../network/layers/generic.js';
import type { Operation, Parameter, ParameterRole } from '../network/layers/operation.js';
import type { LossFactor } from '../network/output-hessian.js';
import { scaleSymmetry } from '../symmetry/scale-symmetry.js';
import { variablesReadBy } from '../tfjs/variables-read.js';
import { allVariables, weightOf } from '../tfjs/weights.js';
import { NAMED_SCALES_TRUSTED, NO_SCALES_NAMED } from './assumptions.js';
import { type DatasetInputs, type LabelledInputs, partsOf } from './inputs.js';
import { thisInstant } from './instant.js';
import { cutAtLosses, givenLoss, type LossMultiple, type NamedLoss, planHeads } from './loss.js';
import { lossForm, lossInputs, mayKnowLoss } from './loss-inputs.js';
import { measureBy } from './measure-sharpness.js';
import { tracesOf } from './methods.js';
import { isHutchinson, type MeasureMethod, type MeasureOptions } from './options.js';
import type { SharpnessReading } from './reading.js';
import { batchWeights } from './sample-weights.js';
import type { Subject } from './subject.js';

/** A function of tensors of samples, [N, ...] each, that uses `tf.Variable`s: logits or other outputs, [N, ..., K]. */
export type SampleFunction = (...inputs: tf.Tensor[]) => tf.Tensor;

/**
 * A weight tensor of a function and its place among the scales. A rescaling multiplies the hidden tensors of the function
 * by factors exp(s), one a name; inputs and outputs have s = 0. A kernel between them is multiplied by exp(s_to - s_from), a
 * bias by exp(s_to).
 */
export interface FunctionBlock {
  readonly variable: tf.Variable;
  /** Default `'kernel'`. */
  readonly role?: 'kernel' | 'bias';
  /** The hidden tensor that a kernel is multiplied with; none: the function's input. */
  readonly from?: string;
  /** The hidden tensor that comes out; none: the function's output. */
  readonly to?: string;
}

/** Variables, or blocks by name. */
export type FunctionBlocks = readonly tf.Variable[] | { readonly [name: string]: FunctionBlock };

/** A function and its variables: what {@link measureFunctionSharpness} measures, in one object. */
export interface FunctionOfVariables {
  readonly function: SampleFunction;
  readonly blocks: FunctionBlocks;
}

/** Losses that need to know the activation that a model ends in. */
type AfterActivation = Extract<NamedLoss, `${string}rossentropy`>;

export interface MeasureFunctionOptions
  extends Omit<
    MeasureOptions,
    'loss' | 'lossWeights' | 'countFrozen' | 'sampleWeight' | 'classWeight' | 'labels' | 'method'
  > {
  /** As for `measureSharpness`, without `{ hutchinson }`. */
  readonly method?: Exclude<MeasureMethod, { readonly hutchinson: number }>;
  /**
   * The loss on what the function returns: a named one that does not stand behind an activation, such as `'softmaxCrossEntropy'` or
   * `'meanSquaredError'`, the function of `tf.losses` that computes one, a multiple of one, or a factor.
   */
  readonly loss: Exclude<NamedLoss, AfterActivation> | LossMultiple | LossFactor;
  /** One weight a sample, [N], or a position. */
  readonly sampleWeight?: tf.Tensor | readonly number[] | Float32Array;
  /** Labels in the shape of the output, which count by the sums of their rows, as in `measureSharpness`. */
  readonly labels?: tf.Tensor;
}

/** Every option of `measureFunctionSharpness`. */
export const functionOptionNames = {
  loss: true,
  method: true,
  part: true,
  seed: true,
  memoryMB: true,
  sampleWeight: true,
  labels: true,
  eigenvalues: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof MeasureFunctionOptions, true>;

/** The output of a function, for messages. */
const OUTPUT = 'output';

/**
 * Minimum Sharpness of a function that is not a tf.js model: the Gauss-Newton traces of its variables, and MS where the
 * variables' scales are named.
 *
 *     T_b = (1/N) sum_n sum_r || d(c_{n,r}^T f(x_n)) / d theta_b ||^2
 *
 * Nothing is known of the function, so that it takes one gradient for every sample and column, like a layer without a rule.
 * Rows of its inputs have to be samples that do not see each other.
 *
 * @param f [N, ...] for each input -> [N, K] or [N, ...positions, K]; it is called many times and should be pure.
 * @param blocks the variables whose traces are wanted. As a list: plain traces, `minimumSharpness` is their sum. By name, with
 *   `from` and `to`: MS is minimised over the factors of the hidden tensors so named; that these leave the function unchanged
 *   is taken on trust.
 * @param inputs a tensor, several, { xs, ys, sampleWeight }, or a batched dataset of these.
 * @returns the reading, `exact: false`.
 * @throws Error with one line when variables that the function reads are changed meanwhile; and before anything is computed with
 *   one that says what was wrong and how to mend it.
 *
 * @example
 * const f = (x: tf.Tensor) => tf.matMul(tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, w1), b1)), w2);
 * const reading = await measureFunctionSharpness(
 *   f,
 *   {
 *     w1: { variable: w1, to: 'hidden' },
 *     b1: { variable: b1, role: 'bias', to: 'hidden' },
 *     w2: { variable: w2, from: 'hidden' },
 *   },
 *   xTrain,
 *   { loss: 'softmaxCrossEntropy' },
 * );
 */
export async function measureFunctionSharpness(
  f: SampleFunction,
  blocks: FunctionBlocks,
  inputs: tf.Tensor | readonly tf.Tensor[] | LabelledInputs | DatasetInputs,
  options: MeasureFunctionOptions,
): Promise<SharpnessReading> {
  checkKnownOptions('measureFunctionSharpness', options, functionOptionNames);
  const makeSubject = () => subjectOfFunction(f, blocks, inputs, options);
  return measureBy((task) => tracesOf(task, options.method), { makeSubject, inputs, options: options ?? {} });
}

/** Whether this is, or is meant to be, a function with its variables, rather than a model. */
export function isFunctionOfVariables(given: unknown): given is FunctionOfVariables {
  return (
    typeof given === 'object' && given !== null && (Object.hasOwn(given, 'function') || Object.hasOwn(given, 'blocks'))
  );
}

const functionOfVariables = { function: true, blocks: true } satisfies Record<keyof FunctionOfVariables, true>;

/** @throws Error with one line for what can be known to be wrong before there are inputs. */
export function checkFunctionOfVariables(given: FunctionOfVariables, options: MeasureFunctionOptions): void {
  checkKnownOptions('{ function, blocks }', given, functionOfVariables);
  if (typeof given.function !== 'function') {
    throw new Error('function must be a function of tensors, for example (x) => logits.');
  }
  checkLossAndMethod(options);
  namedBlocks(given.blocks);
}

/** @throws Error with one line without a loss, and for a method that functions do not have. */
function checkLossAndMethod(options: MeasureFunctionOptions): void {
  if (options?.loss === undefined) {
    throw new Error("A function has no compiled loss: pass loss, for example { loss: 'softmaxCrossEntropy' }.");
  }
  if (isHutchinson(options.method)) {
    throw new Error("method: { hutchinson } is for models. Pass 'exact', { pairs: 256 } or { tolerance: 0.01 }.");
  }
}

function subjectOfFunction(
  f: SampleFunction,
  blocks: FunctionBlocks,
  inputs: unknown,
  options: MeasureFunctionOptions,
): Subject {
  if (typeof f !== 'function') {
    throw new Error('The first argument must be a function of tensors, for example (x) => logits.');
  }
  checkLossAndMethod(options);
  const named = namedBlocks(blocks);
  const owner = { name: f.name || 'function', getClassName: () => 'Function' };
  const parameters = named.map(
    ([name, { variable, role, from, to }]): Parameter => ({
      name,
      layer: owner,
      variable: weightOf(name, variable),
      role: Array.isArray(blocks) ? 'fixed' : ((role ?? 'kernel') satisfies ParameterRole),
      from,
      to,
      trainable: true,
    }),
  );
  const atOneInstant = readingOneInstant();
  const call = (given: tf.Tensor[]) => {
    const output: unknown = atOneInstant(() => f(...given));
    if (!(output instanceof tf.Tensor)) {
      throw new Error(`it returned a ${typeof output}, not a tensor: return outputs, one row a sample.`);
    }
    if (output.rank < 2) {
      throw new Error(
        `it returned a tensor of shape [${output.shape}]: return [samples, K] or [samples, ...positions, K].`,
      );
    }
    return output;
  };
  const operation: Operation = {
    ...throughTfjs(owner, 'function', call, { scale: {}, piecewiseLinear: false }),
    parameters,
    ...perSampleGradients(call, parameters, () => {
      throw new Error(
        'for a sample its output depends on none of the variables, or not by operations of tf.js: use them inside of the function, ' +
          'and let no dataSync stand between.',
      );
    }),
  };
  const { xs } = partsOf(inputs, []);
  const count = Array.isArray(xs) ? xs.length : 1;
  const places = Array.from({ length: count }, (_, i) => i);
  const whole = { inputs: places, outputs: [count], steps: [{ operation, inputs: places, output: count }] };
  const plans = planHeads([OUTPUT], [givenLoss(options.loss)], undefined);
  const form = lossForm(inputs, [], options);
  const weights = batchWeights(plans, [OUTPUT], [], form.sampleWeight, undefined);
  // Nothing is known of the shape: closed forms of a last layer are not to be had anyway.
  const { graph, heads } = cutAtLosses(whole, plans, [[null, null]], {
    weights: weights.has,
    rowSums: form.labels,
    value: form.labels,
  });
  const ofLoss = lossInputs(plans, heads, [OUTPUT], weights);
  return {
    source: f,
    graph,
    heads,
    symmetry: scaleSymmetry(whole),
    weights: parameters.map(({ variable }) => variable),
    inputNames: places.map((place) => `${place}`),
    item: (given) => {
      const { xs, ys, sampleWeight } = partsOf(given, []);
      return { inputs: checkedInputs(xs, count), labels: ys, sampleWeight };
    },
    lossInputs: (batch, given) => {
      // The shape of an output shows when the function runs.
      const shape = given.labels === undefined ? [] : shapeOfOutput(call, batch);
      return ofLoss.of(batch[0].shape[0], given, [shape]);
    },
    weightings: ofLoss.weightings,
    rows: ofLoss.rows,
    withLoss: heads.every(mayKnowLoss),
    knowsLoss: ofLoss.knowsLoss,
    assumptions: [Array.isArray(blocks) ? NO_SCALES_NAMED : NAMED_SCALES_TRUSTED],
  };
}

/**
 * Runs a function, again and again, that reads the same variables each time: those among the blocks, and perhaps others.
 *
 * @throws Error with one line, where it is run, once one of them has other values than now.
 */
function readingOneInstant(): <T>(run: () => T) => T {
  const checks = new Map(allVariables().map((each) => [each, thisInstant([weightOf(each.name, each)])]));
  let ofThoseRead: (() => void)[] | undefined;
  return (run) => {
    const { value, variables } = ofThoseRead ? { value: run(), variables: [] } : variablesReadBy(run);
    ofThoseRead ??= variables.flatMap((each) => checks.get(each) ?? []);
    for (const check of ofThoseRead) {
      check();
    }
    return value;
  };
}

/** The shape that a function gives to its output, from one sample. */
function shapeOfOutput(call: (given: tf.Tensor[]) => tf.Tensor, inputs: readonly tf.Tensor[]): (number | null)[] {
  let ofSample: number[] = [];
  tf.tidy(() => {
    [, ...ofSample] = call(inputs.map((x) => tf.slice(x, 0, 1))).shape;
  });
  return [null, ...ofSample];
}

const blockOptions = { variable: true, role: true, from: true, to: true } satisfies Record<keyof FunctionBlock, true>;

/** @throws Error with one line unless these are variables of numbers that are there, each named once, or blocks with one each. */
function namedBlocks(blocks: FunctionBlocks): [string, FunctionBlock][] {
  const isVariable = (value: unknown): value is tf.Variable => value instanceof tf.Variable;
  const named: [string, FunctionBlock][] = Array.isArray(blocks)
    ? blocks.map((variable, i) => [isVariable(variable) ? variable.name : `${i}`, { variable }])
    : Object.entries(blocks ?? {});
  if (named.length === 0) {
    throw new Error(
      'No variables are given: pass those whose sharpness is wanted, a list of tf.Variable or blocks by name.',
    );
  }
  const seen = new Map<tf.Variable, string>();
  for (const [name, block] of named) {
    if (!isVariable(block?.variable)) {
      throw new Error(`Block '${name}' is not a tf.Variable: make it with tf.variable(initialValue).`);
    }
    const { variable } = block;
    if (variable.isDisposed) {
      throw new Error(`Block '${name}' is a disposed variable: keep it until the measurement is over.`);
    }
    if (variable.dtype !== 'float32') {
      throw new Error(`Block '${name}' has dtype '${variable.dtype}', which no training moves: leave it out.`);
    }
    const other = seen.get(variable);
    if (other !== undefined) {
      throw new Error(`Blocks '${other}' and '${name}' are the same tf.Variable: name it once.`);
    }
    seen.set(variable, name);
    checkKnownOptions(`Block '${name}'`, block, blockOptions);
    if (block.role !== undefined && block.role !== 'kernel' && block.role !== 'bias') {
      throw new Error(`Block '${name}': role is '${block.role}', but it must be 'kernel' or 'bias'.`);
    }
    if (block.role === 'bias' && block.from !== undefined) {
      throw new Error(`Block '${name}' is a bias, which has no from: it is added to what comes out, named by to.`);
    }
  }
  checkScaleNames(named.map(([, block]) => block));
  return named;
}

/** A hidden tensor comes out of one kernel and goes into another; one that does not is a slip, and leaves MS 0. */
function checkScaleNames(blocks: readonly FunctionBlock[]): void {
  const [from, to] = [blocks.map((block) => block.from), blocks.map((block) => block.to)];
  for (const [names, others, side, other] of [
    [to, from, 'to', 'from'],
    [from, to, 'from', 'to'],
  ] as const) {
    const alone = names.find((name) => name !== undefined && !others.includes(name));
    if (alone !== undefined) {
      throw new Error(`Scale '${alone}' is only ever a ${side}: some block has to take it as its ${other}.`);
    }
  }
}

function checkedInputs(given: unknown, count: number): tf.Tensor[] {
  const list = given instanceof tf.Tensor ? [given] : given;
  if (!Array.isArray(list) || list.length !== count || !list.every((each) => each instanceof tf.Tensor)) {
    throw new Error('inputs must be a tensor, an array of tensors, or a dataset that yields one tensor a batch.');
  }
  const [{ shape }] = list as tf.Tensor[];
  if (list.some((each) => each.isDisposed || each.rank === 0 || each.shape[0] !== shape[0]) || shape[0] === 0) {
    throw new Error('inputs need the samples in their first axis, at least one, the same number in each.');
  }
  return list;
}
