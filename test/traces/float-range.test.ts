import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { trainedParameters, unfold } from '../../src/network/graph.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { traceKernel } from '../../src/traces/exact.js';
import { checkFloatRange, inFloatRange } from '../../src/traces/float-range.js';
import { referenceTraces } from '../brute-force/traces.js';
import { oneHead } from '../network/one-head.js';

const hessian = outputHessians.softmaxCrossEntropy;

/** Without biases, with the weights of its layers multiplied. */
function network(...factors: number[]): tfl.LayersModel {
  const units = [6, 5, 3];
  const model = tfl.sequential({
    layers: units.map((size, i) =>
      tfl.layers.dense({
        units: size,
        useBias: false,
        name: `layer${i}`,
        kernelInitializer: tfl.initializers.glorotNormal({ seed: 7 + i }),
        ...(i === 0 ? { inputShape: [4] } : {}),
        ...(i < 2 ? { activation: 'relu' as const } : {}),
      }),
    ),
  });
  const weights = model.getWeights();
  tf.tidy(() => {
    model.setWeights(weights.map((w, i) => tf.mul(w, factors[i]!)));
  });
  return model;
}

/** T_b, in the order of the graph. */
async function tracesOf(model: tfl.LayersModel, x: tf.Tensor): Promise<number[]> {
  const sums: number[] = [];
  for await (const { norms } of traceKernel(unfold(model), oneHead(hessian), 2 ** 26).traces([x])) {
    norms.forEach((ofBlock, b) => {
      sums[b] = (sums[b] ?? 0) + ofBlock.reduce((sum, norm) => sum + norm / x.shape[0], 0);
    });
  }
  return sums;
}

async function expectReference(model: tfl.LayersModel, x: tf.Tensor): Promise<void> {
  const { traces } = referenceTraces(model, 'softmaxCrossEntropy', [x]);
  const before = tf.memory().numTensors;
  const found = await tracesOf(model, x);
  expect(tf.memory().numTensors).toBe(before);
  trainedParameters(unfold(model)).forEach(({ name }, b) => {
    expect(found[b]! / traces.get(name)!, name).toBeCloseTo(1, 4);
  });
}

describe('traces whose numbers leave the range of float32', () => {
  const x = () => tf.randomNormal([7, 4], 0, 1, 'float32', 3);

  it.each([2 ** 30, 2 ** 33, 2 ** 45, 2 ** -30, 2 ** -40, 2 ** -60])(
    'are those of float64: weights times %f',
    async (a) => {
      const model = network(a, 1 / a / a, a);
      await expectReference(model, x());
    },
  );

  it('are those of float64 where norms of deltas underflow and norms of inputs make up for it', async () => {
    // Squares of deltas are about 1e-38, those of inputs 1e38: traces of about 1 that float32 gets wrong.
    for (const a of [2 ** 58, 2 ** 61, 2 ** 63]) {
      const model = network(a, 1, 1 / a);
      await expectReference(model, x());
    }
  });

  it('are those of float64 where the network is very sure', async () => {
    const model = network(1, 1, 4000);
    const found = await tracesOf(model, x());
    const { traces } = referenceTraces(model, 'softmaxCrossEntropy', [x()]);
    found.forEach((trace, b) => {
      const expected = traces.get(`layer${b}/kernel`)!;
      expect(expected).toBeLessThan(1e-40);
      expect(Math.abs(trace / expected - 1)).toBeLessThan(1e-2);
    });
  });

  it('stay 0 where nothing is active', async () => {
    const model = network(1, 0, 1);
    expect(await tracesOf(model, x())).toEqual([0, 0, 0]);
  });

  it('are refused where the network itself has lost its digits on the way forward', async () => {
    await expect(tracesOf(network(2 ** -70, 2 ** -70, 2 ** 120), x())).rejects.toThrow(
      /^Layer 'layer1' \(Dense\) has weights or products so small that float32 loses their digits: multiply/,
    );
    await expect(tracesOf(network(2 ** 100, 2 ** 100, 1), x())).rejects.toThrow(/^The outputs are not finite/);
  });
});

describe('inFloatRange', () => {
  it('looks at the sum of every row, and lets rows be 0 where that is known', () => {
    const values = (...rows: number[]) => Float32Array.from(rows.flatMap((row) => [row, row]));
    expect(inFloatRange(values(1, 1e-20), 2, new Set())).toBe(true);
    for (const broken of [0, 1e-26, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(inFloatRange(values(1, broken), 2, new Set())).toBe(false);
      expect(inFloatRange(values(1, broken), 2, new Set([1]))).toBe(broken === 0);
    }
  });
});

it('checkFloatRange names the weight whose trace is out of range', () => {
  const parameters = trainedParameters(unfold(network(1, 1, 1)));
  expect(() => checkFloatRange(parameters, [1, 0, 1e20], 'more')).not.toThrow();
  for (const trace of [1e-25, 1e25, Number.NaN]) {
    expect(() => checkFloatRange(parameters, [1, trace, 1], 'more')).toThrow(
      /^The trace of 'layer1\/kernel' is .*, where float32 loses digits of more: bring/,
    );
  }
});
