import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { planSteps, record } from '../../../src/network/tape.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { holdPieces } from '../../../src/traces/hutchinson/held-pieces.js';
import { rememberInputs } from '../../../src/traces/hutchinson/weight-gradients.js';
import { lcg, setGoldenWeights } from '../../measure/golden-network.js';

afterEach(() => tf.disposeVariables());

const { layers } = tfl;

describe('holdPieces', () => {
  /** Every function with kinks: [the function, the shape of its input]. */
  const kinked: [string, (x: tfl.SymbolicTensor) => unknown, number[]][] = [
    ['relu', (x) => layers.activation({ activation: 'relu' }).apply(x), [6]],
    ['relu6', (x) => layers.activation({ activation: 'relu6' }).apply(x), [6]],
    ['hard sigmoid', (x) => layers.activation({ activation: 'hardSigmoid' }).apply(x), [6]],
    ['leaky relu', (x) => layers.leakyReLU({ alpha: 0.2 }).apply(x), [6]],
    ['relu with a maximum', (x) => layers.reLU({ maxValue: 0.3 }).apply(x), [6]],
    ['thresholded relu', (x) => layers.thresholdedReLU({ theta: 0.3 }).apply(x), [6]],
    ['max pooling', (x) => layers.maxPooling2d({ poolSize: 2 }).apply(x), [4, 4, 2]],
    [
      'max pooling, padded and overlapping',
      (x) => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }).apply(x),
      [5, 4, 2],
    ],
    ['max pooling, padded', (x) => layers.maxPooling2d({ poolSize: 2, padding: 'same' }).apply(x), [5, 3, 2]],
    ['max pooling in one dimension', (x) => layers.maxPooling1d({ poolSize: 2 }).apply(x), [6, 2]],
    [
      'max pooling, channels first',
      (x) => layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }).apply(x),
      [2, 4, 4],
    ],
    ['global max pooling', (x) => layers.globalMaxPooling2d({}).apply(x), [3, 4, 2]],
    [
      'a maximum',
      (x) => layers.maximum().apply([x, layers.batchNormalization({}).apply(x) as tfl.SymbolicTensor]),
      [6],
    ],
    [
      'a minimum',
      (x) => layers.minimum().apply([x, layers.batchNormalization({}).apply(x) as tfl.SymbolicTensor]),
      [6],
    ],
  ];

  it.each(kinked)('continues %s linearly', (_name, make, shape) => {
    // A layer with weights in front: only what is above weights is recorded.
    const inputs = tfl.input({ shape });
    const outputs = make(layers.batchNormalization({}).apply(inputs) as tfl.SymbolicTensor) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs, outputs });
    setGoldenWeights(model, 3);
    const graph = rememberInputs(unfold(model));
    const gauge = memoryGauge();
    const [from, to] = [1, 2].map((seed) => {
      const values = lcg(seed, 3 * shape.reduce((a, b) => a * b)).map((u) => 12 * (u - 0.5));
      return tf.tensor(values, [3, ...shape]);
    }) as [tf.Tensor, tf.Tensor];
    const tape = record(graph, planSteps(graph), [from], gauge);
    const held = holdPieces(graph, tape);
    const at = (x: tf.Tensor, used = held) => record(used, planSteps(used), [x], gauge).outputs[0].dataSync();
    const between = tf.add(tf.mul(from, 0.999), tf.mul(to, 0.001));

    // It agrees with the network where the tape was recorded and close by, and half of the way is half of the change.
    const [start, near, nearFree, end, middle] = [
      at(from),
      at(between),
      at(between, graph),
      at(to),
      at(tf.mul(tf.add(from, to), 0.5)),
    ];
    expect([...start]).toEqual([...at(from, graph)].map((value) => expect.closeTo(value, 5)));
    const kept = near.filter((value, i) => Math.abs(value - nearFree[i]!) < 1e-5).length;
    expect(kept / near.length).toBeGreaterThan(0.95);
    middle.forEach((value, i) => {
      expect(Math.abs(value - (start[i]! + end[i]!) / 2)).toBeLessThan(1e-5);
    });
    expect([...at(to, graph)]).not.toEqual([...end].map((value) => expect.closeTo(value, 5)));
  });

  it('lives as long as its tape, and leaves nothing behind', () => {
    const inputs = tfl.input({ shape: [4] });
    const hidden = layers.dense({ units: 5, activation: 'relu' }).apply(inputs) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs, outputs: layers.dense({ units: 2 }).apply(hidden) as tfl.SymbolicTensor });
    setGoldenWeights(model, 3);
    const graph = rememberInputs(unfold(model));
    const gauge = memoryGauge();
    const x = tf.tensor2d(lcg(1, 12), [3, 4]);
    const before = tf.memory().numTensors;
    const tape = record(graph, planSteps(graph), [x], gauge);
    const held = holdPieces(graph, tape);
    const outputs = [0, 1].map(() => {
      const moved = record(held, planSteps(held), [x], gauge);
      const values = [...moved.outputs[0]!.dataSync()];
      moved.dispose();
      return values;
    });
    expect(outputs[1]).toEqual(outputs[0]);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    model.dispose();
  });
});
