import type { LayersModel, layers, SymbolicTensor } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

/** A model, which other models may call as a layer. */
export type ModelLayer = Layer & { readonly inputs: SymbolicTensor[]; readonly outputs: SymbolicTensor[] };

/** Whether a layer is a model. By a field that all models have: a class says nothing of models of another copy of tfjs-layers. */
export function isModel(layer: Layer): layer is ModelLayer {
  return 'inputLayers' in layer;
}

/** The model that `compile`, `fit` and `trainOnBatch` of a model work on: a Sequential has a functional model inside, once it is built. */
export function compiledModel(model: LayersModel): LayersModel {
  return (model as unknown as { readonly model?: LayersModel }).model ?? model;
}

/** One call of a layer in a model's graph. */
export interface LayerCall {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
}

/** The call that a tensor of the graph came out of. tf.js keeps each call as an inbound node of its layer, and its number in the tensor. */
export function callOf({ sourceLayer, nodeIndex }: SymbolicTensor): LayerCall {
  return asCall(sourceLayer, sourceLayer.inboundNodes[nodeIndex]);
}

/** All calls of a layer, in whatever models it is. */
export function callsOf(layer: Layer): LayerCall[] {
  return layer.inboundNodes.map((node) => asCall(layer, node));
}

function asCall(layer: Layer, { inputTensors, outputTensors }: Layer['inboundNodes'][number]): LayerCall {
  return { layer, inputs: inputTensors, outputs: outputTensors };
}

/** `model.inputNames`, which a Sequential leaves empty until something runs it. */
export function inputNames(model: LayersModel): string[] {
  return namesOf(model.inputs);
}

/** `model.outputNames`, which a Sequential leaves empty until something runs it. */
export function outputNames(model: LayersModel): string[] {
  return namesOf(model.outputs);
}

/** tf.js calls an input or output of a model by the name of the layer that it comes from. */
function namesOf(symbols: readonly SymbolicTensor[]): string[] {
  return symbols.map(({ sourceLayer }) => sourceLayer.name);
}
