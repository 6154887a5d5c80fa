import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Graph, unfold } from '../network/graph.js';
import { planSteps, record, withoutBackward } from '../network/tape.js';
import { memoryGauge } from '../tfjs/memory-gauge.js';

/** Models that were checked. */
const checked = new WeakSet<tfl.LayersModel>();

/**
 * Whether the network that is measured is the one that tf.js runs, on one sample, once a model with masks. (tf.js hands the
 * latest mask to every layer that it runs later, also to one whose own inputs have none.)
 *
 * @param inputs [N, ...] each.
 * @throws Error with one line where it is not.
 */
export function checkMaskedForward(model: tfl.LayersModel, cut: Graph, inputs: readonly tf.Tensor[]): void {
  if (checked.has(model) || !cut.steps.some(({ mask }) => mask !== undefined)) {
    return;
  }
  const differs = tf.tidy(() => {
    const first = inputs.map((x) => tf.slice(x, 0, 1));
    const graph = unfold(model);
    const tape = record(graph, withoutBackward(planSteps(graph)), first, memoryGauge());
    const predicted = [model.predict(first)].flat() as tf.Tensor[];
    return tape.outputs.some((output, i) => {
      const [ours, theirs] = [output, predicted[i]].map((x) => x.dataSync());
      return ours.some((y, j) => !(Math.abs(y - theirs[j]) <= 1e-3 * Math.max(1, Math.abs(theirs[j]))));
    });
  });
  if (differs) {
    throw new Error(
      'tf.js runs this model with a mask where none belongs: it hands the latest mask to every later layer. Put the masked ' +
        'part into a model of its own, or measure a model without the mask.',
    );
  }
  checked.add(model);
}
