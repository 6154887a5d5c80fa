import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { activate, layerValues, type Weights } from './layer-values.js';
import { differentiate, leaf, newTape, type Tape, type Value } from './reverse-mode.js';

/** Every loss of the package. */
export type Loss =
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'softmaxCrossEntropy'
  | 'binaryCrossentropy'
  | 'sigmoidCrossEntropy'
  | 'meanSquaredError';

/** A model's weights in float64, by `Variable.originalName`. */
export type WeightValues = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float64Array }>;

export function weightValues(model: tfl.LayersModel): WeightValues {
  return new Map(
    model.weights.map((w) => [
      w.originalName,
      { shape: w.shape as number[], data: Float64Array.from(w.read().dataSync()) },
    ]),
  );
}

/** The activation that a loss takes away from the end of the network: the output z stands before it. */
function strippedActivation(loss: Loss): string | undefined {
  if (loss === 'categoricalCrossentropy' || loss === 'sparseCategoricalCrossentropy') {
    return 'softmax';
  }
  return loss === 'binaryCrossentropy' ? 'sigmoid' : undefined;
}

interface Evaluation {
  readonly tape: Tape;
  readonly weights: ReadonlyMap<string, Value>;
  /** The layer whose activation is left away, and that activation. */
  readonly last?: { readonly layer: tfl.layers.Layer; readonly activation: string };
}

/** The value of a symbolic tensor, from those of the tensors already `known`. */
function evaluate(symbol: tfl.SymbolicTensor, known: Map<tfl.SymbolicTensor, Value>, evaluation: Evaluation): Value {
  const before = known.get(symbol);
  if (before) {
    return before;
  }
  const layer = symbol.sourceLayer;
  const inputs = layer.inboundNodes[symbol.nodeIndex]!.inputTensors.map((input) => evaluate(input, known, evaluation));
  const value =
    'layers' in layer ? nested(layer as tfl.LayersModel, inputs, evaluation) : apply(layer, inputs, evaluation);
  known.set(symbol, value);
  return value;
}

function nested(model: tfl.LayersModel, inputs: readonly Value[], evaluation: Evaluation): Value {
  return evaluate(model.outputs[0]!, new Map(model.inputs.map((symbol, i) => [symbol, inputs[i]!])), evaluation);
}

function apply(layer: tfl.layers.Layer, inputs: readonly Value[], { tape, weights, last }: Evaluation): Value {
  const value = layerValues[layer.getClassName()];
  if (!value) {
    throw new Error(`the reference does not know the layer ${layer.getClassName()}`);
  }
  const own: Weights = Object.fromEntries(
    layer.weights.map((w) => [w.originalName.slice(w.originalName.lastIndexOf('/') + 1), weights.get(w.originalName)!]),
  );
  const config = layer.getConfig();
  if (layer !== last?.layer) {
    return value(tape, config, inputs, own);
  }
  if (layer.getClassName() === 'Softmax') {
    return inputs[0]!;
  }
  if (config.activation !== last.activation) {
    throw new Error(`${layer.name} should end in ${last.activation}, but ends in ${config.activation}`);
  }
  return value(tape, { ...config, activation: 'linear' }, inputs, own);
}

/** The output of one sample, and its derivatives. */
export interface SampleJacobian {
  /** z: the outputs before a last softmax or sigmoid that belongs to the loss. */
  readonly logits: Float64Array;
  /** The model's own output. */
  readonly output: Float64Array;
  /** For each output k, d z_k / d(weight) by name of the weight. */
  readonly rows: readonly ReadonlyMap<string, Float64Array>[];
  /** See `Tape`. */
  readonly kinkDistance: number;
}

/** Evaluates one sample and differentiates its outputs one by one. */
export function sampleJacobian(
  model: tfl.LayersModel,
  loss: Loss,
  inputs: readonly Float64Array[],
  values: WeightValues = weightValues(model),
): SampleJacobian {
  const tape = newTape();
  const weights = new Map([...values].map(([name, { shape, data }]) => [name, leaf(tape, shape, data)]));
  const activation = strippedActivation(loss);
  const last = activation ? { layer: model.outputs[0]!.sourceLayer, activation } : undefined;
  const known = new Map(
    model.inputs.map((symbol, i) => [symbol, leaf(tape, symbol.shape.slice(1) as number[], inputs[i]!)]),
  );
  const z = evaluate(model.outputs[0]!, known, { tape, weights, last });
  const rows = Array.from(z.data, (_, k) => {
    differentiate(tape, z, k);
    return new Map([...weights].map(([name, value]) => [name, value.gradient.slice()]));
  });
  const output = activation ? activate(tape, activation, z) : z;
  return { logits: z.data, output: output.data, rows, kinkDistance: tape.kinkDistance };
}

/** The rows of batched inputs, one array a sample and input. */
export function samplesOf(inputs: readonly tf.Tensor[]): Float64Array[][] {
  const batch = inputs.map((input) => ({ data: input.dataSync(), stride: input.size / input.shape[0]! }));
  return Array.from({ length: inputs[0]!.shape[0]! }, (_, n) =>
    batch.map(({ data, stride }) => Float64Array.from(data.subarray(n * stride, (n + 1) * stride))),
  );
}
