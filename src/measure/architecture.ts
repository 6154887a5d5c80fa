import type { Graph } from '../network/graph.js';
import type { Layer, Owner } from '../network/layers/operation.js';
import { isModel } from '../tfjs/model-graph.js';
import { fingerprintOfData } from './fingerprint.js';

/**
 * What says nothing of the function that a layer computes, in its configuration: how it is called, how its weights began and are
 * trained, and the shape of its input, which the weights or other layers tell.
 */
const besideTheFunction = /^(name|trainable|dtype|batch_?input_?shape|.*(initializer|regularizer|constraint))$/i;

/**
 * A fingerprint of what a network computes but for the values of its weights: its operations with the configuration of their
 * layers, what each reads, which weights are trained, and which layers are called several times. Names do not count, so that it
 * is the same for a model and for what is loaded from its file.
 *
 * @param inputs how many of the graph's inputs are the network's; only the loss reads the others.
 * @param outputs the same for its outputs.
 */
export function architectureOf({ steps, ...graph }: Graph, inputs: number, outputs: number): string {
  const layers = [...new Set(steps.map(({ operation }) => operation.layer))];
  return fingerprintOfData([
    // With their types: whole numbers are cut off.
    graph.inputs.slice(0, inputs).map((tensor) => [tensor, graph.inputTypes?.get(tensor) ?? null]),
    graph.outputs.slice(0, outputs),
    layers.map((layer) => [layer.getClassName(), configurationOf(layer)]),
    steps.map(({ operation, inputs: read, mask, output }) => ({
      layer: layers.indexOf(operation.layer),
      operation: operation.description,
      parameters: operation.parameters.map(({ role, trainable }) => [role, trainable]),
      read,
      mask,
      output,
    })),
  ]);
}

/** As a layer of tf.js tells it, as far as it is plain data. */
function configurationOf(layer: Owner): unknown {
  if (isModel(layer as Layer)) {
    // Its layers have steps of their own, and it tells by names how they are joined.
    return null;
  }
  const { getConfig } = layer as { getConfig?: () => unknown };
  try {
    return plain(getConfig?.call(layer));
  } catch {
    // A layer of the user's own need not be one that can be saved.
    return null;
  }
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function' ? undefined : value;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return undefined;
  }
  // Loading makes null of what was never given.
  const entries = Object.entries(value).filter(([key, each]) => each !== null && !besideTheFunction.test(key));
  return Object.fromEntries(entries.map(([key, each]) => [key, plain(each)]));
}
