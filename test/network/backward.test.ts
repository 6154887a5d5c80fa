import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { sendingBack, squaredNorms, stackedNorms } from '../../src/network/backward.js';
import type { Graph } from '../../src/network/graph.js';
import type { Layer, Operation, Parameter } from '../../src/network/layers/operation.js';
import { planSteps, record } from '../../src/network/tape.js';
import { atOnce } from '../../src/network/walk.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';

/** y = factor * x for [N, 1], whose factor, where it trains, has the gradient x d. */
function times(name: string, factor: number, trainable = true): Operation {
  const layer = { name } as Layer;
  const variable = {} as Parameter['variable'];
  const parameter: Parameter = { name, layer, role: 'kernel', trainable, variable };
  return {
    layer,
    description: name,
    scale: 'affine',
    piecewiseLinear: true,
    parameters: [parameter],
    forward: ([x]) => ({ output: tf.mul(x!, factor), saved: [tf.clone(x!)] }),
    backward: (_call, delta) => [tf.mul(delta, factor)],
    squaredNorms(calls, columns) {
      const gradients = calls.map(({ saved, delta }) => tf.mul(delta, tf.tile(saved[0]!, [columns, 1])));
      return [tf.sum(tf.square(tf.reshape(tf.addN(gradients), [columns, -1])), 0)];
    },
  };
}

const sum: Operation = {
  ...times('sum', 1),
  parameters: [],
  forward: ([x, y]) => ({ output: tf.add(x!, y!), saved: [] }),
  backward: (_call, delta) => [tf.clone(delta), tf.mul(delta, 1)],
};

const SAMPLES = [1, 2];

/** Sends deltas of the outputs back, [R * N] numbers each, and gives the norms by the names of the weights. */
function normsOf(graph: Graph, deltas: Readonly<Record<number, number[]>>, columns: number): Record<string, number[]> {
  const x = tf.tensor2d(SAMPLES, [SAMPLES.length, 1]);
  const before = tf.memory().numTensors;
  const plan = planSteps(graph);
  const tape = record(graph, plan, [x], memoryGauge());
  const outputDeltas = new Map(
    Object.entries(deltas).map(([output, values]) => [Number(output), tf.tensor2d(values, [values.length, 1])]),
  );
  const norms = squaredNorms(graph, plan, tape, outputDeltas, columns, memoryGauge());
  const found = Object.fromEntries([...norms].map(([{ name }, norm]) => [name, [...norm.dataSync()]]));
  tf.dispose([...norms.values()]);
  tape.dispose();
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
  return found;
}

describe('squaredNorms', () => {
  it('follow the chain rule, and are summed over the columns', () => {
    const steps = [
      { operation: times('a', 3), inputs: [0], output: 1 },
      { operation: times('b', 5), inputs: [1], output: 2 },
    ];
    // z = 15 x; the gradients by the factors a, b are 5 x c and 3 x c for a column c.
    const found = normsOf({ inputs: [0], outputs: [2], steps }, { 0: [1, 1, 2, 0] }, 2);
    expect(found).toEqual({ a: [25 * (1 + 4), 25 * 4], b: [9 * (1 + 4), 9 * 4] });
  });

  it('add up the deltas of a tensor that goes to several places, and the gradients of a layer that is called twice', () => {
    const twice = times('twice', 3);
    const steps = [
      { operation: twice, inputs: [0], output: 1 },
      { operation: twice, inputs: [1], output: 2 },
      { operation: sum, inputs: [1, 2], output: 3 },
    ];
    // z = w x + w^2 x: dz/dw = x + 2 w x = 7 x.
    expect(normsOf({ inputs: [0], outputs: [3], steps }, { 0: [1, 1] }, 1)).toEqual({ twice: [49, 49 * 4] });
  });

  it('belong to trained weights that a delta reaches, and to no others', () => {
    const steps = [
      { operation: times('below', 2), inputs: [0], output: 1 },
      { operation: times('frozen', 3, false), inputs: [1], output: 2 },
      { operation: times('beside', 5), inputs: [1], output: 3 },
    ];
    const graph: Graph = { inputs: [0], outputs: [2, 3], steps };
    expect(normsOf(graph, { 0: [1, 1] }, 1)).toEqual({ below: [9, 36] });
    expect(normsOf(graph, { 0: [1, 0], 1: [0, 1] }, 1)).toEqual({ below: [9, 25 * 4], beside: [0, 4 * 4] });
  });
});

describe('sendingBack', () => {
  it.each(['backward', 'leave'])('leaves nothing behind when a step fails in %s, and names the layer', (where) => {
    const fail = () => {
      throw new Error('no gradient');
    };
    const broken = times('b', 5);
    const steps = [
      { operation: times('a', 3), inputs: [0], output: 1 },
      { operation: where === 'backward' ? { ...broken, backward: fail } : broken, inputs: [1], output: 2 },
      { operation: times('c', 7), inputs: [2], output: 3 },
    ];
    const graph: Graph = { inputs: [0], outputs: [3, 1], steps };
    const x = tf.tensor2d(SAMPLES, [2, 1]);
    const before = tf.memory().numTensors;
    const plan = planSteps(graph);
    const tape = record(graph, plan, [x], memoryGauge());
    const deltas = new Map([0, 1].map((output) => [output, tf.ones([2, 1])]));
    const leave = ({ description }: Operation) => (description === 'b' ? fail() : [tf.scalar(1)]);
    expect(() => atOnce(sendingBack(graph, plan, tape, deltas, 1, memoryGauge(), leave))).toThrow(
      "Layer 'b' (b) cannot be measured: no gradient",
    );
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it.each(['a rule', 'a head'])('leaves nothing behind where %s gives a delta of another shape than another', (who) => {
    const odd = { ...times('b', 5), leavesAtInput: true, backward: () => [tf.ones([3, 4])] };
    const steps = [
      { operation: times('a', 3), inputs: [0], output: 1 },
      { operation: odd, inputs: [1], output: 2 },
      { operation: sum, inputs: [1, 2], output: 3 },
    ];
    const graph: Graph = { inputs: [0], outputs: who === 'a rule' ? [3] : [1, 1, 3], steps };
    const x = tf.tensor2d(SAMPLES, [2, 1]);
    const before = tf.memory().numTensors;
    const plan = planSteps(graph);
    const tape = record(graph, plan, [x], memoryGauge());
    const deltas = new Map(graph.outputs.map((_, i) => [i, i === 1 ? tf.ones([3, 4]) : tf.ones([2, 1])]));
    const leave = () => [tf.scalar(1)];
    expect(() => atOnce(sendingBack(graph, plan, tape, deltas, 1, memoryGauge(), leave))).toThrow();
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('clones a delta that a rule passes on or sends to several inputs', () => {
    const passing = { ...times('b', 1), backward: (_: unknown, delta: tf.Tensor) => [delta] };
    const both: Operation = { ...sum, backward: (_, delta) => [delta, delta] };
    const steps = [
      { operation: times('a', 3), inputs: [0], output: 1 },
      { operation: passing, inputs: [1], output: 2 },
      { operation: both, inputs: [1, 2], output: 3 },
    ];
    // z = 3 x + b 3 x.
    expect(normsOf({ inputs: [0], outputs: [3], steps }, { 0: [1, 1] }, 1)).toEqual({ a: [4, 16], b: [9, 36] });
  });
});

it('stackedNorms has a row a parameter, zeros where no delta came by, and leaves the norms alone', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name }) as Parameter);
  const norms = new Map([a!, c!].map((parameter, i) => [parameter, tf.tensor1d([i, 2 * i])]));
  const before = tf.memory().numTensors;
  const found = stackedNorms([c!, b!, a!], norms, 2);
  expect(found.arraySync()).toEqual([
    [1, 2],
    [0, 0],
    [0, 0],
  ]);
  expect(tf.memory().numTensors).toBe(before + 1);
  tf.dispose([found, ...norms.values()]);
});
