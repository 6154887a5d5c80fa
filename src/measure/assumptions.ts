import { enumerateNames } from '../names.js';
import { type Graph, parametersOf } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import type { Layer, Operation, Parameter } from '../network/layers/operation.js';
import { isOfTfjs } from '../network/layers/table.js';
import { planSteps } from '../network/tape.js';
import type { ScaleMinimum } from '../symmetry/scale-minimum.js';
import type { ScaleSymmetry } from '../symmetry/scale-symmetry.js';
import { backendName } from '../tfjs/backend.js';
import { repeatsWeightsByElement } from '../tfjs/layer-axis.js';
import { callsOf } from '../tfjs/model-graph.js';
import { hasRegularizer } from '../tfjs/regularizers.js';
import type { SampledTraces } from '../traces/pairs/sampled-traces.js';
import type { RowNotes } from './loss-inputs.js';

/*
 * Every sentence of `SharpnessReading.assumptions`.
 */

/** Why the traces are those of the Gauss-Newton matrix only, one sentence each; none where they are the Hessian's. */
export function reasonsNotExact(graph: Graph): string[] {
  const plan = planSteps(graph).filter(({ carriesDelta, leavesNorms }) => carriesDelta || leavesNorms);
  const smooth = new Map<string, Set<string>>();
  for (const { description, layer, piecewiseLinear } of plan.map(({ step }) => step.operation)) {
    if (!piecewiseLinear) {
      smooth.set(description, (smooth.get(description) ?? new Set()).add(layer.name));
    }
  }
  const operations = plan.filter(({ leavesNorms }) => leavesNorms).map(({ step }) => step.operation);
  const shared = new Set(
    operations.filter((operation, i) => operations.indexOf(operation) !== i).map(({ layer }) => layer.name),
  );
  const reasons: string[] = [];
  if (smooth.size > 0) {
    const causes = [...smooth].map(([description, names]) => `${description} of ${enumerateNames(names)}`);
    reasons.push(`Traces are of the Gauss-Newton matrix, not the Hessian, because of the ${causes.join('; ')}.`);
  }
  if (shared.size > 0) {
    reasons.push(
      `Traces are of the Gauss-Newton matrix, not the Hessian, because ${enumerateNames(shared)} is called several times.`,
    );
  }
  return reasons;
}

/** Losses of whose own Hessian only the Gauss-Newton part is taken, one sentence each. */
export function partlyCurved(heads: readonly Head[]): string[] {
  return heads.flatMap(({ name, hessian: { gaussNewtonOver, name: loss } }) =>
    gaussNewtonOver
      ? [
          `Traces are of the Gauss-Newton matrix, not the Hessian, because the loss '${loss}' of '${name}' is not convex: it is taken ` +
            `over ${gaussNewtonOver}.`,
        ]
      : [],
  );
}

/** What it means that a loss has no curvature, one sentence each. */
export function flatLosses(heads: readonly Head[]): string[] {
  return heads.flatMap(({ name, hessian: { curvedInstead, name: loss } }) =>
    curvedInstead
      ? [
          `The loss '${loss}' of '${name}' is made of straight pieces, with a second derivative of 0 wherever it has one: it adds nothing to ` +
            `the traces, so that Minimum Sharpness does not tell sharp minima of it from flat ones; loss: '${curvedInstead}' is curved.`,
        ]
      : [],
  );
}

/** Of a network that is sure of everything, and wrong. */
export const SATURATED =
  'The loss is high, and its curvature in the outputs is gone: the network is saturated, sure of wrong answers, as after steps that were ' +
  'too large, so that a small Minimum Sharpness is no sign of a good minimum.';

/** Of a network that sees nothing of its inputs. */
export const CONSTANT =
  'No weight but biases has a trace: the outputs are the same for all samples, as where all units of a layer are dead, so that a small ' +
  'sharpness is no sign of a good minimum.';

/** What the loss has besides, one sentence. */
export function regularizerAssumptions(graph: Graph): string[] {
  const layers = [...new Set(graph.steps.map(({ operation }) => operation.layer))].filter(hasRegularizer);
  return layers.length > 0
    ? [`The regularizers of ${enumerateNames(layers.map(({ name }) => name))} are not counted.`]
    : [];
}

/** How the outputs share in the loss, one sentence each. */
export function headAssumptions(heads: readonly Head[]): string[] {
  const assumptions: string[] = [];
  if (heads.length > 1) {
    const terms = heads.map(({ name, lossWeight }) => `'${name}' (weight ${lossWeight})`);
    assumptions.push(`The loss is the sum over the outputs ${terms.join(', ')}.`);
  }
  const positioned = heads.filter(({ hasPositions }) => hasPositions).map(({ name }) => name);
  if (positioned.length > 0) {
    assumptions.push(
      `The loss of ${enumerateNames(positioned)} is the mean over positions, masked ones included, as in tf.js.`,
    );
  }
  return assumptions;
}

/** What the losses take for granted about the rows of labels, one sentence each. */
export function rowAssumptions({ assumed, uneven }: RowNotes): string[] {
  const sentences: string[] = [];
  if (assumed.length > 0) {
    sentences.push(
      `Every row of targets of ${enumerateNames(assumed)} is taken to add up to 1, since it is not at hand: pass labels where some ` +
        'do not, such as rows of zeros.',
    );
  }
  if (uneven.length > 0) {
    sentences.push(
      `Rows of labels of ${enumerateNames(uneven)} do not add up to 1: this is the Hessian of the loss, but the gradient that ` +
        'tf.losses.softmaxCrossEntropy trains with takes them to.',
    );
  }
  return sentences;
}

/**
 * What Minimum Sharpness takes for granted about the scales of this network, one sentence each. They say what was done with
 * frozen weights, normalizations and layers that are measured as a whole; `describeSymmetries` goes layer by layer.
 */
export function symmetryAssumptions(graph: Graph, symmetry: ScaleSymmetry): string[] {
  const assumptions: string[] = [];
  const say = (layers: Iterable<{ readonly name: string }>, sentence: (names: string) => string) => {
    const names = [...new Set(layers)].map(({ name }) => name);
    if (names.length > 0) {
      assumptions.push(sentence(enumerateNames(names)));
    }
  };
  const layersWith = (test: (operation: Operation) => boolean) =>
    graph.steps.filter(({ operation }) => test(operation)).map(({ operation }) => operation.layer);

  if (symmetry.freedom === 0) {
    assumptions.push(
      'No layers can exchange scale here, so Minimum Sharpness is the plain trace; describeSymmetries(model) says why.',
    );
  }
  say(
    parametersOf(graph).flatMap(({ layer, trainable }) => (trainable ? [] : [layer])),
    (names) =>
      `The frozen weights of ${names} are left out, and no scale is moved into them; countFrozen: true counts them.`,
  );
  say(
    layersWith(({ inputStatistics }) => inputStatistics !== undefined),
    (names) =>
      `Batch normalization (${names}) is measured as in inference, with its moving statistics: it is a layer that can trade ` +
      'scale like any other, and does not make the weights in front of it count less.',
  );
  say(
    layersWith(({ scale, description }) => scale === 'resets' && !description.startsWith('mask of')),
    (names) =>
      `Normalization (${names}) takes away the scale of its input: weights in front of it can be scaled up without changing ` +
      'the function (with epsilon in proportion), so that their trace need not count.',
  );
  const { own, tfjs } = layersOfUnknownScale(graph);
  say(
    own,
    (names) =>
      `Nothing is known of the scales in ${names}: Minimum Sharpness is not invariant where scale moves through or inside of what ` +
      'they compute, and their weights count as they are. registerLayerRule of tfjs-sharpness/layers says what becomes of scales.',
  );
  say(
    tfjs,
    (names) =>
      `Measured as a whole: ${names}. Minimum Sharpness is not invariant where scale moves through or inside of what they ` +
      'compute, and their weights count as they are: build it of layers that have an exact rule.',
  );
  say(
    layersWith(({ layer, scale }) => typeof scale === 'object' && !isOfTfjs(layer)),
    (names) => `That the scales named in the rule of ${names} leave the function unchanged is taken on trust.`,
  );
  // Of a layer that moves with its other weights, such as a recurrent one, only some are held.
  const all = parametersOf(graph);
  const moves = ({ layer }: Parameter) => all.some((each) => each.layer === layer && each.role !== 'fixed');
  const unknown = new Set<unknown>([...own, ...tfjs]);
  const held = all.filter(({ role, trainable, layer }) => role === 'fixed' && trainable && !unknown.has(layer));
  say(
    held.map((parameter) => (moves(parameter) ? parameter : parameter.layer)),
    (names) => `Weights of ${names} take no part in the rescaling: their trace counts as it is.`,
  );
  return assumptions;
}

/** Which layers take long, one sentence. */
export function slowAssumptions(graph: Graph): string[] {
  const slow = graph.steps
    .map(({ operation }) => operation)
    .filter(({ oneByOne, parameters }) => oneByOne && parameters.some(({ trainable }) => trainable));
  const names = [...new Set(slow.map(({ layer }) => layer.name))];
  return names.length > 0
    ? [
        `The weights of ${enumerateNames(names)} take one gradient for every sample and column, which is slow: layers that have an exact ` +
          'rule are faster, and so is a rule of your own with squaredNorms (registerLayerRule).',
      ]
    : [];
}

/** Where the backend computes another function than the layers say, one sentence. */
export function backendAssumptions(graph: Graph): string[] {
  const normalizations = graph.steps.filter(({ operation }) => operation.inputStatistics !== undefined);
  const names = new Set(
    normalizations
      .map(({ operation }) => operation.layer as Layer)
      .filter(repeatsWeightsByElement)
      .map(({ name }) => name),
  );
  return names.size > 0
    ? [
        `On the ${backendName()} backend tf.js applies the weights of ${enumerateNames(names)} along another axis than the ` +
          "layer's: what is measured is the function that it computes there. Other backends compute the layer's own.",
      ]
    : [];
}

/**
 * Where fit computes another function than predict, one sentence: tf.js hands states that a recurrent layer was given on to the layer
 * inside of a TimeDistributed behind it, when it trains. In predict it does so too where there is a mask, and inside of one model.
 *
 * @param own the layers of the model itself, without those of models inside.
 */
export function stateAssumptions(graph: Graph, own: readonly object[]): string[] {
  const masked = new Set(graph.steps.filter(({ mask }) => mask !== undefined).map(({ operation }) => operation.layer));
  const [decoders, wrappers] = [new Set<string>(), new Set<string>()];
  /** The layers with given states in front of a tensor. */
  const inFront = new Map<number, ReadonlySet<Layer>>();
  for (const { operation, inputs, output } of graph.steps) {
    const layer = operation.layer as Layer;
    const before = new Set(inputs.flatMap((tensor) => [...(inFront.get(tensor) ?? [])]));
    if (layer.getClassName() === 'TimeDistributed' && isRecurrent((layer as Wrapper).layer)) {
      for (const decoder of before) {
        if (own.includes(decoder) || own.includes(layer)) {
          decoders.add(decoder.name);
          wrappers.add(layer.name);
        }
      }
    }
    const mayPassOn = (isRecurrent(layer) || layer.getClassName() === 'Bidirectional') && !masked.has(layer);
    if (mayPassOn && callsOf(layer).some((call) => call.inputs.length > 1)) {
      before.add(layer);
    }
    inFront.set(output, before);
  }
  return wrappers.size > 0
    ? [
        `In fit tf.js begins the layer inside of ${enumerateNames(wrappers)} with states that were given to ` +
          `${enumerateNames(decoders)}, in predict with zeros: what is measured is the function of predict.`,
      ]
    : [];
}

type Wrapper = Layer & { readonly layer: Layer };

/** Layers of the user's may have a field of that name, which is anything. */
const isRecurrent = (layer: Layer) => isOfTfjs(layer) && 'cell' in layer;

/**
 * Layers that might let scale through, or trade it inside, for all that is known: with trained weights of their own or in front.
 * Those of the user's classes, and of tf.js'.
 */
function layersOfUnknownScale(graph: Graph): { own: Operation['layer'][]; tfjs: Operation['layer'][] } {
  const behindWeights = new Set<number>();
  const found: Operation['layer'][] = [];
  for (const { operation, inputs, output } of graph.steps) {
    const { scaleUnknown, layer, parameters } = operation;
    if (inputs.some((tensor) => behindWeights.has(tensor)) || parameters.some(({ trainable }) => trainable)) {
      behindWeights.add(output);
      if (scaleUnknown) {
        found.push(layer);
      }
    }
  }
  return { own: found.filter((layer) => !isOfTfjs(layer)), tfjs: found.filter(isOfTfjs) };
}

/** That outputs without a loss do not count, one sentence. */
export function outputAssumptions(withoutLoss: readonly string[]): string[] {
  return withoutLoss.length > 0
    ? [`The outputs ${withoutLoss.map((name) => `'${name}'`).join(', ')} have no loss and do not count.`]
    : [];
}

/** Of a function of variables: where its scales are not named, and where they are. */
export const NO_SCALES_NAMED =
  'No scales are named, so that only the plain traces are measured: pass blocks with from and to for Minimum Sharpness.';
export const NAMED_SCALES_TRUSTED = 'That the named scales leave the function unchanged is taken on trust.';

/** That no rescaling reaches Minimum Sharpness, where that is so, one sentence. */
export function minimumAssumptions({ unattained }: ScaleMinimum): string[] {
  if (!unattained) {
    return [];
  }
  const { quiet, toInfinity, toZero } = unattained;
  const cause = quiet.length > 0 ? `, since the trace of ${enumerateNames(quiet)} is 0` : '';
  const ways = [
    { layers: toInfinity, limit: 'infinity' },
    { layers: toZero, limit: '0' },
  ].flatMap(({ layers, limit }) =>
    layers.length > 0 ? [`the scale of ${enumerateNames(layers)} goes to ${limit}`] : [],
  );
  return [`Minimum Sharpness is a limit that no rescaling reaches${cause}: ${ways.join(', ')}.`];
}

/** What pairs that were drawn take for granted, one sentence: where chance says what they are drawn by. */
export function pairAssumptions(graph: Graph, { shares }: SampledTraces): string[] {
  const isDrawn = shares.some(({ inclusion }) => inclusion.length > 0);
  const tried = planSteps(graph).filter(
    ({ step: { operation }, carriesDelta, leavesNorms }) => (carriesDelta || leavesNorms) && !operation.sensitivity,
  );
  const names = [...new Set(tried.map(({ step }) => step.operation.layer.name))];
  return isDrawn && names.length > 0
    ? [
        `How sensitive ${enumerateNames(names)} is to the weights, by which pairs are drawn, was tried in a few random directions: where ` +
          "a value matters, take method: 'exact' too.",
      ]
    : [];
}

/** That a part of the samples was run, one sentence. */
export function partAssumptions({ shares, samples }: SampledTraces): string[] {
  const run = shares.reduce((sum, share) => sum + share.samples, 0);
  return run < samples
    ? [`${run} of the ${samples} samples were run, drawn at random; standardError includes what that adds.`]
    : [];
}

/**
 * That a tolerance was missed, one sentence.
 *
 * @param bound what bounds the accuracy: the samples run, or the pairs that are kept of a dataset, so many.
 */
export function toleranceMissed(tolerance: number, bound: 'samples' | number): string {
  return bound === 'samples'
    ? `A relative standard error of ${tolerance} would need a larger part of the samples: raise part.`
    : `A relative standard error of ${tolerance} would need more than the ${bound} pairs that are kept of a dataset: ` +
        'pass tensors, { pairs } or more memoryMB.';
}

/** How the traces of the Hessian were found, one sentence. */
export function hessianAssumption(curved: readonly Parameter[], probes: number): string {
  const estimated = curved.map(({ name }) => `'${name}'`).join(', ');
  return estimated
    ? `The Hessian's traces of ${estimated} are estimated with ${probes} random probes each.`
    : 'No weight is curved by the network, so that the traces of the Hessian are exact.';
}

/** The trace of a Hessian block may be negative. Rescaled, it has no bound, so that the minimum cannot count it. */
export function negativeTraceAssumptions(parameters: readonly Parameter[], traces: readonly number[]): string[] {
  const names = parameters.flatMap(({ name }, b) => (traces[b] < 0 ? [`'${name}'`] : []));
  return names.length > 0
    ? [`The trace of ${names.join(', ')} is negative, which no rescaling bounds: in Minimum Sharpness it counts as 0.`]
    : [];
}

/** That products round their factors, one sentence. */
export function roundedProducts(bits: number, probes: number): string {
  return (
    `This backend rounds the factors of matrix products and convolutions to ${bits} bits behind the leading one (TF32 or half floats), ` +
    `so that nothing is exact: standardError includes what ${probes} random perturbations of that size do. On NVIDIA GPUs, ` +
    'NVIDIA_TF32_OVERRIDE=0, set before CUDA starts, makes products exact to float32.'
  );
}

/** Where eigenvalues were asked for. */
export const OF_GAUSS_NEWTON =
  'The eigenvalues are those of the Gauss-Newton matrix: the Hessian has another part, which is small where the loss has been fitted.';
export const UNRELIABLE_EIGENVALUES =
  'Some standard errors of eigenvalues are not reliable, because they rest on a few of what was drawn, or on a minibatch.';

/** Where they cannot be had, one sentence. @param why in words that end it, without the full stop. */
export function eigenvaluesLeftOut(why: string): string {
  return `The eigenvalues are left out: ${why}.`;
}

/** Of standard errors that are not reliable. */
export const UNRELIABLE_MINIBATCH =
  'The standard error is not reliable, because the minibatch has just been trained on, where the loss is flatter: pass data.';
export const UNRELIABLE_PROBES =
  'The standard error is not reliable, because it rests on few probes: ask for more than 20.';
export const UNRELIABLE_SAMPLE =
  'The standard error is not reliable, because it rests on a few of what was drawn: ask for more pairs, or a larger part.';
