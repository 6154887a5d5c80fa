import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { cut } from '../../tfjs/mended-operations.js';
import { callsOf, isModel, type ModelLayer } from '../../tfjs/model-graph.js';
import { generic } from './generic.js';
import type { CallWithDelta, Layer, Operation, RecordedCall } from './operation.js';
import { type WiredRule, type Wiring, wiringOf } from './rule.js';
import type { SensedCall, Sensitivity } from './sensitivity.js';

interface Wrapper extends Layer {
  layer: Layer;
}

/** [B, T, ...] -> [B * T, ...]. */
function foldSteps(x: tf.Tensor): tf.Tensor {
  const [batch, steps, ...shape] = x.shape as number[];
  return tf.reshape(x, [batch * steps, ...shape]);
}

/** Time step t of what has one row, or several, for each of the T steps of B samples: [B * T * rows, ...] -> [B * rows, ...]. */
function timeStep(x: tf.Tensor, samples: number, steps: number, t: number): tf.Tensor {
  const [rows, ...shape] = x.shape as number[];
  const byStep: tf.Tensor3D = tf.reshape(x, [samples, steps, -1]);
  return tf.reshape(cut(byStep, [0, t, 0], [samples, 1, byStep.shape[2]]), [rows / steps, ...shape]);
}

/** [N * T, ...] -> [N, T, ...]. */
function unfoldSteps(x: tf.Tensor, [samples, steps]: readonly number[]): tf.Tensor {
  return tf.reshape(x, [samples, steps, ...x.shape.slice(1)]);
}

/** tf.js hands the mask of the whole sequence to the layer inside, at each of its T time steps: [N, ...] -> [N * T, ...]. */
function maskAtEveryStep(mask: tf.Tensor, steps: number): tf.Tensor {
  const [samples, ...shape] = mask.shape;
  const once = tf.reshape(mask, [samples, 1, ...shape]);
  return tf.reshape(tf.tile(once, [1, steps, ...shape.map(() => 1)]), [samples * steps, ...shape]);
}

/** A call at all time steps, as one call for each of them. */
function callsOfSteps(call: CallWithDelta): CallWithDelta[] {
  const [[samples, steps, ...shape]] = call.inputShapes;
  const delta = foldSteps(call.delta);
  return Array.from({ length: steps }, (_, t) => ({
    saved: call.saved.map((x) => timeStep(x, samples, steps, t)),
    ...(call.mask && { mask: call.mask }),
    inputShapes: [[samples, ...shape]],
    delta: timeStep(delta, delta.shape[0] / steps, steps, t),
    seeDeltaNorm: call.seeDeltaNorm,
  }));
}

function sensitivityAtEveryStep({ through, ofParameters, addsToSamples: _, ...rest }: Sensitivity): Sensitivity {
  const inside = (call: SensedCall): SensedCall => ({
    ...call,
    inputs: call.inputs.map(foldSteps),
    output: foldSteps(call.output),
    ...(call.mask && { mask: maskAtEveryStep(call.mask, call.inputs[0].shape[1] as number) }),
  });
  return {
    ...rest,
    through(q, call) {
      const { shape } = call.inputs[0];
      // Time steps turn into samples, so that they have to be told apart.
      const toldApart = (x: tf.Tensor) =>
        x.shape[1] === shape[1] ? x : tf.tile(x, [1, shape[1] as number, ...x.shape.slice(2).map(() => 1)]);
      const found = through(
        q.map((each) => each && foldSteps(toldApart(each))),
        inside(call),
      );
      return found && unfoldSteps(found, shape);
    },
    ...(ofParameters && {
      ofParameters: (call) => ofParameters(inside(call)).map((each) => each && unfoldSteps(each, call.inputs[0].shape)),
    }),
  };
}

/**
 * The same operation at every time step: time steps pass through it as if they were samples. What is the same for every element
 * takes the steps as they are.
 */
function atEveryStep(wrapper: Layer, operation: Operation): Operation {
  // There are no vectors with an axis for the columns here, and no shorter ways for them.
  const { byColumn: _, singly: __, squaredNormsOfVector: ___, ...ofSteps } = operation;
  const { squaredNorms, outerProducts, gradients, onPieceOf, before, sensitivity } = operation;
  const named = { layer: wrapper, description: `${wrapper.getClassName()} ${operation.description}` };
  if (operation.monotone) {
    return { ...operation, ...named };
  }
  const inside = (call: RecordedCall): RecordedCall => ({
    saved: call.saved,
    inputShapes: call.inputShapes.map(([batch, steps, ...shape]) => [batch * steps, ...shape]),
    ...(call.mask && { mask: maskAtEveryStep(call.mask, call.inputShapes[0][1]) }),
  });
  return {
    ...ofSteps,
    ...named,
    forward(inputs, recording, mask) {
      const maskOfSteps = mask && maskAtEveryStep(mask, inputs[0].shape[1] as number);
      const { output, saved } = operation.forward(inputs.map(foldSteps), recording, maskOfSteps);
      return { output: unfoldSteps(output, inputs[0].shape), saved };
    },
    backward: (call, delta, columns) =>
      operation.backward(inside(call), foldSteps(delta), columns).map((each) => unfoldSteps(each, delta.shape)),
    // The steps of a sample share the weights: their gradients add up, as those of several calls do.
    squaredNorms: squaredNorms && ((calls, columns) => squaredNorms(calls.flatMap(callsOfSteps), columns)),
    ...(outerProducts && { outerProducts: (calls) => outerProducts(calls.flatMap(callsOfSteps)) }),
    ...(sensitivity && { sensitivity: sensitivityAtEveryStep(sensitivity) }),
    ...(gradients && {
      gradients: (calls) => gradients(calls.map((call) => ({ ...inside(call), delta: foldSteps(call.delta) }))),
    }),
    ...(before && { before: (elementwise) => atEveryStep(wrapper, before(elementwise)) }),
    ...(onPieceOf && {
      onPieceOf(call, recorded, inputs) {
        const output = onPieceOf(inside(call), recorded.map(foldSteps), inputs.map(foldSteps));
        return tf.reshape(output, [...inputs[0].shape.slice(0, 2), ...output.shape.slice(1)]);
      },
    }),
  };
}

/** Whether a layer begins a mask: inside of a chain, tf.js hands it on to the layers behind. */
function beginsMask(layer: Layer): boolean {
  if (!layer.supportsMasking || layer.computeMask === tfl.layers.Layer.prototype.computeMask) {
    return false;
  }
  // That depends on the layer alone, so a sample of zeros tells.
  return tf.tidy(() => {
    const { inputs } = callsOf(layer)[0];
    const zeros = inputs.map(({ shape, dtype }) =>
      tf.zeros(
        shape.map((size) => size ?? 1),
        dtype,
      ),
    );
    return [layer.computeMask(zeros, undefined)].flat().some((mask) => mask instanceof tf.Tensor);
  });
}

/**
 * The layers of a chain, in their order; null for a model that is no Sequential, or has one inside that is none, for one that turns
 * what goes in into another type, and for one with masks.
 *
 * @param type of what goes in.
 */
function chainOf(layer: Layer, type: tf.DataType): Layer[] | null {
  if (!isModel(layer)) {
    return [layer];
  }
  const parts = layer.getClassName() === 'Sequential' ? (layer as ModelLayer & { layers: Layer[] }).layers : [];
  if (parts.length === 0 || layer.inputs[0].dtype !== type) {
    return null;
  }
  const chain: Layer[] = [];
  let given = type;
  for (const part of parts) {
    const inside = !isModel(part) && beginsMask(part) ? null : chainOf(part, given);
    if (!inside) {
      return null;
    }
    chain.push(...inside);
    given = callsOf(part).at(-1)?.outputs[0].dtype ?? given;
  }
  return chain;
}

/**
 * A layer at every time step: the rule of the layer inside, with time steps in the place of samples. A Sequential inside is
 * its layers one after the other; other models go the generic way, and so do one that turns floats into whole numbers and one
 * with masks.
 *
 * @param ruleOf finds the rule of the layer inside.
 */
export function timeDistributed(ruleOf: (className: string) => WiredRule): WiredRule {
  return (anyLayer, parameter) => {
    const wrapper = anyLayer as Wrapper;
    // A layer that tf.js has built without a call says nothing of its inputs: it stands inside of another TimeDistributed.
    const [call] = callsOf(wrapper);
    const chain = call ? chainOf(wrapper.layer, call.inputs[0].dtype) : isModel(wrapper.layer) ? null : [wrapper.layer];
    if (!chain) {
      return generic(wrapper, parameter);
    }
    // A layer that stands in the chain twice has the same operations there.
    const wirings = new Map(
      chain.map((layer) => {
        const { operations, connect } = wiringOf(layer, ruleOf(layer.getClassName())(layer, parameter));
        const every = new Map(operations.map((operation) => [operation, atEveryStep(wrapper, operation)]));
        const wiring: Wiring = {
          operations: [...every.values()],
          connect: (inputs, apply) =>
            connect(inputs, (operation, taken) => apply(every.get(operation) as Operation, taken)),
        };
        return [layer, wiring] as const;
      }),
    );
    const inOrder = chain.map((layer) => wirings.get(layer) as Wiring);
    return {
      operations: inOrder.flatMap(({ operations }) => operations),
      connect: (inputs, apply) => inOrder.reduce((current, { connect }) => connect(current, apply), inputs),
    };
  };
}
