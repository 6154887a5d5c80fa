import * as tf from '@tensorflow/tfjs-core';
import type { CallWithDelta, Operation, RecordedCall } from './operation.js';
import type { SensedCall, Sensitivity } from './sensitivity.js';

/** [B, C, ...spatial] -> [B, ...spatial, C]. */
function toChannelsLast(x: tf.Tensor): tf.Tensor {
  return tf.transpose(x, [0, ...Array.from({ length: x.rank - 2 }, (_, i) => i + 2), 1]);
}

/** [B, ...spatial, C] -> [B, C, ...spatial]. */
function toChannelsFirst(x: tf.Tensor): tf.Tensor {
  return tf.transpose(x, [0, x.rank - 1, ...Array.from({ length: x.rank - 2 }, (_, i) => i + 1)]);
}

const channelsLastOf = (call: SensedCall): SensedCall => ({
  ...call,
  inputs: call.inputs.map(toChannelsLast),
  output: toChannelsLast(call.output),
});

/** An operation that is written for channels in the last axis, for tensors that have them behind the batch axis. */
export function channelsFirst(operation: Operation): Operation {
  const { squaredNorms, outerProducts, gradients, onPieceOf, before, sensitivity } = operation;
  const inside = <Call extends RecordedCall>(call: Call): Call => ({
    ...call,
    inputShapes: call.inputShapes.map(([batch, channels, ...spatial]) => [batch, ...spatial, channels]),
  });
  const lastOf = (call: CallWithDelta): CallWithDelta => ({ ...inside(call), delta: toChannelsLast(call.delta) });
  return {
    ...operation,
    forward(inputs, recording) {
      const { output, saved } = operation.forward(inputs.map(toChannelsLast), recording);
      return { output: toChannelsFirst(output), saved };
    },
    backward: (call, delta, columns) =>
      operation.backward(inside(call), toChannelsLast(delta), columns).map(toChannelsFirst),
    squaredNorms: squaredNorms && ((calls, columns) => squaredNorms(calls.map(lastOf), columns)),
    ...(outerProducts && { outerProducts: (calls) => outerProducts(calls.map(lastOf)) }),
    ...(sensitivity && {
      sensitivity: {
        ...sensitivity,
        through: (q, call) => {
          const found = sensitivity.through(
            q.map((each) => each && toChannelsLast(each)),
            channelsLastOf(call),
          );
          return found && toChannelsFirst(found);
        },
        ofParameters:
          sensitivity.ofParameters &&
          ((call) =>
            sensitivity.ofParameters?.(channelsLastOf(call)).map((each) => each && toChannelsFirst(each)) ?? []),
      } satisfies Sensitivity,
    }),
    ...(before && { before: (elementwise) => channelsFirst(before(elementwise)) }),
    ...(onPieceOf && {
      onPieceOf: (call, recorded, inputs) =>
        toChannelsFirst(onPieceOf(inside(call), recorded.map(toChannelsLast), inputs.map(toChannelsLast))),
    }),
    ...(gradients && {
      gradients: (calls) => gradients(calls.map(lastOf)),
    }),
  };
}
