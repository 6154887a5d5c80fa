import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../network/graph.js';
import { isOfTfjs } from '../network/layers/table.js';
import { planSteps, record, withoutBackward } from '../network/tape.js';
import { layersInside } from '../tfjs/layers-inside.js';
import { memoryGauge } from '../tfjs/memory-gauge.js';

/**
 * Whether a network with layers of the user's own, be it inside of tf.js', puts out the same when it runs again, on one sample: the
 * forward and the backward pass have to see the same function.
 *
 * @param inputs [N, ...] each.
 * @throws Error with one line where it does not, as with the sampling layer of a variational autoencoder.
 */
export function checkRepeatableForward(graph: Graph, inputs: readonly tf.Tensor[]): void {
  const own = graph.steps.flatMap(({ operation }) => layersInside(operation.layer)).filter((layer) => !isOfTfjs(layer));
  if (own.length === 0) {
    return;
  }
  const plan = withoutBackward(planSteps(graph));
  const differs = tf.tidy(() => {
    const first = inputs.map((x) => tf.slice(x, 0, 1));
    const [once, again] = [1, 2].map(() =>
      record(graph, plan, first, memoryGauge()).outputs.map((output) => output.dataSync()),
    );
    return once.some((values, i) => values.some((y, j) => Math.abs(y - again[i][j]) > 1e-3 * Math.max(1, Math.abs(y))));
  });
  if (differs) {
    const names = [...new Set(own.map((layer) => `'${layer.name}' (${layer.getClassName()})`))];
    throw new Error(
      'The model puts out something else each time it runs on the same inputs, so that it is not one function: let ' +
        `${names.join(', ')} draw at random in training only (call gets training: true there).`,
    );
  }
}
