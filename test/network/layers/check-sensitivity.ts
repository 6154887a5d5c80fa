import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import type { Graph } from '../../../src/network/graph.js';
import type { Operation, RecordedCall } from '../../../src/network/layers/operation.js';
import { byRandomSigns, type SensedCall, spread } from '../../../src/network/layers/sensitivity.js';

/** How near a sensitivity has to be to the brute-force one, once the two are on one scale. */
interface Nearness {
  /** Largest ratio of the two, either way. */
  readonly ratio: number;
  /** Whether only sums over positions are compared, channel by channel. */
  readonly byChannel?: boolean;
  /** Whether the weights' own share is known to a few times only, and not compared. */
  readonly withoutWeights?: boolean;
}

const EXACT: Nearness = { ratio: 1.001 };

/** Operations that are near, not exact: by a part of their description. */
const near: readonly (readonly [RegExp, Nearness])[] = [
  // At the rims, fewer taps meet.
  [/input of/, EXACT],
  [/Conv\dD(Transpose)?$|DepthwiseConv2D$|SeparableConv2D$/, { ratio: 2.5, byChannel: true }],
  [/MaxPooling/, { ratio: 4, byChannel: true }],
  [/AveragePooling/, { ratio: 2.5, byChannel: true }],
  [/UpSampling/, { ratio: 2.5, byChannel: true }],
  // Through time, paths meet.
  [/(SimpleRNN|RNN|GRU|LSTM|Bidirectional)$/, { ratio: 2 }],
];

/** By random signs, only the order of size is right. */
const BY_SIGNS: Nearness = { ratio: 1e3, byChannel: true, withoutWeights: true };

const numbersOf = (x: tf.Tensor) => Float64Array.from(x.dataSync());

/** [..., C] -> sums over everything but samples and channels. */
function sums(values: Float64Array, samples: number, channels: number): Float64Array {
  const found = new Float64Array(samples * channels);
  const size = values.length / samples;
  values.forEach((value, i) => {
    found[Math.floor(i / size) * channels + (i % channels)]! += value;
  });
  return found;
}

function compare(
  actual: tf.Tensor,
  expected: Float64Array,
  shape: readonly number[],
  nearness: Nearness,
  what: string,
) {
  const full = numbersOf(spread(actual, shape));
  expect(full.length, what).toBe(expected.length);
  expect(
    full.every((value) => value >= 0 && Number.isFinite(value)),
    what,
  ).toBe(true);
  const channels = nearness.byChannel ? (shape.at(-1) as number) : full.length / shape[0]!;
  const [a, b] = [full, expected].map((values) => sums(values, shape[0]!, channels)) as [Float64Array, Float64Array];
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
  const scale = total(a) / total(b);
  const largest = Math.max(...b);
  a.forEach((value, i) => {
    const right = b[i]! * scale;
    const slack = 1e-5 * largest * scale;
    expect(value, `${what}, ${i}: ${value} for ${right}`).toBeLessThanOrEqual(right * nearness.ratio + slack);
    expect(value, `${what}, ${i}: ${value} for ${right}`).toBeGreaterThanOrEqual(right / nearness.ratio - slack);
  });
}

/**
 * Every operation of a graph: the sensitivity of its output against the squares of all its derivatives, taken one by one with
 * `backward` and `squaredNorms`.
 */
export function checkSensitivities(graph: Graph, inputs: readonly tf.Tensor[]): void {
  tf.tidy(() => {
    const values = new Map<number, tf.Tensor>(graph.inputs.map((id, i) => [id, inputs[i] as tf.Tensor]));
    for (const { operation, inputs: ids, mask: maskId, output: id } of graph.steps) {
      const xs = ids.map((each) => values.get(each) as tf.Tensor);
      const mask = maskId === undefined ? undefined : values.get(maskId);
      const { output, saved } = operation.forward(xs, true, mask);
      values.set(id, output);
      const inputShapes = xs.map(({ shape }) => shape);
      const call: SensedCall & RecordedCall = { inputs: xs, output, saved, inputShapes, ...(mask && { mask }) };
      if (!operation.description.startsWith('mask of')) {
        check(operation, call);
      }
    }
  });
}

function check(operation: Operation, recorded: SensedCall & RecordedCall): void {
  const { inputs, output } = recorded;
  const { shape } = output;
  const samples = shape[0]!;
  const size = output.size / samples;
  const what = `${operation.layer.name} ${operation.description}`;
  const nearness = operation.sensitivity
    ? (near.find(([pattern]) => pattern.test(operation.description))?.[1] ?? EXACT)
    : BY_SIGNS;
  const sensitivity = operation.sensitivity ?? byRandomSigns(operation);
  const call = { ...recorded, weights: sensitivity.weights?.() ?? [] };
  const q = inputs.map((x, i) =>
    x.dtype === 'float32' ? tf.randomUniform(x.shape, 0.5, 1.5, 'float32', 3 + i) : null,
  );
  /** 1 at one element of every sample's output, 0 elsewhere. */
  const unit = (i: number) => {
    const one = Float32Array.from({ length: samples * size }, (_, place) => (place % size === i ? 1 : 0));
    return tf.tensor(one, shape);
  };
  const own = operation.parameters.map(() => new Float64Array(output.size));
  const expected = new Float64Array(output.size);
  let anyDerivative = false;
  for (let i = 0; i < size; i++) {
    const delta = unit(i);
    const back = operation.backward(call, delta, 1);
    back.forEach((each, j) => {
      const given = q[j];
      if (given) {
        const sum = numbersOf(tf.sum(tf.reshape(tf.mul(tf.square(each), given), [samples, -1]), 1));
        sum.forEach((value, n) => {
          expected[n * size + i]! += value;
          anyDerivative ||= value > 0;
        });
      }
    });
    operation
      .squaredNorms?.([{ ...call, delta: operation.leavesAtInput ? back[0]! : delta }], 1)
      .forEach((norms, b) => {
        if (norms) {
          numbersOf(norms).forEach((value, n) => {
            own[b]![n * size + i] = value;
          });
        }
      });
  }
  const through = q.some((each) => each) ? sensitivity.through(q, call) : null;
  if (through) {
    compare(through, expected, shape, nearness, what);
  } else {
    expect(anyDerivative, what).toBe(false);
  }
  if (sensitivity.entersAtInput) {
    // The weights act inside: what they add, sent on to the output.
    const entering = sensitivity.ofParameters?.(call) as tf.Tensor[];
    const sent = sensitivity.through([entering[0] as tf.Tensor], call) as tf.Tensor;
    if (entering.length === 1) {
      compare(sent, own[0]!, shape, { ratio: 4, byChannel: true }, `${what}, weights`);
    }
    return;
  }
  if (nearness.withoutWeights) {
    return;
  }
  sensitivity.ofParameters?.(call).forEach((each, b) => {
    const given = each ?? tf.ones([samples, ...shape.slice(1).map(() => 1)]);
    compare(given, own[b]!, shape, nearness, `${what}, weight ${b}`);
  });
}
