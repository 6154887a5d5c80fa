import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { multiplyEachColumn } from './columns.js';
import type { CallWithDelta, Layer, Operation, Parameter } from './operation.js';
import { alongSamples, type LayerRule } from './rule.js';
import { spread } from './sensitivity.js';
import { biasSquaredNorm, joinPositions } from './squared-norms.js';

interface LayerNormalizationLayer extends Layer {
  axis: number[];
  epsilon: number;
  gamma: LayerVariable | null;
  beta: LayerVariable | null;
}

/**
 * Layer normalization, y = gamma u + beta with u = (x - mean) / sqrt(variance + epsilon) over the axes of the layer, in two
 * steps.
 *
 * The normalization itself is smooth: with means over the normalized axes, its delta is
 * (d - mean(d) - u mean(d u)) / sqrt(variance + epsilon). It takes away the scale of its input: multiplied by exp(s), and
 * epsilon by exp(2 s), u stays what it is. Then follows an affine map with gamma as a kernel and beta as a bias.
 */
export const layerNormalization: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as LayerNormalizationLayer;
  if (layer.axis.includes(0)) {
    throw alongSamples(layer);
  }
  /** The normalized axes behind the others. */
  const order = (rank: number) => {
    const positions = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !layer.axis.includes(axis));
    return [...positions, ...[...layer.axis].sort((a, b) => a - b)];
  };
  /** [B, ...] -> [B, P, F], with F over the normalized axes. */
  const asPositions = (x: tf.Tensor): tf.Tensor3D => {
    const axes = order(x.rank);
    const inOrder = axes.every((axis, i) => axis === i) ? x : tf.transpose(x, axes);
    const features = layer.axis.reduce((product, axis) => product * x.shape[axis], 1);
    return tf.reshape(inOrder, [x.shape[0], -1, features]);
  };
  /** Back from [B, P, F] to the shape of the layer's tensors, of which `shape` is one. */
  const fromPositions = (x: tf.Tensor, [, ...shape]: readonly number[]) => {
    const axes = order(shape.length + 1);
    const full = [x.shape[0], ...shape];
    const ordered = tf.reshape(
      x,
      axes.map((axis) => full[axis]),
    );
    return axes.every((axis, i) => axis === i)
      ? ordered
      : tf.transpose(
          ordered,
          axes.map((_, i) => axes.indexOf(i)),
        );
  };

  const normalization: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'resets',
    piecewiseLinear: false,
    parameters: [],
    forward([x]) {
      const rows = asPositions(x);
      const centred = tf.sub(rows, tf.mean(rows, 2, true));
      const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 2, true), layer.epsilon));
      const normalized = tf.mul(centred, inverseDeviation);
      return { output: fromPositions(normalized, x.shape), saved: [normalized, inverseDeviation] };
    },
    // d u_i / d x_j = ([i = j] - (1 + u_i u_j) / F) / deviation.
    sensitivity: {
      readsSaved: true,
      through([given], { inputs: [x], saved: [u, inverseDeviation] }) {
        if (!given) {
          return null;
        }
        const q = asPositions(spread(given, x.shape));
        const features = q.shape[2];
        const squares = tf.square(u);
        const mean = (y: tf.Tensor) => tf.div(tf.mean(y, 2, true), features);
        const ofAll = tf.addN([
          tf.mul(tf.onesLike(u), mean(q)),
          tf.mul(tf.mul(u, 2), mean(tf.mul(u, q))),
          tf.mul(squares, mean(tf.mul(squares, q))),
        ]);
        const own = tf.mul(q, tf.sub(1, tf.div(tf.add(squares, 1), features / 2)));
        const all = tf.mul(tf.relu(tf.add(own, ofAll)), tf.square(inverseDeviation));
        return fromPositions(all, x.shape);
      },
    },
    backward({ saved, inputShapes }, delta, columns) {
      const [samples, positions, features] = saved[0].shape;
      const rows = samples * positions;
      const normalized = tf.reshape(saved[0], [1, rows, features]);
      const d = tf.reshape(asPositions(delta), [columns, rows, features]);
      const along = tf.mul(normalized, tf.mean(tf.mul(d, normalized), 2, true));
      const across = tf.sub(tf.sub(d, tf.mean(d, 2, true)), along);
      const back = tf.mul(across, tf.reshape(saved[1], [1, rows, 1]));
      return [fromPositions(tf.reshape(back, [columns * samples, positions, features]), inputShapes[0])];
    },
  };

  const gamma = layer.gamma ? parameter(layer.gamma, 'kernel') : null;
  const beta = layer.beta ? parameter(layer.beta, 'bias') : null;
  const parameters = [gamma, beta].filter((each): each is Parameter => each !== null);
  if (parameters.length === 0) {
    return [normalization];
  }
  // The weights lie in memory in the order of the tensor's axes, whatever the order of the layer's.
  const row = (weight: LayerVariable) => tf.reshape(weight.read(), [1, 1, -1]);
  /** What adds up to the gradient of gamma or beta at the positions of all calls: [R * N, P, F]. */
  const contributionsTo = (each: Parameter, calls: readonly CallWithDelta[], columns: number) =>
    joinPositions(
      calls.map(({ saved, delta }) => {
        const rows = asPositions(delta);
        return each === gamma ? (multiplyEachColumn(rows, saved[0], columns) as tf.Tensor3D) : rows;
      }),
    );
  const affine: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    parameters,
    ...(gamma?.trainable && { linearIn: [{ saved: 0, parameter: gamma }] }),
    forward([x]) {
      const rows = asPositions(x);
      const scaled = layer.gamma ? tf.mul(rows, row(layer.gamma)) : rows;
      const shifted = layer.beta ? tf.add(scaled, row(layer.beta)) : scaled;
      return { output: fromPositions(shifted, x.shape), saved: gamma?.trainable ? [rows] : [] };
    },
    backward({ inputShapes }, delta) {
      return [
        layer.gamma ? fromPositions(tf.mul(asPositions(delta), row(layer.gamma)), inputShapes[0]) : delta.clone(),
      ];
    },
    sensitivity: {
      through: ([q], { inputs: [x] }) =>
        q && layer.gamma
          ? fromPositions(tf.mul(asPositions(spread(q, x.shape)), tf.square(row(layer.gamma))), x.shape)
          : q,
      ofParameters: ({ inputs: [x] }) => parameters.map((each) => (each === gamma ? tf.square(x) : null)),
    },
    squaredNorms: (calls, columns) =>
      parameters.map((each) =>
        each.trainable ? biasSquaredNorm(contributionsTo(each, calls, columns), columns) : null,
      ),
    outerProducts: (calls) =>
      parameters.map((each) => (each.trainable ? [{ deltas: contributionsTo(each, calls, 1) }] : null)),
  };
  return [normalization, affine];
};
