import type { DataType } from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { callOf, isModel, type LayerCall, type ModelLayer } from '../tfjs/model-graph.js';
import { learnedWeights, trainedWeights, variableOf } from '../tfjs/weights.js';
import { cast } from './layers/cast.js';
import type { Layer, NamedPlace, Operation, Parameter, ParameterRole } from './layers/operation.js';
import { outputPart } from './layers/output-part.js';
import { checkIndependent, type Wiring, wiringOf } from './layers/rule.js';
import { ruleOf } from './layers/table.js';
import { maskOfCall } from './masks.js';

/** One call of an operation in the network. Tensors are numbered; a step's output is numbered after its inputs. */
export interface Step {
  readonly operation: Operation;
  readonly inputs: readonly number[];
  /** The mask that tf.js hands to the layer (`MaskAtHand`), where the operation uses it. */
  readonly mask?: number;
  readonly output: number;
}

/** The tensors that a step reads: its inputs, and their mask where it has one. */
export function readBy({ inputs, mask }: Step): readonly number[] {
  return mask === undefined ? inputs : [...inputs, mask];
}

/** A network as a list of elementary steps in topological order, nested models and activations unfolded. */
export interface Graph {
  /** The inputs of the network, then weights of samples or positions, which only the loss reads. */
  readonly inputs: readonly number[];
  /** The type that tf.js turns an input of the network into, by the tensor's number: images of whole numbers become floats. */
  readonly inputTypes?: ReadonlyMap<number, DataType>;
  /** The tensors that the loss reads: z of every head, then the weights among the inputs. */
  readonly outputs: readonly number[];
  readonly steps: readonly Step[];
  /** Asked before every run, where the weights have to be those of one instant: throws once they have moved. */
  readonly checkUnmoved?: () => void;
}

/** A tensor of the graph, and its mask where a layer has made one. */
interface Value {
  readonly tensor: number;
  readonly mask?: number;
}

/**
 * What tf.js hands to every layer that it runs: the mask of the first input of the last call that had masked inputs, also to layers
 * whose own inputs have none. Models inside of one another share it, once there is one.
 */
interface MaskAtHand {
  mask?: number;
}

export interface UnfoldOptions {
  /** Weights that training does not move (`trainedWeights`) count as the others. Default false. */
  readonly countFrozen?: boolean;
}

/**
 * Takes a model apart. The graph's outputs are the model's.
 *
 * Masks travel as tensors of their own, made by the layers' `computeMask`, to where a layer uses them.
 *
 * @throws Error with one line that names a layer that cannot be measured and says why.
 */
export function unfold(model: tfl.LayersModel, { countFrozen = false }: UnfoldOptions = {}): Graph {
  const trainable = new Set<unknown>(countFrozen ? learnedWeights(model) : trainedWeights(model));
  /** The steps of each call. */
  const calls: Step[][] = [];
  const wirings = new Map<Layer, Wiring>();
  let tensors = 0;

  function wiring(layer: Layer): Wiring {
    let known = wirings.get(layer);
    if (!known) {
      checkIndependent(layer);
      const nameOf = namesOfWeights(layer);
      const parameter = (variable: tfl.LayerVariable, role: ParameterRole, place?: NamedPlace): Parameter => {
        checkKnownOptions(`The place of '${nameOf(variable)}' between scales`, place, namedPlace);
        return { name: nameOf(variable), layer, variable, role, ...place, trainable: trainable.has(variable) };
      };
      known = wiringOf(layer, ruleOf(layer.getClassName())(layer, parameter));
      wirings.set(layer, known);
    }
    return known;
  }

  function add(operation: Operation, inputs: readonly number[], mask?: number): number {
    checkNamedInputs(operation, inputs.length);
    calls
      .at(-1)
      ?.push({ operation, inputs, output: tensors, ...(mask !== undefined && operation.usesMask ? { mask } : {}) });
    return tensors++;
  }

  function addCall(call: LayerCall, inputs: readonly Value[], atHand: MaskAtHand | undefined): Value[] {
    const { layer } = call;
    calls.push([]);
    if (isModel(layer)) {
      // The graph of a model inside takes the place of the call. It turns what goes in into the types of its inputs, as the model
      // outside does. Its tensors have no masks but those that layers inside of it make.
      const fed = layer.inputs.map(
        ({ dtype }, i): Value =>
          dtype === call.inputs[i].dtype
            ? inputs[i]
            : {
                ...inputs[i],
                tensor: add(cast(layer, `${dtype} input of ${layer.getClassName()}`, dtype), [inputs[i].tensor]),
              },
      );
      const open = fed.map(({ tensor }) => ({ tensor }));
      return unfoldModel(layer, open, atHand ?? {}).map(({ tensor }) => ({ tensor }));
    }
    const { operations, connect } = wiring(layer);
    const found = connect(
      inputs.map(({ tensor }) => tensor),
      (operation, taken) => add(operation, taken, atHand?.mask),
    );
    const shapes = call.outputs.map(({ shape }) => shape);
    const isWhole = shapes.length === 1 || found.length === shapes.length;
    const outputs = isWhole ? found : shapes.map((_, i) => add(partOf(layer, operations, shapes, i), found));
    // tf.js gives every output of a layer the same mask.
    const mask = maskFor(call, inputs);
    return outputs.map((tensor) => (mask === undefined ? { tensor } : { tensor, mask }));
  }

  function maskFor({ layer, inputs: symbols }: LayerCall, inputs: readonly Value[]): number | undefined {
    const made = maskOfCall(
      layer,
      symbols,
      inputs.map(({ mask }) => mask !== undefined),
    );
    if (made === 'first') {
      return inputs[0].mask;
    }
    const masks = inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
    return made && add(made, [...inputs.map(({ tensor }) => tensor), ...masks]);
  }

  /** The calls of a model in the order in which tf.js runs them: depth first from each output, the last input of a call first. */
  function unfoldModel(inner: ModelLayer, inputs: readonly Value[], handed?: MaskAtHand): Value[] {
    let atHand = handed;
    const numbered = new Map<number, Value>(inner.inputs.map((symbol, i) => [symbol.id, inputs[i]]));
    const passed = new Set(numbered.keys());
    /** By the outputs of a call: the mask at hand when it was run last, and what it put out then. */
    const ranWith = new Map<number, number | undefined>();
    const putOut = new Map<number, Value>();
    const pass = (symbol: tfl.SymbolicTensor): void => {
      if (passed.has(symbol.id)) {
        return;
      }
      const call = callOf(symbol);
      for (const input of [...call.inputs].reverse()) {
        pass(input);
      }
      passed.add(symbol.id);
      const taken = call.inputs.map(({ id }) => numbered.get(id) as Value);
      if (taken.some(({ mask }) => mask !== undefined)) {
        atHand ??= {};
        atHand.mask = taken[0].mask;
      }
      // tf.js runs a call once for each of its outputs that is needed. The layers behind take what came out first, but the model puts
      // out what came out last, which is something else where there is another mask at hand.
      const isFirst = !numbered.has(symbol.id);
      const mask = atHand?.mask;
      if (!isFirst && ranWith.get(symbol.id) === mask) {
        return;
      }
      const outputs = addCall(call, taken, atHand);
      call.outputs.forEach(({ id }, i) => {
        ranWith.set(id, mask);
        putOut.set(id, outputs[i]);
        if (isFirst) {
          numbered.set(id, outputs[i]);
        }
      });
    };
    inner.outputs.forEach(pass);
    return inner.outputs.map(({ id }) => (putOut.get(id) ?? numbered.get(id)) as Value);
  }

  const inputs = model.inputs.map(() => tensors++);
  const outputs = unfoldModel(
    model,
    inputs.map((tensor) => ({ tensor })),
  ).map(({ tensor }) => tensor);
  const inputTypes = new Map(inputs.map((tensor, i) => [tensor, model.inputs[i].dtype]));
  const graph = reaching({ inputs, inputTypes, outputs, steps: inOrderOfInputs(calls, outputs) }, outputs);
  checkTiedWeights(graph);
  for (const [layer, { operations }] of wirings) {
    checkNoneLeftOut(layer, operations, trainable);
  }
  return graph;
}

const namedPlace = { from: true, to: true } satisfies Record<keyof NamedPlace, true>;

/** Names of a layer's weights. Layers inside of one of the user's give several weights one name: they get a number. */
function namesOfWeights(layer: Layer): (variable: tfl.LayerVariable) => string {
  const seen = new Map<string, tfl.LayerVariable[]>();
  return (variable) => {
    if (typeof variable?.originalName !== 'string') {
      throw new Error(
        `The rule of layer '${layer.name}' (${layer.getClassName()}): the first argument of parameter must be a weight of ` +
          'the layer, as addWeight returns it.',
      );
    }
    const { originalName } = variable;
    const known = seen.get(originalName) ?? [];
    seen.set(originalName, known.includes(variable) ? known : [...known, variable]);
    const number = (seen.get(originalName) as tfl.LayerVariable[]).indexOf(variable);
    return number === 0 ? originalName : `${originalName}_${number}`;
  };
}

/** A trained weight that a rule forgets would count as nothing. */
function checkNoneLeftOut(layer: Layer, operations: readonly Operation[], trainable: ReadonlySet<unknown>): void {
  const measured = new Set<unknown>(operations.flatMap(({ parameters }) => parameters.map(({ variable }) => variable)));
  const missing = layer.weights.find((weight) => trainable.has(weight) && !measured.has(weight));
  if (missing) {
    throw new Error(
      `The rule of layer '${layer.name}' (${layer.getClassName()}) leaves out '${missing.originalName}', which is trained: add ` +
        "it to the parameters of an operation, as 'fixed' if it takes no part in a rescaling.",
    );
  }
}

function checkNamedInputs({ layer, scale }: Operation, inputs: number): void {
  if (typeof scale === 'object' && (scale.inputs?.length ?? 0) > inputs) {
    throw new Error(
      `The rule of layer '${layer.name}' (${layer.getClassName()}): scale names ${scale.inputs?.length} inputs, but there ` +
        `${inputs === 1 ? 'is 1' : `are ${inputs}`}.`,
    );
  }
}

/** Gradients of one weight add up over the calls of its layer before they are squared; over two layers nobody adds them up. */
function checkTiedWeights(graph: Graph): void {
  const owners = new Map<unknown, Operation>();
  for (const { operation } of graph.steps) {
    for (const { variable, name } of operation.parameters) {
      const owner = owners.get(variable) ?? operation;
      owners.set(variable, owner);
      if (owner !== operation) {
        throw new Error(
          `Weight '${name}' is used by two layers, '${owner.layer.name}' and '${operation.layer.name}' ` +
            `(${operation.description}): call one layer twice instead, so that its gradients are added up.`,
        );
      }
    }
  }
}

/** One of several outputs of a layer, which the generic rule packs into one tensor. */
function partOf(layer: Layer, operations: readonly Operation[], shapes: readonly tfl.Shape[], part: number): Operation {
  if (!operations.at(-1)?.packsOutputs) {
    throw new Error(
      `Layer '${layer.name}' (${layer.getClassName()}) has ${shapes.length} outputs, and its rule knows one: leave the rule ` +
        'away, or return one tensor from the layer.',
    );
  }
  return outputPart(layer, shapes, part);
}

/** The steps of calls, those of what the first input of a call comes from first. */
function inOrderOfInputs(calls: readonly (readonly Step[])[], outputs: readonly number[]): Step[] {
  const makers = new Map(calls.flatMap((steps) => steps.map(({ output }) => [output, steps] as const)));
  const begun = new Set<readonly Step[]>();
  const visit = (id: number): Step[] => {
    const steps = makers.get(id);
    if (!steps || begun.has(steps)) {
      return [];
    }
    begun.add(steps);
    return [...steps.flatMap(readBy).flatMap(visit), ...steps];
  };
  return outputs.flatMap(visit);
}

/** The graph with these outputs, without the steps that none of them needs. */
export function reaching(graph: Graph, outputs: readonly number[]): Graph {
  const needed = new Set(outputs);
  const steps: Step[] = [];
  for (const step of [...graph.steps].reverse()) {
    if (needed.has(step.output)) {
      steps.unshift(step);
      for (const id of step.inputs) {
        needed.add(id);
      }
      if (step.mask !== undefined) {
        needed.add(step.mask);
      }
    }
  }
  return { ...graph, outputs, steps };
}

/**
 * About how many products of a weight and a number one sample takes forward: every weight at every position of its layer's
 * output. Infinity where positions are not known beforehand.
 */
export function productsOfRow(graph: Graph): number {
  return graph.steps.reduce((sum, { operation: { layer, parameters } }) => {
    const { outputShape = [] } = layer as { readonly outputShape?: tfl.Shape | tfl.Shape[] };
    // Of several outputs, the first.
    const [shape] = outputShape.some(Array.isArray) ? (outputShape as tfl.Shape[]) : [outputShape as tfl.Shape];
    const inner = shape.length > 0 ? shape.slice(1, -1) : [null];
    const positions = inner.reduce((product: number, size) => product * (size ?? Number.POSITIVE_INFINITY), 1);
    const weights = parameters.map(({ variable }) => variableOf(variable).size);
    return weights.reduce((total, size) => total + size * positions, sum);
  }, 0);
}

/** The weights of a graph, each once, in the order of its steps. */
export function parametersOf(graph: Graph): Parameter[] {
  const parameters = new Map(
    graph.steps.flatMap(({ operation }) => operation.parameters.map((parameter) => [parameter.variable, parameter])),
  );
  return [...parameters.values()];
}

/** Those of them that are trained. */
export function trainedParameters(graph: Graph): Parameter[] {
  return parametersOf(graph).filter(({ trainable }) => trainable);
}
