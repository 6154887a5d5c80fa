import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { asWritten, checkBoolean, checkKnownOptions, checkNumber, checkOneOf } from '../checks.js';
import { type Graph, reaching, type Step, unfold } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { maskedLogits } from '../network/layers/activation.js';
import type { Layer } from '../network/layers/operation.js';
import {
  hessianOfFactor,
  type LossFactor,
  type LossName,
  type OutputHessian,
  outputHessians,
} from '../network/output-hessian.js';
import { callsOf, outputNames } from '../tfjs/model-graph.js';

const otherNames = {
  categorical_crossentropy: 'categoricalCrossentropy',
  sparse_categorical_crossentropy: 'sparseCategoricalCrossentropy',
  binary_crossentropy: 'binaryCrossentropy',
  mean_squared_error: 'meanSquaredError',
  mse: 'meanSquaredError',
  MSE: 'meanSquaredError',
  mean_absolute_error: 'meanAbsoluteError',
  mae: 'meanAbsoluteError',
  MAE: 'meanAbsoluteError',
  absoluteDifference: 'meanAbsoluteError',
  mean_absolute_percentage_error: 'meanAbsolutePercentageError',
  mape: 'meanAbsolutePercentageError',
  MAPE: 'meanAbsolutePercentageError',
  mean_squared_logarithmic_error: 'meanSquaredLogarithmicError',
  msle: 'meanSquaredLogarithmicError',
  MSLE: 'meanSquaredLogarithmicError',
  squared_hinge: 'squaredHinge',
  categorical_hinge: 'categoricalHinge',
  log_cosh: 'logcosh',
  kullback_leibler_divergence: 'kullbackLeiblerDivergence',
  kl_divergence: 'kullbackLeiblerDivergence',
  kld: 'kullbackLeiblerDivergence',
  KLD: 'kullbackLeiblerDivergence',
  cosine_proximity: 'cosineProximity',
  cosine_similarity: 'cosineProximity',
  cosine: 'cosineProximity',
  huber: 'huberLoss',
  huber_loss: 'huberLoss',
} as const satisfies Readonly<Record<string, LossName>>;

/** What Keras and others call some of the losses, in the files of models too. */
export type KerasLossName = keyof typeof otherNames;

/** A loss as users name it: by tf.js' name, by Keras', or by the function of `tf.losses` or `tf.metrics` that computes it. */
export type NamedLoss = LossName | KerasLossName | ((labels: never, outputs: never) => tf.Tensor);

/** A constant times a named loss. */
export interface LossMultiple {
  readonly loss: NamedLoss;
  /** The constant, above 0. */
  readonly factor: number;
}

/** A loss: its name, a multiple of it, or the factor of its output Hessian. */
export type Loss = NamedLoss | LossMultiple | LossFactor;

/** The loss of one output, as it is measured. */
export interface OutputLoss {
  readonly loss: LossName | LossFactor;
  /** A constant that it is multiplied by. */
  readonly multiple: number;
}

/** One loss for every output, or one for each of the outputs, in their order or by name. */
export type Losses = Loss | readonly Loss[] | { readonly [output: string]: Loss };

/** Weights of the outputs in the whole loss, in their order or by name. */
export type LossWeights = readonly number[] | { readonly [output: string]: number };

/** For messages: those that most networks are trained by, since all would be a page. */
const known =
  "'categoricalCrossentropy', 'sparseCategoricalCrossentropy', 'binaryCrossentropy', 'meanSquaredError', 'softmaxCrossEntropy', " +
  "'sigmoidCrossEntropy', or another loss of tf.js";

/** Functions that compute a loss, in `model.compile` or as an option; they are known by identity. */
const lossFunctions = new Map<unknown, LossName>([
  [tf.losses.softmaxCrossEntropy, 'softmaxCrossEntropy'],
  [tf.losses.sigmoidCrossEntropy, 'sigmoidCrossEntropy'],
  [tf.losses.meanSquaredError, 'meanSquaredError'],
  [tfl.metrics.meanSquaredError, 'meanSquaredError'],
  [tfl.metrics.MSE, 'meanSquaredError'],
  [tfl.metrics.mse, 'meanSquaredError'],
  [tfl.metrics.categoricalCrossentropy, 'categoricalCrossentropy'],
  [tfl.metrics.binaryCrossentropy, 'binaryCrossentropy'],
  [tfl.metrics.meanAbsoluteError, 'meanAbsoluteError'],
  [tfl.metrics.meanAbsolutePercentageError, 'meanAbsolutePercentageError'],
  [tfl.metrics.MAPE, 'meanAbsolutePercentageError'],
  [tfl.metrics.mape, 'meanAbsolutePercentageError'],
  [tfl.metrics.cosineProximity, 'cosineProximity'],
  [tf.losses.absoluteDifference, 'meanAbsoluteError'],
  [tf.losses.huberLoss, 'huberLoss'],
  [tf.losses.logLoss, 'logLoss'],
  [tf.losses.hingeLoss, 'hingeLoss'],
  [tf.losses.cosineDistance, 'cosineDistance'],
]);

/** The loss that a name or a function means; undefined where it means none that is known. */
export function lossNameOf(loss: unknown): LossName | undefined {
  if (typeof loss === 'function') {
    return lossFunctions.get(loss);
  }
  if (typeof loss !== 'string') {
    return undefined;
  }
  if (Object.hasOwn(otherNames, loss)) {
    return otherNames[loss as KerasLossName];
  }
  return Object.hasOwn(outputHessians, loss) ? (loss as LossName) : undefined;
}

/** What is said of functions whose curvature is not known. */
function strangerIn(what: string, loss: unknown): string {
  return loss === tf.losses.computeWeightedLoss
    ? `${what} tf.losses.computeWeightedLoss, which weighs losses and is none: pass the loss, and its weights as sampleWeight.`
    : `${what} a function of your own. If it is one of these, pass its name: ${known}; if a multiple, { loss, factor }; ` +
        'else a factor of its output Hessian.';
}

const factorOptions = {
  activation: true,
  needsLabels: true,
  value: true,
  columns: true,
  factor: true,
  gradient: true,
} satisfies Record<keyof LossFactor, true>;

function isFactor(loss: unknown): loss is LossFactor {
  return typeof loss === 'object' && loss !== null && typeof (loss as LossFactor).factor === 'function';
}

const multipleOptions = { loss: true, factor: true } satisfies Record<keyof LossMultiple, true>;

function isMultiple(loss: unknown): loss is LossMultiple {
  return typeof loss === 'object' && loss !== null && Object.hasOwn(loss, 'loss') && Object.hasOwn(loss, 'factor');
}

/** @throws Error with one line unless `loss` is one that `measureSharpness` takes: one, several, or by output. */
export function checkLoss(loss: unknown): asserts loss is Losses {
  if (isMultiple(loss)) {
    checkKnownOptions('loss', loss, multipleOptions);
    checkNumber('loss: factor', loss.factor, { above: 0 });
    checkOne(loss.loss);
    return;
  }
  if (isFactor(loss)) {
    if (typeof loss.columns !== 'function') {
      throw new Error('loss: a factor of the output Hessian comes with columns: (outputs) => number of its columns.');
    }
    // An object of a class may have fields of its own.
    if (Object.getPrototypeOf(loss) === Object.prototype) {
      checkKnownOptions('loss', loss, factorOptions);
    }
    if (loss.activation !== undefined && loss.activation !== null) {
      checkOneOf('loss: activation', loss.activation, ['softmax', 'sigmoid']);
    }
    if (loss.needsLabels !== undefined) {
      checkBoolean('loss: needsLabels', loss.needsLabels);
    }
    return;
  }
  if (typeof loss === 'object' && loss !== null) {
    const several = Object.values(loss);
    if (several.length === 0) {
      throw new Error('loss: none is given. Pass one for each output.');
    }
    for (const each of several) {
      if (isFactor(each) || isMultiple(each)) {
        checkLoss(each);
      } else {
        checkOne(each);
      }
    }
    return;
  }
  checkOne(loss);
}

function checkOne(loss: unknown): void {
  if (typeof loss === 'function' && !lossNameOf(loss)) {
    throw new Error(strangerIn('loss:', loss));
  }
  if (!lossNameOf(loss)) {
    throw new Error(`loss: ${asWritten(loss)} is not known. Pass one of ${known}.`);
  }
}

/** @throws Error with one line unless every weight is a finite number of at least 0, and one is above. */
export function checkLossWeights(weights: unknown): asserts weights is LossWeights {
  const values = typeof weights === 'object' && weights !== null ? Object.values(weights) : [];
  if (
    values.length === 0 ||
    !values.every((each) => Number.isFinite(each) && each >= 0) ||
    !values.some((w) => w > 0)
  ) {
    throw new Error(
      `lossWeights: ${asWritten(weights)} is not a list of weights: pass one number of at least 0 for each output, ` +
        'not all 0, for example [1, 0.5] or { main: 1, aux: 0.5 }.',
    );
  }
}

/** A loss of the model's `compile`. */
function compiledLoss(loss: unknown): OutputLoss {
  if (loss === tf.losses.cosineDistance) {
    throw new Error(
      'tf.losses.cosineDistance, compiled as it is, has no axis and adds up over the whole batch: compile ' +
        "(y, p) => tf.losses.cosineDistance(y, p, 1), and pass loss: 'cosineDistance'.",
    );
  }
  const name = lossNameOf(loss);
  if (name) {
    return { loss: name, multiple: 1 };
  }
  if (typeof loss === 'function') {
    throw new Error(strangerIn("The model's loss is", loss));
  }
  throw new Error(`The model's loss '${loss}' cannot be measured: sharpness is known for ${known}.`);
}

/** A loss of the options, which have been checked. */
export function givenLoss(loss: Loss): OutputLoss {
  return isMultiple(loss)
    ? { loss: lossNameOf(loss.loss) as LossName, multiple: loss.factor }
    : { loss: lossNameOf(loss) ?? (loss as LossFactor), multiple: 1 };
}

/**
 * The losses to measure, one for each output of the model: those given, or those that it was compiled with. Undefined for
 * an output that a `loss` by name leaves out.
 *
 * @throws Error with one line that says which `loss` to pass when the model has none that is known, or not one for each output.
 */
export function lossesOf(model: tfl.LayersModel, given?: Losses): (OutputLoss | undefined)[] {
  const names = outputNames(model);
  if (given !== undefined) {
    checkLoss(given);
    return lossOfEach(given, names).map((each) => each && givenLoss(each));
  }
  const { loss } = model;
  if (loss === undefined || loss === null) {
    throw new Error(`The model is not compiled, so its loss is not known. Compile it or pass loss: one of ${known}.`);
  }
  if (typeof loss !== 'object') {
    return names.map(() => compiledLoss(loss));
  }
  return forEachOutput("The model's loss", loss as readonly unknown[], names).map((each) =>
    each === undefined || each === null ? undefined : compiledLoss(each),
  );
}

/** Losses in the order of the outputs; undefined where a name is left out. */
export function lossOfEach(losses: Losses, names: readonly string[]): (Loss | undefined)[] {
  return typeof losses !== 'object' || isFactor(losses) || isMultiple(losses)
    ? names.map(() => losses as Loss)
    : forEachOutput('loss', losses as readonly Loss[], names);
}

/** Values in the order of the outputs, given in that order or by name; undefined where a name is left out. */
export function forEachOutput<T>(
  what: string,
  values: readonly T[] | { readonly [output: string]: T },
  names: readonly string[],
): (T | undefined)[] {
  if (Array.isArray(values)) {
    if (values.length !== names.length) {
      throw new Error(
        `${what}: ${values.length} are given for ${names.length} outputs (${names.join(', ')}): give one for each.`,
      );
    }
    return [...values];
  }
  const byName = values as { readonly [output: string]: T };
  const stranger = Object.keys(byName).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new Error(`${what}: the model has no output '${stranger}', only ${names.join(', ')}.`);
  }
  return names.map((name) => (Object.hasOwn(byName, name) ? byName[name] : undefined));
}

/**
 * Whether a step only moves the entries of its input about, the K outputs of a softmax together: what follows it may as well
 * come before.
 */
function onlyMoves({ operation: { layer, description } }: Step, activation: string): boolean {
  const { dims } = layer as Layer & { dims?: number[] };
  if (activation !== 'softmax') {
    return ['Reshape', 'Flatten', 'Permute'].includes(description);
  }
  if (description === 'Permute') {
    return dims?.at(-1) === dims?.length;
  }
  if (description !== 'Reshape') {
    return false;
  }
  const [{ inputs, outputs }] = callsOf(layer as Layer);
  return inputs[0].shape.at(-1) === outputs[0].shape.at(-1);
}

/** Where a loss takes z, and the steps that bring it into the shape of the output. */
interface Cut {
  readonly tensor: number;
  readonly hessian: OutputHessian;
  readonly steps: readonly Step[];
}

/**
 * Finds where the loss takes z: before a last softmax or sigmoid that belongs to it. A reshape
 * behind that takes its place before it.
 *
 * @param tensor the model's output.
 * @param number gives a tensor its number.
 * @throws Error with one line when the loss and the last activation do not belong together.
 */
function cutOne(graph: Graph, tensor: number, loss: LossName | LossFactor, number: () => number): Cut {
  const given = typeof loss === 'string' ? outputHessians[loss] : hessianOfFactor(loss);
  const hessian =
    activations
      .map((each) => endOf(graph, tensor, each).last?.activation === each && given.after?.[each])
      .find(Boolean) || given;
  const { last, step, moves } = endOf(graph, tensor, hessian.activation ?? hessian.refusedActivations?.[0]);
  const end = last?.activation ? `'${last.activation}'` : 'no activation';
  const place = last ? ` (layer '${last.layer.name}')` : '';
  const name = typeof loss === 'string' ? `'${loss}'` : 'of your own';
  if (hessian.refusedActivations?.includes(last?.activation ?? '')) {
    const fitting = last?.activation === 'sigmoid' ? 'binaryCrossentropy' : 'categoricalCrossentropy';
    throw new Error(
      `Loss ${name} expects logits, but the model ends in ${end}${place}, so that training applies it twice: end the model without ` +
        `an activation, or train it with '${fitting}', another loss, which loss: '${fitting}' measures.`,
    );
  }
  if (hessian.activation === null) {
    return { tensor, hessian, steps: [] };
  }
  if (!step || last?.activation !== hessian.activation) {
    const onLogits = hessian.activation === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    throw new Error(
      `Loss ${name} belongs to a model that ends in '${hessian.activation}', but this one ends in ${end}${place}: ` +
        `change one of them; for a model that puts out logits pass loss: '${onLogits}'.`,
    );
  }
  let [z] = step.inputs;
  const added = [
    ...(step.mask === undefined ? [] : [{ operation: maskedLogits(step.operation.layer), mask: step.mask }]),
    ...moves,
  ];
  const steps = added.map(({ operation, mask }): Step => {
    const moved = { operation, inputs: [z], ...(mask !== undefined && { mask }), output: number() };
    z = moved.output;
    return moved;
  });
  return { tensor: z, hessian, steps };
}

const activations = ['softmax', 'sigmoid'] as const;

/** Which of the two each output of a model ends in, undefined for another activation or none. */
export function lastActivations(model: tfl.LayersModel): ((typeof activations)[number] | undefined)[] {
  const graph = unfold(model, { countFrozen: true });
  return graph.outputs.map((tensor) =>
    activations.find((each) => endOf(graph, tensor, each).last?.activation === each),
  );
}

/** The step that a graph ends with, but for those that only move what an activation puts out. */
function endOf(graph: Graph, tensor: number, activation: string | undefined) {
  const stepOf = (wanted: number) => graph.steps.find(({ output }) => output === wanted);
  const moves: Step[] = [];
  let step = stepOf(tensor);
  while (activation && step && onlyMoves(step, activation)) {
    moves.unshift(step);
    step = stepOf(step.inputs[0]);
  }
  return { step, last: step?.operation, moves };
}

/** Which of the outputs have a loss of their own, and how much it counts. */
export interface HeadPlan {
  readonly name: string;
  readonly loss: LossName | LossFactor;
  readonly lossWeight: number;
  /** Place among the model's outputs. */
  readonly place: number;
}

/** @throws Error with one line when no output has a loss that counts. */
export function planHeads(
  names: readonly string[],
  losses: readonly (OutputLoss | undefined)[],
  lossWeights: LossWeights | undefined,
): HeadPlan[] {
  const weights = lossWeights === undefined ? names.map(() => 1) : forEachOutput('lossWeights', lossWeights, names);
  const plans = names.flatMap((name, place) => {
    const [found, lossWeight] = [losses[place], weights[place] ?? 1];
    return found === undefined || lossWeight === 0
      ? []
      : [{ name, loss: found.loss, lossWeight: lossWeight * found.multiple, place }];
  });
  if (plans.length === 0) {
    throw new Error(`No output has a loss that counts: give at least one of ${names.join(', ')} a loss and a weight.`);
  }
  return plans;
}

/** What the loss of each head reads besides z. */
export interface LossReads {
  /** Whether a head has weights of samples or positions. */
  weights(plan: HeadPlan): boolean;
  /** Whether sums of rows of labels are read where they count (`OutputHessian.byRowSum`). */
  readonly rowSums?: boolean;
  /** Whether labels are read of all heads that have some, rather than of those alone whose Hessian needs them. */
  readonly labels?: boolean;
  /** Whether labels are read for the loss itself, where there are some. */
  readonly value?: boolean;
}

/**
 * Moves the outputs of a graph to where the losses take z, and gives the losses places to read from: one more input for
 * each head that has weights of samples, then one for the row sums of each head where they count, then one for the labels of each
 * head that needs them, then one for those that are for the loss alone.
 *
 * @param shapes of the graph's outputs, as far as they are known, the samples first.
 * @throws Error with one line when a loss and the last activation do not belong together.
 */
export function cutAtLosses(
  graph: Graph,
  plans: readonly HeadPlan[],
  shapes: readonly (readonly (number | null)[])[],
  reads: LossReads,
): { graph: Graph; heads: Head[] } {
  let next = Math.max(...graph.inputs, ...graph.steps.map(({ output }) => output)) + 1;
  const number = () => next++;
  const cuts = plans.map(({ place, loss }) => cutOne(graph, graph.outputs[place], loss, number));
  const withWeights = plans.filter(reads.weights);
  const withRowSums = plans.filter((_, i) => reads.rowSums && cuts[i].hessian.byRowSum);
  const needLabels = plans.filter((_, i) => {
    const { labels, needsLabels } = cuts[i].hessian;
    return needsLabels || (reads.labels && labels !== 'none');
  });
  const forValue = plans.filter((plan, i) => {
    const { value, labels } = cuts[i].hessian;
    return reads.value && value && labels !== 'none' && !needLabels.includes(plan);
  });
  const withLabels = [...needLabels, ...forValue];
  const read = [...withWeights, ...withRowSums, ...withLabels].map(number);
  const steps = [...graph.steps, ...cuts.flatMap((each) => each.steps)];
  const cut = reaching({ ...graph, inputs: [...graph.inputs, ...read], steps }, [
    ...cuts.map(({ tensor }) => tensor),
    ...read,
  ]);
  const heads = plans.map((plan, i): Head => {
    const placeAmong = (some: readonly HeadPlan[], before: number) =>
      some.includes(plan) ? plans.length + before + some.indexOf(plan) : null;
    const [, ...shape] = shapes[plan.place];
    const sizes = shape.includes(null) ? undefined : (shape as number[]);
    const positions = sizes?.slice(0, -1).reduce((product, size) => product * size, 1);
    return {
      name: plan.name,
      output: i,
      hasPositions: shape.length > 1,
      columns: positions && sizes && positions * cuts[i].hessian.columns(sizes[sizes.length - 1]),
      weights: placeAmong(withWeights, 0),
      rowSums: placeAmong(withRowSums, withWeights.length),
      labels: placeAmong(withLabels, withWeights.length + withRowSums.length),
      lossWeight: plan.lossWeight,
      hessian: cuts[i].hessian,
    };
  });
  return { graph: cut, heads };
}
