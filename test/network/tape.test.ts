import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type Graph, unfold } from '../../src/network/graph.js';
import type { Layer, Operation, Parameter } from '../../src/network/layers/operation.js';
import { planSteps, record, withoutBackward } from '../../src/network/tape.js';
import { memoryGauge } from '../../src/tfjs/memory-gauge.js';

/** Adds 1 and saves what it made; with a parameter, frozen or trained. */
function plusOne(name: string, trained?: boolean): Operation {
  const layer = { name } as Layer;
  const variable = {} as Parameter['variable'];
  const parameter: Parameter = { name: `${name}/weight`, layer, role: 'fixed', trainable: trained === true, variable };
  return {
    layer,
    description: name,
    scale: 'ties',
    piecewiseLinear: true,
    parameters: trained === undefined ? [] : [parameter],
    forward([x]) {
      const output = tf.add(x!, 1);
      return { output, saved: [tf.square(x!)] };
    },
    backward: (_call, delta) => [delta],
  };
}

/** x -> a -> b -> c, with a side way a -> d. */
function branched(trained: readonly string[], outputs = [3, 4]): Graph {
  const step = (name: string, input: number, output: number) => ({
    operation: plusOne(name, trained.includes(name) ? true : name === 'a' ? false : undefined),
    inputs: [input],
    output,
  });
  return { inputs: [0], outputs, steps: [step('a', 0, 1), step('b', 1, 2), step('c', 2, 3), step('d', 1, 4)] };
}

describe('planSteps', () => {
  const marks = (trained: readonly string[]) =>
    planSteps(branched(trained)).map(({ step, carriesDelta, leavesNorms }) => [
      step.operation.description,
      carriesDelta,
      leavesNorms,
    ]);

  it('carries deltas down to the first trained weights, and no further', () => {
    expect(marks(['b'])).toEqual([
      ['a', false, false],
      ['b', false, true],
      ['c', true, false],
      ['d', false, false],
    ]);
    expect(marks(['a'])).toEqual([
      ['a', false, true],
      ['b', true, false],
      ['c', true, false],
      ['d', true, false],
    ]);
  });

  it('asks nothing of a plan for a forward pass alone', () => {
    const plan = withoutBackward(planSteps(branched(['a', 'c'])));
    expect(plan.map(({ step }) => step.operation.description)).toEqual(['a', 'b', 'c', 'd']);
    expect(plan.some(({ carriesDelta, leavesNorms }) => carriesDelta || leavesNorms)).toBe(false);
  });
});

describe('record', () => {
  it('computes what the model computes, and keeps what the backward pass needs', () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, inputShape: [3], activation: 'tanh', trainable: false }),
        tfl.layers.dense({ units: 2, activation: 'relu' }),
      ],
    });
    const x = tf.randomUniform([5, 3], -1, 1, 'float32', 1);
    const before = tf.memory().numTensors;
    const graph = unfold(model);
    const tape = record(graph, planSteps(graph), [x], memoryGauge());
    const difference = tf.tidy(() =>
      tf.max(tf.abs(tf.sub(tape.outputs[0]!, model.predict(x) as tf.Tensor))).dataSync(),
    );
    expect(difference[0]).toBeLessThan(1e-6);
    expect(tape.calls.map((call) => call && [call.saved.length, call.inputShapes])).toEqual([
      null,
      null,
      [1, [[5, 4]]],
      [1, [[5, 2]]],
    ]);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(x.isDisposed).toBe(false);
    x.dispose();
    model.dispose();
  });

  it('turns inputs into the types that the graph asks for, and leaves the inputs themselves alone', () => {
    const x = tf.tensor2d([[1], [2]], [2, 1], 'int32');
    const before = tf.memory().numTensors;
    const graph: Graph = { ...branched(['a']), inputTypes: new Map([[0, 'float32']]) };
    const tape = record(graph, planSteps(graph), [x], memoryGauge(), { savedOf: () => false });
    expect(tape.sensed.map(({ inputs: [input] }) => input!.dtype)).toEqual([
      'float32',
      'float32',
      'float32',
      'float32',
    ]);
    expect(tape.outputs.map((output) => [...output.dataSync()])).toEqual([
      [4, 5],
      [3, 4],
    ]);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(x.isDisposed).toBe(false);
    x.dispose();
  });

  it('holds no tensor longer than a later step, an output or the backward pass needs it', () => {
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const held: number[] = [];
    const graph = branched([]);
    const watched = graph.steps.map(({ operation, ...step }) => ({
      ...step,
      operation: {
        ...operation,
        forward(inputs: tf.Tensor[]) {
          held.push(tf.memory().numTensors - before);
          expect(inputs.some(({ isDisposed }) => isDisposed)).toBe(false);
          return operation.forward(inputs);
        },
      },
    }));
    const tape = record(graph, planSteps({ ...graph, steps: watched }), [x], memoryGauge());
    // a's output lives until d has read it, b's until c has: outputs 3 and 4 remain.
    expect(held).toEqual([0, 1, 2, 2]);
    expect(tf.memory().numTensors - before).toBe(2);
    expect(tape.calls).toEqual([null, null, null, null]);
    expect(tape.outputs.map((y) => y.dataSync()[0])).toEqual([4, 3]);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('keeps everything where it is asked to, with what is saved of some steps', () => {
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const graph = branched([]);
    const saves = graph.steps.map(({ operation, ...step }) => ({
      ...step,
      operation: {
        ...operation,
        forward([y]: tf.Tensor[], recording = true) {
          return { output: tf.add(y!, 1), saved: recording ? [tf.mul(y!, 10)] : [] };
        },
      },
    }));
    const plan = planSteps({ ...graph, steps: saves });
    const { sensed, dispose } = record(graph, plan, [x], memoryGauge(), { savedOf: (step) => step === 1 });
    const first = (each: readonly tf.Tensor[]) => each.map((y) => y.dataSync()[0]);
    expect(sensed.map(({ inputs, output, saved }) => [first(inputs), first([output]), first(saved)])).toEqual([
      [[1], [2], []],
      [[2], [3], [20]],
      [[3], [4], []],
      [[2], [3], []],
    ]);
    dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(x.isDisposed).toBe(false);
    x.dispose();
  });

  it('keeps an input that is an output too, and takes one that a step hands through', () => {
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const through: Operation = {
      ...plusOne('through', true),
      forward: ([y]) => ({ output: tf.clone(y!), saved: [y!] }),
    };
    const graph: Graph = { inputs: [0], outputs: [1, 0], steps: [{ operation: through, inputs: [0], output: 1 }] };
    const tape = record(graph, planSteps(graph), [x], memoryGauge());
    expect(tape.outputs[1]).toBe(x);
    tape.dispose();
    expect(x.isDisposed).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('hands a mask to the step that reads it, and keeps it for the way back', () => {
    const masks: (tf.Tensor | undefined)[] = [];
    const reads: Operation = {
      ...plusOne('reads', true),
      forward([x], _recording, mask) {
        masks.push(mask);
        return { output: tf.add(x!, 1), saved: [] };
      },
    };
    const steps = [
      { operation: plusOne('mask'), inputs: [0], output: 1 },
      { operation: reads, inputs: [0], mask: 1, output: 2 },
    ];
    const graph: Graph = { inputs: [0], outputs: [2], steps };
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const tape = record(graph, planSteps(graph), [x], memoryGauge());
    expect(tape.calls[1]!.mask).toBe(masks[0]);
    expect([...masks[0]!.dataSync()]).toEqual([2, 2]);
    tape.dispose();
    const alone = record(graph, withoutBackward(planSteps(graph)), [x], memoryGauge());
    expect(masks[1]!.isDisposed).toBe(true);
    alone.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('makes a tensor of its own of an input that a step passes on as it is', () => {
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const passes: Operation = { ...plusOne('passes'), forward: ([y]) => ({ output: y!, saved: [] }) };
    const steps = [
      { operation: passes, inputs: [0], output: 1 },
      { operation: plusOne('a', true), inputs: [1], output: 2 },
      { operation: passes, inputs: [2], output: 3 },
    ];
    const graph: Graph = { inputs: [0], outputs: [3], steps };
    const tape = record(graph, planSteps(graph), [x], memoryGauge());
    expect([...tape.outputs[0]!.dataSync()]).toEqual([2, 2]);
    expect(x.isDisposed).toBe(false);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('leaves nothing behind where an input cannot be turned into its type', () => {
    const [x, gone] = [tf.tensor2d([[1]], [1, 1], 'int32'), tf.tensor2d([[1]], [1, 1], 'int32')];
    gone.dispose();
    const before = tf.memory().numTensors;
    const graph: Graph = {
      ...branched(['a']),
      inputs: [0, 9],
      inputTypes: new Map([
        [0, 'float32'],
        [9, 'float32'],
      ]),
    };
    expect(() => record(graph, planSteps(graph), [x, gone], memoryGauge())).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('leaves nothing behind when a step fails, and names the layer', () => {
    const x = tf.ones([2, 1]);
    const before = tf.memory().numTensors;
    const graph = branched(['a', 'b']);
    graph.steps[2]!.operation.forward = () => {
      throw new Error('no kernel');
    };
    expect(() => record(graph, planSteps(graph), [x], memoryGauge())).toThrow(
      "Layer 'c' (c) cannot be measured: no kernel",
    );
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });
});
