import * as tf from '@tensorflow/tfjs-core';
import { concatenationAxis, layerAxis } from '../../tfjs/layer-axis.js';
import { parts } from '../../tfjs/mended-operations.js';
import { callsOf } from '../../tfjs/model-graph.js';
import { multiplyEachColumn } from './columns.js';
import { firstMatches } from './first-matches.js';
import { callLayer, throughTfjs } from './generic.js';
import type { Layer, Operation } from './operation.js';
import { alongSamples, type LayerRule } from './rule.js';
import { spread } from './sensitivity.js';

/** The shape with ones behind the batch axis, so that it has this rank: how tf.js merges inputs of different ranks. */
function withRank([batch, ...shape]: readonly number[], rank: number): number[] {
  return [batch, ...Array<number>(rank - 1 - shape.length).fill(1), ...shape];
}

/** Sums a delta over the axes along which an input was broadcast, and gives it the input's shape. */
function sumBroadcast(delta: tf.Tensor, inputShape: readonly number[]): tf.Tensor {
  const shape = withRank(inputShape, delta.rank);
  const repeated = shape.flatMap((size, axis) => (axis > 0 && size !== delta.shape[axis] ? [axis] : []));
  const summed = repeated.length > 0 ? tf.sum(delta, repeated) : delta;
  return tf.reshape(summed, [delta.shape[0], ...inputShape.slice(1)]);
}

/** The sum of what there is; null of nothing. */
const sumOf = (parts: readonly tf.Tensor[]) =>
  parts.length > 0 ? parts.reduce((sum, part) => tf.add(sum, part)) : null;

/**
 * A merge that works element by element, with inputs broadcast against each other.
 *
 * @param derivatives of the output by each input, in the shape of the output, from the inputs (of one rank) and the output;
 *   null where the derivative is the same number everywhere, which `factor` gives.
 */
function elementwiseMerge(
  properties: Pick<Operation, 'scale' | 'piecewiseLinear' | 'differentiable'>,
  derivatives: ((inputs: tf.Tensor[], output: tf.Tensor) => tf.Tensor[]) | null,
  factor: (inputs: number) => number = () => 1,
): LayerRule {
  return (layer) => {
    const operation: Operation = {
      layer,
      description: layer.getClassName(),
      parameters: [],
      ...properties,
      forward(inputs) {
        const output = callLayer(layer, inputs);
        const ofOneRank = inputs.map((x) => tf.reshape(x, withRank(x.shape, output.rank)));
        return { output, saved: derivatives ? derivatives(ofOneRank, output) : [] };
      },
      sensitivity: {
        readsSaved: derivatives !== null,
        through(q, { inputs, output, saved }) {
          const parts = q.flatMap((each, i) => {
            if (!each) {
              return [];
            }
            const ofRank = tf.reshape(each, withRank(each.shape, output.rank));
            return [tf.mul(ofRank, derivatives ? tf.square(saved[i]) : factor(inputs.length) ** 2)];
          });
          return sumOf(parts);
        },
      },
      backward({ saved, inputShapes }, delta, columns) {
        const scaled = derivatives ? null : tf.mul(delta, factor(inputShapes.length));
        return inputShapes.map((shape, i) =>
          sumBroadcast(scaled ?? multiplyEachColumn(delta, saved[i], columns), shape),
        );
      },
    };
    return [operation];
  };
}

/** Sum of the inputs: every input gets the delta as it is. */
export const add = elementwiseMerge({ scale: 'ties', piecewiseLinear: true, differentiable: 'smooth' }, null);

/** Mean of the inputs. */
export const average = elementwiseMerge({ scale: 'ties', piecewiseLinear: true }, null, (inputs) => 1 / inputs);

/** Maximum or minimum of the inputs: the delta goes to the first input that equals the output. */
export const extremum: LayerRule = (layer, parameter) =>
  elementwiseMerge({ scale: 'ties', piecewiseLinear: true }, firstMatches)(layer, parameter).map((operation) => ({
    ...operation,
    onPieceOf: ({ saved }, _recorded, inputs) =>
      inputs
        .map((x, i) => tf.mul(saved[i], tf.reshape(x, withRank(x.shape, saved[i].rank))))
        .reduce((sum, part) => tf.add(sum, part)),
  }));

/** Product of the inputs: by each of them, the derivative is the product of the others. */
export const multiply = elementwiseMerge({ scale: 'adds', piecewiseLinear: false }, (inputs, output) =>
  inputs.map((_, i) => {
    const others = inputs.filter((_other, j) => j !== i);
    return others.reduce((product, x) => tf.mul(product, x), tf.onesLike(output));
  }),
);

/** Concatenation along one axis: the delta is cut up. */
export function concatenation(layer: Layer, description: string, axis: number): Operation {
  const axisOf = (rank: number) => concatenationAxis(axis, rank);
  return {
    layer,
    description,
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'smooth',
    parameters: [],
    forward: (inputs) => ({ output: tf.concat(inputs, axisOf(inputs[0].rank)), saved: [] }),
    sensitivity: {
      through(q, { inputs, output }) {
        const along = axisOf(output.rank);
        // As narrow as all of them are along the axes that stay.
        const sizes = output.shape.map((size, i) =>
          i > 0 && q.every((each) => !each || each.shape[i] === 1) ? 1 : size,
        );
        const parts = inputs.map((x, i) => {
          const shape = sizes.map((size, j) => (j === along ? x.shape[j] : size));
          const each = q[i];
          return each ? spread(each, shape) : tf.zeros(shape);
        });
        return tf.concat(parts, along);
      },
    },
    backward({ inputShapes }, delta) {
      const along = axisOf(delta.rank);
      return parts(
        delta,
        inputShapes.map((shape) => shape[along]),
        along,
      );
    },
  };
}

/** Concatenation of layers. */
export const concatenate: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { axis: number };
  if (Number(layer.axis) === 0) {
    throw alongSamples(layer);
  }
  return [concatenation(layer, layer.getClassName(), layer.axis)];
};

/** A factor of a batched matrix product as [N, rows, columns], and which of the two is summed over. */
function asMatrix(x: tf.Tensor, axis: number, vector: 'row' | 'column') {
  if (x.rank === 3) {
    return { matrix: x, sumsColumns: axis === 2 };
  }
  const [samples, length] = x.shape;
  return vector === 'row'
    ? { matrix: tf.reshape(x, [samples, 1, length]), sumsColumns: true }
    : { matrix: tf.reshape(x, [samples, length, 1]), sumsColumns: false };
}

/**
 * Inner products of two inputs along one axis of each, a product of matrices for each sample. Normalized, it does not change
 * when an input is rescaled.
 */
export const dot: LayerRule = (anyLayer) => {
  const layer = anyLayer as Layer & { axes: number | [number, number]; normalize: boolean };
  const description = layer.getClassName();
  const axisOf = (input: number, rank: number) =>
    layerAxis(Array.isArray(layer.axes) ? layer.axes[input] : layer.axes, rank);
  if (callsOf(layer).some(({ inputs }) => inputs.some(({ shape }, i) => axisOf(i, shape.length) === 0))) {
    throw alongSamples(layer);
  }
  if (layer.normalize) {
    const cosine = (inputs: tf.Tensor[]) => callLayer(layer, inputs);
    return [throughTfjs(layer, description, cosine, { scale: 'resets', piecewiseLinear: false })];
  }
  const operation: Operation = {
    layer,
    description,
    scale: 'adds',
    piecewiseLinear: false,
    parameters: [],
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: inputs }),
    sensitivity: {
      through(q, { inputs }) {
        const parts = q.flatMap((each, i) => {
          if (!each) {
            return [];
          }
          const own = spread(each, inputs[i].shape);
          const other = tf.square(inputs[1 - i]);
          return [callLayer(layer, i === 0 ? [own, other] : [other, own])];
        });
        return sumOf(parts);
      },
    },
    backward({ saved: [x, y], inputShapes }, delta, columns) {
      // z = a b with a = x or its transpose, b = y or its transpose: deltas d b^T = (b d^T)^T for a, a^T d for b. What is
      // the same for all columns stands on the left: BatchMatMulV2 of the native backend corrupts memory when the factor on
      // the right is repeated.
      const left = asMatrix(x, axisOf(0, x.rank), 'row');
      const right = asMatrix(y, axisOf(1, y.rank), 'column');
      const [transposeLeft, transposeRight] = [!left.sumsColumns, right.sumsColumns];
      const rows = left.matrix.shape[transposeLeft ? 2 : 1] as number;
      const d = tf.reshape(delta, [columns, x.shape[0], rows, -1]);
      const turned = tf.matMul(tf.expandDims(right.matrix, 0), d, transposeRight, true);
      const ofLeft = transposeLeft ? turned : tf.transpose(turned, [0, 1, 3, 2]);
      const straight = tf.matMul(tf.expandDims(left.matrix, 0), d, !transposeLeft, false);
      const ofRight = transposeRight ? tf.transpose(straight, [0, 1, 3, 2]) : straight;
      return [ofLeft, ofRight].map((back, i) => tf.reshape(back, [delta.shape[0], ...inputShapes[i].slice(1)]));
    },
  };
  return [operation];
};
