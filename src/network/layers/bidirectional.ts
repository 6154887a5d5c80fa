import * as tf from '@tensorflow/tfjs-core';
import { throughTfjs } from './generic.js';
import { concatenation } from './merge.js';
import type { Layer, Operation } from './operation.js';
import { cellByCell, type RecurrentLayer, recurrentAsWhole } from './recurrent.js';
import type { WiredRule } from './rule.js';

type MergeMode = 'concat' | 'sum' | 'ave' | 'mul';

interface BidirectionalLayer extends Layer {
  forwardLayer: RecurrentLayer;
  backwardLayer: RecurrentLayer;
  mergeMode: MergeMode | null;
}

/** What makes one of the outputs of the two layers. */
function merged(layer: Layer, mergeMode: MergeMode): Operation {
  const description = `${mergeMode} of ${layer.getClassName()}`;
  switch (mergeMode) {
    case 'concat':
      return concatenation(layer, description, -1);
    case 'mul':
      return throughTfjs(layer, description, ([a, b]) => tf.mul(a, b), { scale: 'adds', piecewiseLinear: false });
    default: {
      const factor = mergeMode === 'ave' ? 0.5 : 1;
      const properties = { scale: 'ties', piecewiseLinear: true } as const;
      return throughTfjs(layer, description, ([a, b]) => tf.mul(tf.add(a, b), factor), properties);
    }
  }
}

/**
 * A recurrent layer and a copy of it that takes the steps the other way, their outputs joined, added, averaged, multiplied or left
 * apart. States go in and come out behind these, the first half of them those of the first layer.
 */
export const bidirectional: WiredRule = (anyLayer, parameter) => {
  const layer = anyLayer as BidirectionalLayer;
  const { forwardLayer, backwardLayer, mergeMode } = layer;
  const forward = cellByCell(layer, forwardLayer, parameter);
  const backward = cellByCell(layer, backwardLayer, parameter, true);
  if (!forward || !backward) {
    return recurrentAsWhole(layer, [forwardLayer, backwardLayer], parameter);
  }
  const merge = mergeMode && merged(layer, mergeMode);
  return {
    operations: [...forward.operations, ...backward.operations, ...(merge ? [merge] : [])],
    connect<T>([x, ...states]: readonly T[], apply: (operation: Operation, inputs: readonly T[]) => T) {
      const half = states.length / 2;
      const [a, ...ofForward] = forward.connect([x, ...states.slice(0, half)], apply);
      const [b, ...ofBackward] = backward.connect([x, ...states.slice(half)], apply);
      return [...(merge ? [apply(merge, [a, b])] : [a, b]), ...ofForward, ...ofBackward];
    },
  };
};
