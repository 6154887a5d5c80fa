import * as tf from '@tensorflow/tfjs-core';
import { throughTfjs } from './generic.js';
import type { CallWithDelta, Layer, Operation, RecordedCall } from './operation.js';
import { type RecurrentLayer, recurrence } from './recurrence.js';
import { isPlain, projection, recurrentAsWhole } from './recurrent.js';
import { cellOf, letsScaleThrough } from './recurrent-cells.js';
import type { LayerRule } from './rule.js';
import { type SensedCall, type Sensitivity, spread } from './sensitivity.js';

interface BidirectionalLayer extends Layer {
  forwardLayer: RecurrentLayer;
  backwardLayer: RecurrentLayer;
  mergeMode: 'concat' | 'sum' | 'ave' | 'mul' | null;
}

/**
 * Two operations beside each other, with their outputs joined along the last axis.
 *
 * @param width of the first output.
 * @param inputWidth of what the first takes of the last axis, the second the rest. Default: both take the whole input.
 */
function sideBySide(first: Operation, second: Operation, width: number, inputWidth?: number): Operation {
  const both = [first, second];
  const cut = (x: tf.Tensor, at: number) => tf.split(x, [at, x.shape[x.rank - 1] - at], x.rank - 1);
  const half = (call: RecordedCall, i: number): RecordedCall => ({
    ...call,
    saved: call.saved.slice((i * call.saved.length) / 2, ((i + 1) * call.saved.length) / 2),
  });
  const ofHalf = (calls: readonly CallWithDelta[], i: number) =>
    calls.map((call): CallWithDelta => ({ ...half(call, i), delta: cut(call.delta, width)[i] }));
  /** What each of the two sees of a call. */
  const sensed = (call: SensedCall, i: number): SensedCall => ({
    ...call,
    inputs: inputWidth === undefined ? call.inputs : [cut(call.inputs[0], inputWidth)[i]],
    output: cut(call.output, width)[i],
    saved: call.saved.slice((i * call.saved.length) / 2, ((i + 1) * call.saved.length) / 2),
    weights: call.weights?.slice((i * call.weights.length) / 2, ((i + 1) * call.weights.length) / 2),
  });
  const sensitivities = both.map((each) => each.sensitivity as Sensitivity);
  const entersAtInput = sensitivities[0].entersAtInput === true;
  const units = sensitivities.flatMap(({ unit }) => unit ?? []);
  const largest = () => units.map((unit) => unit()).reduce((a, b) => tf.maximum(a, b));
  const sensitivity: Sensitivity = {
    ...sensitivities[0],
    ...(units.length > 0 && { unit: largest }),
    weights: () => sensitivities.flatMap((each) => each.weights?.() ?? []),
    through([q], call) {
      const halves = q && (inputWidth === undefined ? [q, q] : cut(spread(q, call.inputs[0].shape), inputWidth));
      const found = sensitivities.map((each, i) => {
        const of = sensed(call, i);
        const one = each.through([halves?.[i] ?? null], of);
        const inUnits = one && each.unit ? tf.mul(one, tf.square(tf.div(each.unit(), largest()))) : one;
        return inUnits ? spread(inUnits, of.output.shape) : tf.zeros(of.output.shape);
      });
      return tf.concat(found, -1);
    },
    // Weights of one of the two do nothing to the other.
    ofParameters: (call) =>
      sensitivities.flatMap((each, i) => {
        const own = sensed(call, i);
        const other = sensed(call, 1 - i);
        const [place, rest] = entersAtInput ? [own.inputs[0], other.inputs[0]] : [own.output, other.output];
        return (each.ofParameters?.(own) ?? []).map((one) => {
          const here = one ? spread(one, place.shape) : tf.ones(place.shape);
          const there = tf.zeros(rest.shape);
          return tf.concat(i === 0 ? [here, there] : [there, here], -1);
        });
      }),
  };
  return {
    ...first,
    sensitivity,
    parameters: both.flatMap(({ parameters }) => parameters),
    factorsNorms: false,
    linearIn: undefined,
    forward([x], recording, mask) {
      const parts = inputWidth === undefined ? [x, x] : cut(x, inputWidth);
      const found = both.map((each, i) => each.forward([parts[i]], recording, mask));
      return {
        output: tf.concat(
          found.map(({ output }) => output),
          -1,
        ),
        saved: found.flatMap(({ saved }) => saved),
      };
    },
    backward(call, delta, columns) {
      const deltas = cut(delta, width);
      const [a, b] = both.map((each, i) => each.backward(half(call, i), deltas[i], columns)[0]);
      return [inputWidth === undefined ? tf.add(a, b) : tf.concat([a, b], -1)];
    },
    squaredNorms: (calls, columns) => both.flatMap((each, i) => each.squaredNorms?.(ofHalf(calls, i), columns) ?? []),
    gradients: (calls) => both.flatMap((each, i) => each.gradients?.(ofHalf(calls, i)) ?? []),
  };
}

/** A recurrent layer and a copy of it that takes the steps the other way, their outputs joined, added, averaged or multiplied. */
export const bidirectional: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as BidirectionalLayer;
  const { forwardLayer, backwardLayer, mergeMode } = layer;
  const [cell, otherCell] = [forwardLayer, backwardLayer].map(({ cell: each }) => cellOf(each));
  if (!cell || !otherCell || mergeMode === null || !isPlain(layer, forwardLayer)) {
    return recurrentAsWhole(layer, [forwardLayer, backwardLayer], parameter);
  }
  const { units, kernel } = forwardLayer.cell;
  const width = kernel.shape[1] as number;
  const joined = [
    sideBySide(projection(layer, forwardLayer, parameter), projection(layer, backwardLayer, parameter), width),
    sideBySide(
      recurrence(layer, forwardLayer, cell, parameter),
      recurrence(layer, backwardLayer, otherCell, parameter, true),
      units,
      width,
    ),
  ];
  if (mergeMode === 'concat') {
    return joined;
  }
  const merged = ([x]: tf.Tensor[]) => {
    const [a, b] = tf.split(x, 2, x.rank - 1);
    return mergeMode === 'mul' ? tf.mul(a, b) : tf.mul(tf.add(a, b), mergeMode === 'ave' ? 0.5 : 1);
  };
  const isProduct = mergeMode === 'mul';
  const properties = { scale: isProduct ? 'pins' : 'ties', piecewiseLinear: !isProduct } as const;
  const merge = throughTfjs(layer, `${mergeMode} of ${layer.getClassName()}`, merged, properties);
  // The two factors of a product might have scales of their own, which the one tensor that they stand in does not.
  return [...joined, { ...merge, scaleUnknown: isProduct && letsScaleThrough(forwardLayer.cell) }];
};
