import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { repeatForColumns } from '../column-axis.js';
import type { CallWithDelta, Layer, Operation, ScaleBehaviour } from '../operation.js';
import type { LayerRule } from './rule.js';

/** The private slot of `Layer.setCallHook`: the user's hook must not see our calls. */
interface WithCallHook {
  _callHook: unknown;
}

/** Runs the layer as `model.predict` does, without firing a call hook that the user may have set. */
export function callLayer(layer: Layer, inputs: tf.Tensor[]): tf.Tensor {
  const hooked = layer as unknown as WithCallHook;
  const hook = hooked._callHook;
  hooked._callHook = null;
  try {
    return layer.apply(inputs, {}) as tf.Tensor;
  } finally {
    hooked._callHook = hook;
  }
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
  layer: Layer,
  description: string,
  f: (inputs: tf.Tensor[]) => tf.Tensor,
  properties: GenericProperties,
): Operation {
  return {
    layer,
    description,
    parameters: [],
    ...properties,
    forward: (inputs) => ({ output: f(inputs), saved: inputs }),
    backward({ saved }, delta, columns) {
      const repeated = saved.map((x) => repeatForColumns(x, columns));
      return tf.grads((...inputs: tf.Tensor[]) => f(inputs))(repeated, delta);
    },
  };
}

/**
 * Any other layer: nothing is known of its structure. Deltas pass through tf.js; the squared gradient norms of its
 * weights come from one gradient for every sample and column, which is slow. Its scale is taken to be fixed.
 */
export const generic: LayerRule = (layer, parameter) => {
  const call = (inputs: tf.Tensor[]) => callLayer(layer, inputs);
  const properties = { scale: 'pins', piecewiseLinear: false } as const;
  const operation = throughTfjs(layer, layer.getClassName(), call, properties);
  if (layer.weights.length === 0) {
    return [operation];
  }
  const parameters = layer.weights.map((weight) => parameter(weight, 'fixed'));
  const trainable = parameters.filter((each) => each.trainable);
  return [
    {
      ...operation,
      parameters,
      squaredNorms(calls, columns) {
        const samples = calls[0].saved[0].shape[0];
        const variables = trainable.map((each) => rawVariable(each.variable));
        const norms = new Map<string, tf.Tensor[]>(variables.map((variable) => [variable.name, []]));
        for (let sample = 0; sample < samples; sample++) {
          const perColumn = gradientsOfSample(call, calls, columns, sample, variables);
          for (const variable of variables) {
            norms.get(variable.name)?.push(tf.addN(perColumn.map((gradients) => gradients[variable.name])));
          }
        }
        return parameters.map((each) =>
          each.trainable ? tf.stack(norms.get(rawVariable(each.variable).name) as tf.Tensor[]) : null,
        );
      },
    },
  ];
};

/** Squared gradient norm of each variable for one sample, one record a column. */
function gradientsOfSample(
  call: (inputs: tf.Tensor[]) => tf.Tensor,
  calls: readonly CallWithDelta[],
  columns: number,
  sample: number,
  variables: tf.Variable[],
): tf.NamedTensorMap[] {
  return Array.from({ length: columns }, (_, column) =>
    tf.tidy(() => {
      const row = column * (calls[0].delta.shape[0] / columns) + sample;
      const contribution = () =>
        tf.addN(
          calls.map(({ saved, delta }) => {
            const output = call(saved.map((x) => tf.slice(x, sample, 1)));
            return tf.sum(tf.mul(output, tf.slice(delta, row, 1)));
          }),
        ) as tf.Scalar;
      const { grads } = tf.variableGrads(contribution, variables);
      // A weight that this sample does not reach has no gradient at all.
      return Object.fromEntries(
        variables.map(({ name }) => [name, grads[name] ? tf.sum(tf.square(grads[name])) : tf.scalar(0)]),
      );
    }),
  );
}

/** The tf.Variable inside a tfjs-layers variable, which it keeps to itself. */
export function rawVariable(variable: LayerVariable): tf.Variable {
  return (variable as unknown as { val: tf.Variable }).val;
}
