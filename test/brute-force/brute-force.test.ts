import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { chainMinimum } from './chain-minimum.js';
import type { Loss } from './jacobian.js';
import { anyNetwork, buildNetwork, chainNetwork, type NetworkSpec } from './random-model.js';
import { type ReferenceTraces, referenceTraces } from './traces.js';

/** BRUTE_FORCE_RUNS=1000 looks harder; BRUTE_FORCE_SEED=... repeats a run that failed (fast-check prints its seed). */
const numRuns = Number(process.env.BRUTE_FORCE_RUNS ?? 100);
const seed = process.env.BRUTE_FORCE_SEED ? { seed: Number(process.env.BRUTE_FORCE_SEED) } : {};

/**
 * Nearer than this to a kink, float32 and float64 may stand on different sides of it and both be right: such a draw says
 * nothing. Rounding moves the small networks here by about 1e-6.
 */
const nearKink = 1e-5;

/** How far a trace may be off: 1e-4 of itself, and for one that is next to nothing a part of the whole trace. */
const allowance = (trace: number, { total }: ReferenceTraces) => 1e-4 * trace + 1e-9 * total;

/**
 * Whether numbers that are rounded to float32 determine the traces: a change of every weight and input by a few units in the
 * last place moves none of them by a tenth of what is allowed. Where a gradient is a sum that nearly cancels, the exact
 * traces themselves move further, and nobody who works in float32 can find them.
 */
function isDetermined(model: tfl.LayersModel, loss: Loss, inputs: tf.Tensor[], reference: ReferenceTraces): boolean {
  return [1, 2, 3].every((draw) => {
    const nudged = referenceTraces(model, loss, inputs, { relative: 3 * 2 ** -23, draw });
    return [...reference.traces].every(
      ([name, trace]) => Math.abs(nudged.traces.get(name)! - trace) < allowance(trace, reference) / 10,
    );
  });
}

async function withNetwork(
  spec: NetworkSpec,
  check: (network: ReturnType<typeof buildNetwork>, reference: ReferenceTraces) => Promise<void>,
): Promise<void> {
  const network = buildNetwork(spec);
  try {
    fc.pre(network.model.trainableWeights.length > 0);
    const reference = referenceTraces(network.model, spec.loss, network.inputs);
    fc.pre(reference.kinkDistance > nearKink);
    fc.pre(isDetermined(network.model, spec.loss, network.inputs, reference));
    await check(network, reference);
  } finally {
    tf.dispose(network.inputs);
    network.model.optimizer?.dispose();
    tf.disposeVariables();
  }
}

async function measured(
  model: tfl.LayersModel,
  inputs: tf.Tensor[],
  { compiled, loss }: NetworkSpec,
): Promise<SharpnessReading> {
  const before = tf.memory().numTensors;
  const reading = await measureSharpness(model, inputs, compiled ? {} : { loss });
  expect(tf.memory().numTensors).toBe(before);
  return reading;
}

/**
 * The reference means the same network: its outputs are the model's. The wasm and native backends compute some uneven
 * convolutions wrong (a window as wide as the image, different strides), depending on the number of samples: what such a model
 * is, nobody can say. The batches tried are those that a measurement makes, the first sample and the others.
 */
function expectSameNetwork(model: tfl.LayersModel, inputs: tf.Tensor[], { outputs }: ReferenceTraces): void {
  const samples = outputs.length;
  const predicted = (begin: number, count: number) =>
    count === 0
      ? []
      : tf.tidy(() => [...(model.predict(inputs.map((x) => tf.slice(x, begin, count))) as tf.Tensor).dataSync()]);
  const expected = outputs.flatMap((y) => [...y]);
  for (const found of [predicted(0, samples), [...predicted(0, 1), ...predicted(1, samples - 1)]]) {
    const wrong = expected.filter((y, i) => !(Math.abs(found[i] - y) < 1e-5 * Math.max(1, Math.abs(y))));
    if (tf.getBackend() !== 'cpu') {
      fc.pre(wrong.length === 0);
    }
    expect(wrong).toEqual([]);
  }
}

describe('measureSharpness against Jacobians, one output and one sample at a time', () => {
  test(
    'finds the trace of every parameter of any network',
    async () => {
      await fc.assert(
        fc.asyncProperty(anyNetwork, async (spec) => {
          await withNetwork(spec, async ({ model, inputs, gaussNewtonOnly, surelyExact }, reference) => {
            expectSameNetwork(model, inputs, reference);

            const reading = await measured(model, inputs, spec);

            expect(reading.parameters.map(({ name }) => name)).toEqual([...reference.traces.keys()]);
            for (const { name, trace, standardError } of reading.parameters) {
              const expected = reference.traces.get(name)!;
              expect(Math.abs(trace - expected), `${name}: ${trace}, expected ${expected}`).toBeLessThanOrEqual(
                allowance(expected, reference),
              );
              expect(standardError).toBe(0);
            }
            expect(Math.abs(reading.trace - reference.total)).toBeLessThanOrEqual(1e-4 * reference.total);
            expect(reading.minimumSharpness).toBeGreaterThanOrEqual(0);
            expect(reading.minimumSharpness).toBeLessThanOrEqual(reading.trace * (1 + 1e-6));
            expect(reading.samples).toBe(spec.samples);
            if (surelyExact) {
              expect(reading.exact).toBe(true);
            }
            if (gaussNewtonOnly) {
              expect(reading.exact).toBe(false);
            }
          });
        }),
        { numRuns, ...seed },
      );
    },
    numRuns * 3000,
  );

  test(
    'finds the same minimum as gradient descent on chains',
    async () => {
      await fc.assert(
        fc.asyncProperty(chainNetwork, async (spec) => {
          await withNetwork(spec, async ({ model, inputs }, reference) => {
            fc.pre(chainCanBeRescaled(spec));
            // A dead block leaves an infimum, which descent approaches for ever.
            fc.pre([...reference.traces.values()].every((trace) => trace > 1e-6 * reference.total));
            expectSameNetwork(model, inputs, reference);
            const reading = await measured(model, inputs, spec);
            const expected = chainMinimum(model, reference.traces);
            expect(Math.abs(reading.minimumSharpness / expected - 1)).toBeLessThan(1e-4);
          });
        }),
        { numRuns: Math.ceil(numRuns / 3), ...seed },
      );
    },
    numRuns * 3000,
  );
});

/** Squared error keeps the last activation in the network: only a homogeneous one leaves the scales before it free. */
function chainCanBeRescaled({ loss, head }: NetworkSpec): boolean {
  return loss !== 'meanSquaredError' || ['linear', 'relu', 'leakyRelu'].includes(head.activation.name);
}
