import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Layer, Operation } from './layers/operation.js';
import { nothingPasses } from './layers/sensitivity.js';
import { isOfTfjs } from './layers/table.js';

type Mask = tf.Tensor | null;

/** What a layer's `computeMask` gives for its inputs and their masks, as tf.js' executor asks for it. */
function computeMask(layer: Layer, inputs: tf.Tensor[], masks: Mask[]): Mask {
  const found = layer.computeMask(inputs, masks as tf.Tensor[]);
  return (Array.isArray(found) ? found[0] : found) ?? null;
}

/**
 * The mask that a call of a layer puts on its outputs (Keras, "Masking and padding"): false at positions that recurrent
 * layers behind skip. It is made of numbers that are masked or not, so that no delta goes through it.
 *
 * @param symbols the inputs of the call.
 * @param masked whether each of them has a mask.
 * @returns `'first'`: the mask of the first input, as it is. An operation on the inputs, followed by the masks that there
 *   are. Or undefined: none.
 */
export function maskOfCall(
  layer: Layer,
  symbols: readonly tfl.SymbolicTensor[],
  masked: readonly boolean[],
): Operation | 'first' | undefined {
  const anyMask = masked.some((each) => each);
  if (!layer.supportsMasking) {
    return undefined;
  }
  if (layer.computeMask === tfl.layers.Layer.prototype.computeMask) {
    return masked[0] ? 'first' : undefined;
  }
  const className = layer.getClassName();
  const starts = className === 'Masking' || className === 'Embedding' || !isOfTfjs(layer);
  if (!anyMask && !starts) {
    return undefined;
  }
  const compute = (inputs: tf.Tensor[]) => {
    const [values, masks] = [inputs.slice(0, masked.length), inputs.slice(masked.length)];
    let next = 0;
    return computeMask(
      layer,
      values,
      masked.map((each) => (each ? masks[next++] : null)),
    );
  };
  // Whether there is one at all depends on the layer alone, so a sample of zeros tells.
  const exists = tf.tidy(() => {
    const sizes = (shape: tfl.Shape) => shape.map((size) => size ?? 1);
    const zeros = symbols.map(({ shape, dtype }) => tf.zeros(sizes(shape), dtype));
    const masks = symbols.filter((_, i) => masked[i]).map(({ shape }) => tf.ones(sizes(shape).slice(0, 2), 'bool'));
    return compute([...zeros, ...masks]) !== null;
  });
  if (!exists) {
    return undefined;
  }
  const { maskValue } = layer as Layer & { maskValue?: number };
  return {
    layer,
    description: `mask of ${className}`,
    // What puts masks together does not look at values, and comparing with 0 does not mind a rescaled input.
    scale: starts && maskValue !== 0 ? 'pins' : 'resets',
    piecewiseLinear: true,
    parameters: [],
    // A mask that is passed on becomes a tensor of its own, which lives as long as it is needed.
    forward: (inputs) => ({ output: tf.clone(compute(inputs) as tf.Tensor), saved: [] }),
    backward: () => [],
    sensitivity: nothingPasses,
  };
}
