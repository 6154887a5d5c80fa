import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { subjectOfModel } from '../../../src/measure/subject.js';
import { type HutchinsonTraces, hutchinsonTraces } from '../../../src/traces/hutchinson/hutchinson.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { hessianTimes, hessianTraces } from '../../brute-force/hessian.js';
import type { Loss } from '../../brute-force/jacobian.js';
import { goldenCases, goldenInputs, goldenModel, lcg, setGoldenWeights } from '../../measure/golden-network.js';

const noPause = async () => {};

afterEach(() => tf.disposeVariables());

interface Problem {
  readonly model: tfl.LayersModel;
  readonly loss: Loss;
  readonly x: tf.Tensor;
  readonly labels: readonly Float64Array[];
}

/** The graph and its head with a place for labels, behind that for weights of samples. */
const labelledHead = (model: tfl.LayersModel, loss: Loss, sampleWeight?: number[]) =>
  subjectOfModel(model, { loss, method: { hutchinson: 2 }, ...(sampleWeight && { sampleWeight }) });

async function estimate(
  { model, loss, x, labels }: Problem,
  { probes, seed = 1, budgetBytes = 2 ** 26 }: { probes: number; seed?: number; budgetBytes?: number },
): Promise<HutchinsonTraces> {
  const { graph, heads } = labelledHead(model, loss);
  const before = tf.memory().numTensors;
  const traces = hutchinsonTraces(graph, heads, { probes, seed, budgetBytes });
  const y = tf.tensor2d(labels.map((row) => [...row]));
  await traces.add([x, y], noPause);
  y.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return traces;
}

const oneHot = (samples: number, classes: number) =>
  Array.from({ length: samples }, (_, n) =>
    Float64Array.from({ length: classes }, (_, k) => (n % classes === k ? 1 : 0)),
  );

/** Labels by the rule of the golden README; the targets of regression, of which it says nothing more, follow the weights. */
function goldenLabels({ loss, samples, seed, weights }: ReturnType<typeof goldenCases>[number], outputs: number) {
  if (loss !== 'meanSquaredError') {
    return oneHot(samples, outputs);
  }
  const targets = lcg(seed + 1 + weights.length, samples * outputs).map((u) => Math.fround((u - 0.5) * 2));
  return Array.from({ length: samples }, (_, n) => Float64Array.from(targets.slice(n * outputs, (n + 1) * outputs)));
}

async function goldenProblem(name: string) {
  const golden = goldenCases().find((each) => each.name === name)!;
  const model = await goldenModel(golden);
  const outputs = model.outputs[0]!.shape[1] as number;
  const problem: Problem = {
    model,
    loss: golden.loss,
    x: goldenInputs(golden, model),
    labels: goldenLabels(golden, outputs),
  };
  return { problem, expected: golden.expected };
}

/** Inputs and weights that are the same on all backends. */
function problem(model: tfl.LayersModel, samples: number, loss: Loss = 'categoricalCrossentropy'): Problem {
  setGoldenWeights(model, 77);
  const shape = [samples, ...(model.inputs[0]!.shape.slice(1) as number[])];
  const values = lcg(
    5,
    shape.reduce((a, b) => a * b),
  ).map((u) => 3 * (u - 0.5));
  return { model, loss, x: tf.tensor(values, shape), labels: oneHot(samples, model.outputs[0]!.shape[1] as number) };
}

const { dense } = tfl.layers;

function mlp(activation: string, ...widths: number[]): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      ...widths.map((units, i) =>
        dense({ units, activation: activation as 'tanh', ...(i === 0 ? { inputShape: [4] } : {}) }),
      ),
      dense({ units: 3, activation: 'softmax' }),
    ],
  });
}

function gated(): tfl.LayersModel {
  const input = tfl.input({ shape: [4] });
  const left = dense({ units: 5, activation: 'gelu_new' as 'tanh' }).apply(input) as tfl.SymbolicTensor;
  const right = dense({ units: 5, activation: 'swish' as 'tanh' }).apply(input) as tfl.SymbolicTensor;
  const product = tfl.layers.multiply().apply([left, right]) as tfl.SymbolicTensor;
  const output = dense({ units: 3, activation: 'softmax' }).apply(product) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: output });
}

/** A relu layer that is called twice. */
function sharedRelu(units = 4): tfl.LayersModel {
  const input = tfl.input({ shape: [units] });
  const shared = dense({ units, activation: 'relu' });
  const once = shared.apply(input) as tfl.SymbolicTensor;
  const twice = shared.apply(once) as tfl.SymbolicTensor;
  const output = dense({ units: 3, activation: 'softmax' }).apply(twice) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: output });
}

function smoothConvolutions(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1] }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({ filters: 4, kernelSize: 2, dilationRate: 2, activation: 'tanh' }),
      tfl.layers.globalMaxPooling2d({}),
      dense({ units: 3, activation: 'softmax' }),
    ],
  });
}

/** v^T H v for the very signs that a probe draws, with the network's own curvature in float64. */
function exactQuotients({ model, loss, x, labels }: Problem, traces: HutchinsonTraces, seed: number): number[] {
  let place = 0;
  return traces.curved.map(({ name, variable }) => {
    const { size } = variable.read();
    const v = Float64Array.from({ length: size }, (_, i) => (uniform(seed, place + i) < 0.5 ? -1 : 1));
    place += size;
    const product = hessianTimes(model, loss, [x], labels, new Map([[name, v]]), 'network').get(name)!;
    return product.reduce((sum, h, i) => sum + h * v[i]!, 0);
  });
}

describe('hutchinsonTraces', () => {
  it.each(['tanh-not-piecewise-linear', 'sigmoid-mse', 'shared-nobias'])(
    'finds the golden Hessian traces of %s within its error',
    async (name) => {
      const { problem, expected } = await goldenProblem(name);
      const found = await estimate(problem, { probes: 40 });
      expect(found.curved.length).toBeGreaterThan(0);
      found.parameters.forEach((parameter, b) => {
        const { name } = parameter;
        const truth = expected.hessianTrace![name]!;
        const error = found.standardError(found.parameters.map((_, c) => (c === b ? 1 : 0)));
        expect(Math.abs(found.gaussNewton[b]! / expected.ggnTrace[name]! - 1)).toBeLessThan(1e-4);
        expect(Math.abs(found.traces[b]! - truth), name).toBeLessThan(4 * error + 1e-4 * Math.abs(truth));
        if (!found.curved.includes(parameter)) {
          expect(error).toBe(0);
        } else {
          expect(Math.abs(truth / expected.ggnTrace[name]! - 1)).toBeGreaterThan(0.01);
        }
      });
    },
  );

  it('is exact, without any probe, where the network is piecewise linear', async () => {
    for (const name of ['relu6', 'residual', 'cnn-maxpool', 'cnn-batchnorm']) {
      const { problem, expected } = await goldenProblem(name);
      const found = await estimate(problem, { probes: 1 });
      expect(found.curved).toEqual([]);
      expect(found.standardError(found.parameters.map(() => 1))).toBe(0);
      found.parameters.forEach((parameter, b) => {
        expect(Math.abs(found.traces[b]! / expected.hessianTrace![parameter.name]! - 1)).toBeLessThan(1e-4);
      });
    }
  });

  it.each<[string, () => Problem]>([
    ['tanh', () => problem(mlp('tanh', 5, 4), 6)],
    ['softplus', () => problem(mlp('softplus', 5, 4), 6)],
    [
      'squared error after a sigmoid',
      () =>
        problem(
          tfl.sequential({ layers: [dense({ units: 3, activation: 'sigmoid', inputShape: [4] })] }),
          6,
          'meanSquaredError',
        ),
    ],
    ['gelu, swish and a product', () => problem(gated(), 6)],
    ['a relu layer called twice', () => problem(sharedRelu(), 6)],
    ['convolutions, dilation and max pooling', () => problem(smoothConvolutions(), 3)],
  ])('agrees probe by probe with float64 loops: %s', async (_name, make) => {
    const made = make();
    for (const seed of [1, 2]) {
      const found = await estimate(made, { probes: 1, seed });
      const exact = exactQuotients(made, found, seed);
      found.curved.forEach((parameter, block) => {
        const b = found.parameters.indexOf(parameter);
        const deviation = found.traces[b]! - found.gaussNewton[b]! - exact[block]!;
        expect(Math.abs(deviation / found.gaussNewton[b]!), parameter.name).toBeLessThan(1e-3);
      });
    }
  });

  it('means the whole Hessian of the loss', async () => {
    const made = problem(gated(), 5);
    const found = await estimate(made, { probes: 50 });
    const truth = hessianTraces(made.model, made.loss, [made.x], made.labels);
    found.parameters.forEach(({ name }, b) => {
      const error = found.standardError(found.parameters.map((_, c) => (c === b ? 1 : 0)));
      expect(Math.abs(found.traces[b]! - truth.get(name)!), name).toBeLessThan(
        4 * error + 1e-3 * found.gaussNewton[b]!,
      );
    });
  });

  it('does not feel the kinks of relu, also where a step crosses many', async () => {
    const made = problem(sharedRelu(12), 300);
    const found = await estimate(made, { probes: 1 });
    const [exact] = exactQuotients(made, found, 1);
    const deviation = found.traces[0]! - found.gaussNewton[0]! - exact!;
    expect(Math.abs(deviation / found.gaussNewton[0]!)).toBeLessThan(1e-3);
  });

  it('states errors that are as large as the errors are', async () => {
    const { problem, expected } = await goldenProblem('shared-nobias');
    const scores: number[] = [];
    for (let seed = 0; seed < 16; seed++) {
      const found = await estimate(problem, { probes: 10, seed });
      const b = found.parameters.findIndex(({ name }) => name === 'shared/kernel');
      const error = found.standardError(found.parameters.map((_, c) => (c === b ? 1 : 0)));
      scores.push((found.traces[b]! - expected.hessianTrace!['shared/kernel']!) / error);
    }
    const rms = Math.sqrt(scores.reduce((sum, z) => sum + z * z, 0) / scores.length);
    expect(rms).toBeGreaterThan(0.7);
    expect(rms).toBeLessThan(1.4);
  });

  it('has the error of a combination from the probes, not from the blocks', async () => {
    const found = await estimate(problem(mlp('tanh', 5, 4), 6), { probes: 20 });
    const factors = found.parameters.map((_, b) => b - 2);
    const single = found.parameters.map((_, b) => found.standardError(factors.map((f, c) => (c === b ? f : 0))));
    const whole = found.standardError(factors);
    expect(whole).toBeGreaterThan(0);
    expect(whole).toBeLessThanOrEqual(single.reduce((a, b) => a + b));
    expect(found.standardError(factors.map((f) => 3 * f))).toBeCloseTo(3 * whole, 10);
    expect((await estimate(problem(mlp('tanh', 5), 3), { probes: 1 })).standardError([1, 1, 1, 1])).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it('gives the same whatever the chunks and batches, and weights samples', async () => {
    const made = problem(mlp('tanh', 5, 4), 12);
    const { graph, heads } = labelledHead(made.model, made.loss);
    const whole = await estimate(made, { probes: 3 });
    const close = (found: readonly number[], expected: readonly number[]) => {
      found.forEach((trace, b) => {
        expect(Math.abs(trace - expected[b]!)).toBeLessThan(1e-3 * whole.gaussNewton[b]!);
      });
    };
    close((await estimate(made, { probes: 3, budgetBytes: 4_000 })).traces, whole.traces);

    const y = tf.tensor2d(made.labels.map((row) => [...row]));
    const batches = hutchinsonTraces(graph, heads, { probes: 3, seed: 1, budgetBytes: 2 ** 26 });
    for (const [begin, count] of [
      [0, 5],
      [5, 7],
    ]) {
      const part = [tf.slice(made.x, begin!, count), tf.slice(y, begin!, count)];
      await batches.add(part, noPause);
      tf.dispose(part);
    }
    expect(batches.samples).toBe(12);
    close(batches.traces, whole.traces);

    // Half of the samples with weight 2, the others with weight 0: the mean over that half.
    const sampleWeight = made.labels.map((_, n) => (n < 6 ? 2 : 0));
    const withWeights = labelledHead(made.model, made.loss, sampleWeight);
    const weighted = hutchinsonTraces(withWeights.graph, withWeights.heads, {
      probes: 3,
      seed: 1,
      budgetBytes: 2 ** 26,
    });
    const weights = tf.tensor1d(sampleWeight);
    await weighted.add([made.x, weights, y], noPause);
    const half = { ...made, x: tf.slice(made.x, 0, 6), labels: made.labels.slice(0, 6) };
    close(weighted.traces, (await estimate(half, { probes: 3 })).traces);
  });

  it('repeats itself for a seed, and only for it', async () => {
    const made = problem(mlp('tanh', 5, 4), 6);
    const [first, again, other] = [
      await estimate(made, { probes: 2, seed: 7 }),
      await estimate(made, { probes: 2, seed: 7 }),
      await estimate(made, { probes: 2, seed: 8 }),
    ];
    expect(again.traces).toEqual(first.traces);
    expect(other.traces).not.toEqual(first.traces);
  });

  it('leaves every weight as it was, bit by bit, whenever something else may run', async () => {
    const constrained = tfl.sequential({
      layers: [
        dense({ units: 4, activation: 'tanh', inputShape: [4], kernelConstraint: 'nonNeg' }),
        dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const made = problem(constrained, 6);
    const bits = () => made.model.weights.map((w) => [...w.read().dataSync()]);
    const before = bits();
    const { graph, heads } = labelledHead(made.model, made.loss);
    const y = tf.tensor2d(made.labels.map((row) => [...row]));
    // A turn of the event loop is due wherever it may be, also between the layers with a weight moved.
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 200;
      return now;
    });
    let pauses = 0;
    for (let run = 0; run < 2; run++) {
      pauses = 0;
      const traces = hutchinsonTraces(graph, heads, { probes: 2, seed: 1, budgetBytes: 4_000 });
      await traces.add([made.x, y], async () => {
        pauses++;
        expect(bits()).toEqual(before);
      });
    }
    expect(pauses).toBeGreaterThan(10);
    expect(bits()).toEqual(before);

    const tensors = tf.memory().numTensors;
    for (let last = 1; last < pauses; last += 5) {
      let count = 0;
      const aborted = hutchinsonTraces(graph, heads, { probes: 2, seed: 1, budgetBytes: 4_000 }).add(
        [made.x, y],
        async () => {
          if (++count === last) {
            throw new Error('aborted');
          }
        },
      );
      await expect(aborted).rejects.toThrow('aborted');
      expect(bits()).toEqual(before);
      expect(tf.memory().numTensors).toBe(tensors);
    }
  });

  it('leaves the weights as they were when a layer fails with them moved', async () => {
    const made = problem(mlp('tanh', 5, 4), 4);
    const bits = () => made.model.weights.map((w) => [...w.read().dataSync()]);
    const before = bits();
    const { graph, heads } = labelledHead(made.model, made.loss);
    let calls = 0;
    const failing = {
      ...graph,
      steps: graph.steps.map((step, i) => {
        if (i !== graph.steps.length - 1) {
          return step;
        }
        const forward: typeof step.operation.forward = (inputs, recording) => {
          const weightsMoved = bits().some((values, w) => values.some((value, j) => value !== before[w]![j]));
          if (weightsMoved && ++calls === 2) {
            throw new Error('no memory');
          }
          return step.operation.forward(inputs, recording);
        };
        return { ...step, operation: { ...step.operation, forward } };
      }),
    };
    const y = tf.tensor2d(made.labels.map((row) => [...row]));
    const tensors = tf.memory().numTensors;
    const traces = hutchinsonTraces(failing, heads, { probes: 2, seed: 1, budgetBytes: 2 ** 26 });
    await expect(traces.add([made.x, y], noPause)).rejects.toThrow('no memory');
    expect(bits()).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
