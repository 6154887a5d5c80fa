import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { cast } from './cast.js';
import { callLayer } from './generic.js';
import type { CallWithDelta, Layer, Operation } from './operation.js';
import type { LayerRule } from './rule.js';
import { nothingPasses } from './sensitivity.js';

interface EmbeddingLayer extends Layer {
  embeddings: LayerVariable;
}

/**
 * Squared norm of the gradient of an embedding table, summed over columns. Each token's row collects the deltas of all
 * positions that hold the token; the sum stands at the first of them.
 *
 * @param tokens [N, P], int32.
 * @param delta [R * N, P, D].
 * @returns [N].
 */
function tableSquaredNorm(tokens: tf.Tensor, delta: tf.Tensor3D, columns: number): tf.Tensor {
  const [samples, positions] = tokens.shape;
  const width = delta.shape[2];
  const same = tf.cast(
    tf.equal(tf.reshape(tokens, [samples, positions, 1]), tf.reshape(tokens, [samples, 1, positions])),
    'float32',
  );
  const place = tf.range(0, positions);
  const earlier = tf.cast(
    tf.greater(tf.reshape(place, [1, positions, 1]), tf.reshape(place, [1, 1, positions])),
    'float32',
  );
  const isFirst = tf.cast(tf.equal(tf.sum(tf.mul(same, earlier), 2), 0), 'float32');
  const collected = tf.matMul(
    tf.reshape(same, [1, samples, positions, positions]),
    tf.reshape(delta, [columns, samples, positions, width]),
  );
  const rows = tf.sum(tf.square(tf.reshape(collected, [columns, samples * positions, width])), 2);
  const ofPosition = tf.mul(tf.sum(rows, 0), tf.reshape(isFirst, [samples * positions]));
  return tf.sum(tf.reshape(ofPosition, [samples, positions]), 1);
}

/**
 * Lookup of tokens in a table, which counts as a kernel over an input of scale 0: tokens are numbers of rows, and nothing
 * that they come from has a gradient.
 */
export const embedding: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as EmbeddingLayer;
  const tokens = cast(layer, `tokens of ${layer.getClassName()}`, 'int32');
  const table = parameter(layer.embeddings, 'kernel');
  /** The tokens of all calls, [N, P], and the deltas of their rows, [R * N, P, D]. */
  const lookedUp = (calls: readonly CallWithDelta[]) => {
    const width = layer.embeddings.shape[1] as number;
    const join = (each: tf.Tensor[]) => (each.length === 1 ? each[0] : tf.concat(each, 1));
    const deltas = join(calls.map((call) => tf.reshape(call.delta, [call.delta.shape[0], -1, width]))) as tf.Tensor3D;
    return { tokens: join(calls.map((call) => call.saved[0])), deltas };
  };
  const lookup: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    parameters: [table],
    forward: ([x]) => ({
      output: callLayer(layer, [x]),
      saved: table.trainable ? [tf.reshape(x, [x.shape[0], -1])] : [],
    }),
    backward: ({ inputShapes: [[, ...shape]] }, delta) => [tf.zeros([delta.shape[0], ...shape])],
    sensitivity: { ...nothingPasses, ofParameters: () => [null] },
    squaredNorms(calls, columns) {
      if (!table.trainable) {
        return [null];
      }
      const { tokens, deltas } = lookedUp(calls);
      return [tableSquaredNorm(tokens, deltas, columns)];
    },
    outerProducts(calls) {
      if (!table.trainable) {
        return [null];
      }
      const { tokens, deltas } = lookedUp(calls);
      return [[{ inputs: { tokens }, deltas }]];
    },
  };
  return [tokens, lookup];
};
