import * as tf from '@tensorflow/tfjs-core';
import { withoutCallHook } from '../../tfjs/call-hook.js';
import { gradientsBy } from '../../tfjs/gradient-tape.js';
import { variableOf } from '../../tfjs/weights.js';
import { repeatForColumns } from './columns.js';
import type { CallWithDelta, Layer, Operation, Owner, Parameter, ScaleBehaviour } from './operation.js';
import { packOutputs } from './output-part.js';
import type { LayerRule } from './rule.js';

/**
 * Runs the layer as `model.predict` does, without firing a call hook that the user may have set. Several outputs come packed
 * into one.
 */
export function callLayer(layer: Layer, inputs: tf.Tensor[], mask?: tf.Tensor): tf.Tensor {
  const output = withoutCallHook(layer, () => layer.apply(inputs, mask ? { mask } : {}) as tf.Tensor | tf.Tensor[]);
  return !Array.isArray(output) ? output : output.length === 1 ? output[0] : packOutputs(output);
}

interface GenericProperties {
  readonly scale: ScaleBehaviour;
  readonly piecewiseLinear: boolean;
  readonly activation?: string;
}

/**
 * A function without weights whose delta is left to tf.js: vector-Jacobian products with every column's delta at once,
 * over inputs repeated for each column.
 */
export function throughTfjs(
  layer: Owner,
  description: string,
  f: (inputs: tf.Tensor[], mask?: tf.Tensor) => tf.Tensor,
  properties: GenericProperties,
): Operation {
  return {
    layer,
    description,
    parameters: [],
    ...properties,
    forward: (inputs, _recording, mask) => ({ output: f(inputs, mask), saved: inputs }),
    backward({ saved, mask }, delta, columns) {
      const inputs = saved.map((x) => repeatForColumns(x, columns));
      const maskOfColumns = mask && repeatForColumns(mask, columns);
      return gradientsByInput(inputs, delta, (floats) => f(floats, maskOfColumns));
    },
  };
}

/** Gradients of <f(inputs), delta> by each input; zeros for whole numbers and truth values, which have none, and for what f ignores. */
function gradientsByInput(
  inputs: readonly tf.Tensor[],
  delta: tf.Tensor,
  f: (inputs: tf.Tensor[]) => tf.Tensor,
): tf.Tensor[] {
  const isFloat = inputs.map(({ dtype }) => dtype === 'float32');
  const floats = inputs.filter((_, i) => isFloat[i]);
  let next = 0;
  const withFloats = (given: readonly tf.Tensor[]) => {
    let place = 0;
    return inputs.map((x, i) => (isFloat[i] ? given[place++] : x));
  };
  const found = floats.length > 0 ? gradientsBy(() => f(withFloats(floats)), floats, delta) : [];
  return inputs.map((x, i) => {
    // None for what a layer reads in training only.
    const gradient = isFloat[i] ? found[next++] : undefined;
    return gradient === delta ? tf.clone(delta) : (gradient ?? tf.zeros(x.shape));
  });
}

/**
 * A whole layer as one operation, with nothing to write but what becomes of scales: deltas pass through tf.js, and the squared
 * gradient norms of its weights come from one gradient for every sample and column, which is slow.
 *
 * @param scale what the layer does to scales, in a word or by names.
 * @param parameters every trained weight of the layer, `'fixed'` where it takes no part in a rescaling.
 *
 * @example
 * // A product of two matrices.
 * registerLayerRule('MatMul', (layer) => [measuredAsWhole(layer, 'adds')]);
 */
export function measuredAsWhole(layer: Layer, scale: ScaleBehaviour, parameters: readonly Parameter[] = []): Operation {
  const call = (inputs: tf.Tensor[], mask?: tf.Tensor) => callLayer(layer, inputs, mask);
  const throughLayer = throughTfjs(layer, layer.getClassName(), call, { scale, piecewiseLinear: false });
  const operation: Operation = { ...throughLayer, usesMask: true, packsOutputs: true };
  return parameters.length === 0
    ? operation
    : { ...operation, parameters, oneByOne: true, ...perSampleGradients(call, parameters) };
}

/** Any other layer: nothing is known of its structure, and its scale is taken to be fixed. */
export const generic: LayerRule = (layer, parameter) => {
  const parameters = layer.weights.map((weight) => parameter(weight, 'fixed'));
  return [{ ...measuredAsWhole(layer, 'pins', parameters), scaleUnknown: true }];
};

/**
 * Squared gradient norms, and gradients for their scalar products, by one gradient for every sample and column, whatever the function.
 *
 * @param whereNone told where the output of a sample depends on none of the weights.
 */
export function perSampleGradients(
  call: (inputs: tf.Tensor[], mask?: tf.Tensor) => tf.Tensor,
  parameters: readonly Parameter[],
  whereNone: () => void = () => {},
): Required<Pick<Operation, 'squaredNorms' | 'outerProducts'>> {
  const trainable = parameters.filter((each) => each.trainable);
  /** What is made of the gradients of one row of deltas, which belongs to a sample: one tensor a trained weight. */
  function ofRow(
    calls: readonly CallWithDelta[],
    row: number,
    sample: number,
    make: (gradient: tf.Tensor | undefined, variable: tf.Variable) => tf.Tensor,
  ): tf.Tensor[] {
    return tf.tidy(() => {
      const variables = trainable.map((each) => variableOf(each.variable));
      const contribution = () =>
        tf.addN(
          calls.map(({ saved, mask, delta }) => {
            const ofSample = (x: tf.Tensor) => tf.slice(x, sample, 1);
            const output = call(saved.map(ofSample), mask && ofSample(mask));
            return tf.sum(tf.mul(output, tf.slice(delta, row, 1)));
          }),
        );
      const gradients = gradientsBy(contribution, variables);
      if (gradients.every((gradient) => gradient === undefined)) {
        whereNone();
      }
      return variables.map((variable, b) => make(gradients[b], variable));
    });
  }
  const inOrder = <T>(ofTrainable: (place: number) => T) =>
    parameters.map((each) => (each.trainable ? ofTrainable(trainable.indexOf(each)) : null));
  return {
    squaredNorms(calls, columns) {
      const samples = calls[0].saved[0].shape[0];
      const rowsOfColumn = calls[0].delta.shape[0] / columns;
      const ofSamples = Array.from({ length: samples }, (_, sample) => {
        const ofColumns = Array.from({ length: columns }, (_, column) =>
          // A weight that this sample does not reach has no gradient at all.
          ofRow(calls, column * rowsOfColumn + sample, sample, (gradient) =>
            gradient ? tf.sum(tf.square(gradient)) : tf.scalar(0),
          ),
        );
        return trainable.map((_, b) => tf.addN(ofColumns.map((ofColumn) => ofColumn[b])));
      });
      return inOrder((b) => tf.stack(ofSamples.map((norms) => norms[b])));
    },
    outerProducts(calls) {
      const samples = calls[0].saved[0].shape[0];
      const ofSamples = Array.from({ length: samples }, (_, sample) =>
        ofRow(calls, sample, sample, (gradient, { size }) =>
          gradient ? tf.reshape(gradient, [1, size]) : tf.zeros([1, size]),
        ),
      );
      return inOrder((b) => [{ deltas: tf.stack(ofSamples.map((gradients) => gradients[b])) as tf.Tensor3D }]);
    },
  };
}
